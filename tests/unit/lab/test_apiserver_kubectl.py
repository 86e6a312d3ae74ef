"""The real kubectl finds nothing amiss."""

from __future__ import annotations

import json
import re

import pytest

from unit.lab.apiserver_cluster import CSRS, SERVING

MAP = '{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"x": "%s"}}'
MAPS = "/api/v1/namespaces/default/configmaps"


def lines(done) -> list[list[str]]:
    assert done.returncode == 0, done.stderr
    return [re.split(r"\s{2,}", line.strip()) for line in done.stdout.splitlines()]


def say(done) -> str:
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_get_nodes_shows_the_real_columns(cluster):
    ready = {"type": "Ready", "status": "True"}
    info = {
        "kubeletVersion": "v1.36.2",
        "osImage": "Debian GNU/Linux 12 (bookworm)",
        "kernelVersion": "6.18.0",
        "architecture": "amd64",
        "containerRuntimeVersion": "containerd://1.6.20",
    }
    addresses = [{"type": "InternalIP", "address": "10.77.0.11"}, {"type": "Hostname", "address": "n1"}]
    status = {"conditions": [ready], "nodeInfo": info, "addresses": addresses}
    cluster.make("/api/v1/nodes", {"metadata": {"name": "n1"}, "status": status})
    cluster.make("/api/v1/nodes", {"metadata": {"name": "n2"}, "spec": {"unschedulable": True}})
    found = lines(cluster.kubectl("get", "nodes", "-o", "wide"))
    assert found[0] == [
        "NAME", "STATUS", "ROLES", "AGE", "VERSION", "INTERNAL-IP", "EXTERNAL-IP", "OS-IMAGE",
        "KERNEL-VERSION", "CONTAINER-RUNTIME",
    ]  # fmt: skip
    assert found[1][:3] + found[1][4:] == [
        "n1", "Ready", "<none>", "v1.36.2", "10.77.0.11", "<none>", "Debian GNU/Linux 12 (bookworm)",
        "6.18.0 (amd64)", "containerd://1.6.20",
    ]  # fmt: skip
    assert found[2][:2] == ["n2", "Unknown,SchedulingDisabled"]


def test_get_csr_shows_the_real_columns(cluster):
    cluster.request_certificate(signerName=SERVING, expirationSeconds=86400)
    header, row = lines(cluster.kubectl("get", "csr"))
    assert header == ["NAME", "AGE", "SIGNERNAME", "REQUESTOR", "REQUESTEDDURATION", "CONDITION"]
    assert row[2:] == ["kubernetes.io/kubelet-serving", "kubernetes-admin", "24h", "Pending"]


@pytest.mark.parametrize(
    ("kind", "header"),
    [
        ("namespaces", ["NAME", "STATUS", "AGE"]),
        ("services", ["NAME", "TYPE", "CLUSTER-IP", "EXTERNAL-IP", "PORT(S)", "AGE"]),
        ("clusterroles", ["NAME", "CREATED AT"]),
        ("clusterrolebindings", ["NAME", "ROLE", "AGE"]),
    ],
)
def test_other_kinds_have_columns_too(cluster, kind, header):
    assert lines(cluster.kubectl("get", kind))[0] == header


@pytest.mark.parametrize(
    ("verb", "said", "reason"), [("approve", "approved", "KubectlApprove"), ("deny", "denied", "KubectlDeny")]
)
def test_certificate_approve_and_deny(cluster, verb, said, reason):
    name = cluster.request_certificate(signerName=SERVING)["metadata"]["name"]
    done = cluster.kubectl("certificate", verb, name)
    assert say(done) == f"certificatesigningrequest.certificates.k8s.io/{name} {said}"
    found = cluster.read(f"{CSRS}/{name}")["status"]["conditions"][0]
    assert (found["type"], found["status"], found["reason"]) == (said.title(), "True", reason)


def test_certificate_approve_without_rights_says_what_the_real_one_says(cluster):
    name = cluster.request_certificate(signerName=SERVING)["metadata"]["name"]
    done = cluster.kubectl("certificate", "approve", name, user="joe")
    assert done.stderr.startswith(
        f'Error from server (Forbidden): certificatesigningrequests.certificates.k8s.io "{name}" is '
        'forbidden: User "joe" cannot get resource "certificatesigningrequests" in API group '
    )


def test_apply_makes_then_leaves_then_changes(cluster):
    said = [say(cluster.kubectl("apply", "-f", "-", stdin=MAP % x)) for x in ("1", "1", "2")]
    assert said == ["configmap/a created", "configmap/a unchanged", "configmap/a configured"]
    assert cluster.read(f"{MAPS}/a")["data"] == {"x": "2"}


def test_a_second_server_side_apply_changes_nothing(cluster):
    versions = []
    for _ in range(2):
        done = cluster.kubectl("apply", "--server-side", "-f", "-", stdin=MAP % "1")
        assert say(done) == "configmap/a serverside-applied"
        versions.append(cluster.read(f"{MAPS}/a")["metadata"]["resourceVersion"])
    assert versions[0] == versions[1]


def test_another_manager_conflicts_until_it_forces(cluster):
    apply = ("apply", "--server-side", "-f", "-")
    say(cluster.kubectl(*apply, stdin=MAP % "1"))
    done = cluster.kubectl(*apply, "--field-manager=other", stdin=MAP % "2")
    assert done.returncode != 0
    assert done.stderr.startswith('error: Apply failed with 1 conflict: conflict with "kubectl": .data.x\n')
    say(cluster.kubectl(*apply, "--field-manager=other", "--force-conflicts", stdin=MAP % "2"))
    (manager,) = cluster.read(f"{MAPS}/a")["metadata"]["managedFields"]
    assert (manager["manager"], manager["fieldsV1"]) == ("other", {"f:data": {"f:x": {}}})


def test_typed_clients_write_protobuf_and_are_understood(cluster):
    say(cluster.kubectl("create", "namespace", "mine"))
    say(cluster.kubectl("create", "secret", "generic", "s", "-n", "mine", "--from-literal=a=b"))
    say(cluster.kubectl("create", "clusterrole", "r", "--verb=get,list", "--resource=nodes"))
    say(cluster.kubectl("create", "clusterrolebinding", "r", "--clusterrole=r", "--user=joe"))
    assert cluster.read("/api/v1/namespaces/mine/secrets/s")["data"] == {"a": "Yg=="}
    assert say(cluster.kubectl("auth", "can-i", "list", "nodes", user="joe")) == "yes"
    assert cluster.kubectl("auth", "can-i", "delete", "nodes", user="joe").stdout.strip() == "no"


def test_protobuf_of_a_kind_without_a_table_is_refused(cluster):
    done = cluster.kubectl("create", "quota", "q")
    assert "accepted media types include: application/json, application/yaml" in done.stderr


def test_label_taint_and_delete(cluster):
    cluster.make("/api/v1/nodes", {"metadata": {"name": "n1"}})
    say(cluster.kubectl("label", "node", "n1", "a=b"))
    say(cluster.kubectl("taint", "node", "n1", "k=v:NoSchedule"))
    say(cluster.kubectl("cordon", "n1"))
    node = cluster.read("/api/v1/nodes/n1")
    assert node["metadata"]["labels"] == {"a": "b"}
    assert {"key": "k", "value": "v", "effect": "NoSchedule"} in node["spec"]["taints"]
    assert node["spec"]["unschedulable"] is True
    say(cluster.kubectl("delete", "node", "n1"))
    assert cluster.call("GET", "/api/v1/nodes/n1").status_code == 404


def test_get_all_shows_the_workloads(cluster):
    assert say(cluster.kubectl("get", "all", "-A", "-o", "name")) == "service/kubernetes"


def test_apply_of_an_unknown_kind_says_so(cluster):
    done = cluster.kubectl(
        "apply", "-f", "-", stdin='{"apiVersion": "x/v1", "kind": "X", "metadata": {"name": "x"}}'
    )
    assert 'no matches for kind "X" in version "x/v1"' in done.stderr


def test_wait_sees_a_condition(cluster):
    name = cluster.request_certificate(signerName=SERVING)["metadata"]["name"]
    say(cluster.kubectl("certificate", "approve", name))
    say(cluster.kubectl("wait", "--for=condition=Approved", f"csr/{name}", "--timeout=10s"))


def test_a_defined_kind_is_applied_and_listed(cluster):
    names = {"plural": "pools", "singular": "pool", "kind": "Pool", "listKind": "PoolList"}
    version = {
        "name": "v1",
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": {"type": "object"}},
    }
    definition = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "pools.lab.io"},
        "spec": {"group": "lab.io", "scope": "Namespaced", "names": names, "versions": [version]},
    }
    pool = {"apiVersion": "lab.io/v1", "kind": "Pool", "metadata": {"name": "p"}, "spec": {"size": 1}}
    say(cluster.kubectl("apply", "-f", "-", stdin=json.dumps(definition)))
    say(cluster.kubectl("wait", "--for=condition=Established", "crd/pools.lab.io", "--timeout=10s"))
    say(cluster.kubectl("apply", "-f", "-", stdin=json.dumps(pool)))
    assert lines(cluster.kubectl("get", "pools"))[1][0] == "p"


@pytest.mark.parametrize("cluster", [{"version": "1.29.0"}], indirect=True)
def test_discovery_works_without_being_aggregated(cluster):
    assert lines(cluster.kubectl("get", "ns"))[1][0] == "default"
