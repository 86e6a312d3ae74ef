"""What was not granted is refused, with the real API server's sentence."""

from __future__ import annotations

import pytest

from unit.lab.apiserver_cluster import CLIENT, CSRS, SERVING, csr

RBAC = "/apis/rbac.authorization.k8s.io/v1"
MAPS = "/api/v1/namespaces/default/configmaps"
LEASES = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"
GROUP = "certificates.k8s.io"


def message(answer):
    assert answer.status_code == 403, answer.text
    assert answer.json()["reason"] == "Forbidden"
    return answer.json()["message"]


def rule(verbs, group, resources, **more):
    return {"verbs": verbs, "apiGroups": [group], "resources": resources, **more}


def node(cluster, name="n1"):
    return cluster.session(f"system:node:{name}", "system:nodes")


def test_what_nobody_granted_is_refused(cluster):
    assert message(cluster.call("GET", "/api/v1/nodes", by=cluster.session("joe"))) == (
        'nodes is forbidden: User "joe" cannot list resource "nodes" in API group "" at the cluster scope'
    )


def test_a_refusal_in_a_namespace_names_it(cluster):
    assert message(cluster.call("GET", f"{MAPS}/a", by=cluster.session("joe"))) == (
        'configmaps "a" is forbidden: User "joe" cannot get resource "configmaps" in API group "" '
        'in the namespace "default"'
    )


def test_a_refusal_of_a_subresource_names_it(cluster):
    found = cluster.request_certificate(signerName=SERVING)
    name = found["metadata"]["name"]
    assert message(cluster.approve(found, cluster.session("joe"))) == (
        f'certificatesigningrequests.certificates.k8s.io "{name}" is forbidden: User "joe" cannot update '
        'resource "certificatesigningrequests/approval" in API group "certificates.k8s.io" '
        "at the cluster scope"
    )


def test_a_path_that_is_no_resource_is_refused_too(cluster):
    assert message(cluster.call("GET", "/metrics", by=cluster.session("joe"))) == (
        'forbidden: User "joe" cannot get path "/metrics"'
    )


def test_a_cluster_role_grants_its_verbs_and_no_others(cluster):
    joe = cluster.grant("joe", rule(["list"], "", ["nodes"]))
    assert cluster.call("GET", "/api/v1/nodes", by=joe).status_code == 200
    assert cluster.call("GET", "/api/v1/nodes?watch=1", by=joe).status_code == 403
    assert cluster.call("POST", "/api/v1/nodes", {"metadata": {"name": "n"}}, joe).status_code == 403


def test_a_resource_name_narrows_a_rule(cluster):
    joe = cluster.grant("joe", rule(["get", "list"], "", ["configmaps"], resourceNames=["a"]))
    cluster.config_map("a")
    cluster.config_map("b")
    assert cluster.call("GET", f"{MAPS}/a", by=joe).status_code == 200
    assert cluster.call("GET", f"{MAPS}/b", by=joe).status_code == 403
    assert cluster.call("GET", MAPS, by=joe).status_code == 403
    assert cluster.call("GET", f"{MAPS}?fieldSelector=metadata.name%3Da", by=joe).status_code == 200


def test_a_role_grants_in_its_namespace_only(cluster):
    where = f"{RBAC}/namespaces/default"
    cluster.make(f"{where}/roles", {"metadata": {"name": "r"}, "rules": [rule(["list"], "", ["configmaps"])]})
    subject = {"kind": "Group", "apiGroup": "rbac.authorization.k8s.io", "name": "team"}
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "r"}
    binding = {"metadata": {"name": "r"}, "subjects": [subject], "roleRef": reference}
    cluster.make(f"{where}/rolebindings", binding)
    joe = cluster.session("joe", "team")
    assert cluster.call("GET", MAPS, by=joe).status_code == 200
    assert cluster.call("GET", MAPS.replace("default", "kube-public"), by=joe).status_code == 403
    assert cluster.call("GET", "/api/v1/configmaps", by=joe).status_code == 403


def test_a_binding_to_a_missing_role_says_so(cluster):
    joe = cluster.grant("joe", rule(["list"], "", ["nodes"]))
    cluster.call("DELETE", f"{RBAC}/clusterroles/joe")
    assert message(cluster.call("GET", "/api/v1/nodes", by=joe)) == (
        'nodes is forbidden: User "joe" cannot list resource "nodes" in API group "" at the cluster scope: '
        'RBAC: clusterrole.rbac.authorization.k8s.io "joe" not found'
    )


def test_everybody_who_is_known_may_discover(cluster):
    assert cluster.call("GET", "/apis", by=cluster.session("joe")).status_code == 200
    assert cluster.call("GET", "/apis", by=cluster.anonymous()).status_code == 403


def test_approving_needs_the_signer_besides_the_subresource(cluster):
    joe = cluster.grant(
        "joe",
        rule(["update"], GROUP, ["certificatesigningrequests/approval"]),
        rule(["approve"], GROUP, ["signers"], resourceNames=[CLIENT]),
    )
    other = cluster.session("other", "system:masters")
    allowed = cluster.request_certificate(other, expirationSeconds=600)
    forbidden = cluster.request_certificate(other, signerName=SERVING)
    name = forbidden["metadata"]["name"]
    assert cluster.approve(allowed, joe).status_code in (200, 409)
    assert message(cluster.approve(forbidden, joe)) == (
        f'certificatesigningrequests.certificates.k8s.io "{name}" is forbidden: '
        'user not permitted to approve requests with signerName "kubernetes.io/kubelet-serving"'
    )


@pytest.mark.parametrize("signer", ["kubernetes.io/kubelet-serving", "kubernetes.io/*"])
def test_a_signer_is_granted_by_name_or_by_domain(cluster, signer):
    joe = cluster.grant(
        "joe",
        rule(["update"], GROUP, ["certificatesigningrequests/approval"]),
        rule(["approve"], GROUP, ["signers"], resourceNames=[signer]),
    )
    assert cluster.approve(cluster.request_certificate(signerName=SERVING), joe).status_code == 200


def test_a_bootstrapper_may_ask_and_watch_once_its_role_is_bound(cluster):
    bootstrapper = cluster.session("system:bootstrap:abcdef", "system:bootstrappers")
    assert cluster.call("POST", CSRS, csr(), bootstrapper).status_code == 403
    cluster.make(
        f"{RBAC}/clusterrolebindings",
        {
            "metadata": {"name": "bootstrap"},
            "subjects": [{"kind": "Group", "name": "system:bootstrappers"}],
            "roleRef": {"kind": "ClusterRole", "name": "system:node-bootstrapper"},
        },
    )
    made = cluster.make(CSRS, csr(), bootstrapper)
    assert cluster.call("GET", f"{CSRS}/{made['metadata']['name']}", by=bootstrapper).status_code == 200
    assert cluster.approve(made, bootstrapper).status_code == 403


def test_a_node_reads_itself_and_no_other(cluster):
    for name in ("n1", "n2"):
        cluster.make("/api/v1/nodes", {"metadata": {"name": name}})
    assert cluster.call("GET", "/api/v1/nodes/n1", by=node(cluster)).status_code == 200
    assert message(cluster.call("GET", "/api/v1/nodes/n2", by=node(cluster))) == (
        'nodes "n2" is forbidden: User "system:node:n1" cannot get resource "nodes" in API group "" '
        "at the cluster scope: node 'n1' cannot read 'n2', only its own Node object"
    )
    assert message(cluster.call("GET", "/api/v1/nodes", by=node(cluster))).endswith(
        "node 'n1' cannot read all nodes, only its own Node object"
    )


@pytest.mark.parametrize("cluster", [{"version": "1.31.0"}], indirect=True)
def test_before_1_32_a_node_reads_all_nodes(cluster):
    assert cluster.call("GET", "/api/v1/nodes", by=node(cluster)).status_code == 200


def test_a_node_registers_itself_and_reports_its_status(cluster):
    own = node(cluster)
    cluster.make(
        "/api/v1/nodes", {"metadata": {"name": "n1", "labels": {"kubernetes.io/hostname": "n1"}}}, own
    )
    header = {"Content-Type": "application/strategic-merge-patch+json"}
    body = {"status": {"conditions": [{"type": "Ready", "status": "True"}]}}
    answer = cluster.call("PATCH", "/api/v1/nodes/n1/status", body, own, headers=header)
    assert answer.json()["status"] == body["status"]


def test_a_node_cannot_register_as_another(cluster):
    answer = cluster.call("POST", "/api/v1/nodes", {"metadata": {"name": "n2"}}, node(cluster))
    assert message(answer) == 'nodes "n2" is forbidden: node "n1" is not allowed to modify node "n2"'


def test_a_node_cannot_register_with_a_reserved_label(cluster):
    labels = {"node-role.kubernetes.io/master": "", "node-restriction.kubernetes.io/pci": "", "own": "yes"}
    answer = cluster.call(
        "POST", "/api/v1/nodes", {"metadata": {"name": "n1", "labels": labels}}, node(cluster)
    )
    assert message(answer) == (
        'nodes "n1" is forbidden: node "n1" is not allowed to set the following labels: '
        "node-restriction.kubernetes.io/pci, node-role.kubernetes.io/master"
    )


def test_a_node_cannot_remove_its_taints(cluster):
    taints = [{"key": "k", "effect": "NoSchedule"}]
    made = cluster.make("/api/v1/nodes", {"metadata": {"name": "n1"}, "spec": {"taints": taints}})
    answer = cluster.call("PUT", "/api/v1/nodes/n1", {**made, "spec": {}}, node(cluster))
    assert message(answer) == 'nodes "n1" is forbidden: node "n1" is not allowed to modify taints'


def test_a_node_keeps_its_own_lease_only(cluster):
    own = node(cluster)
    cluster.make(LEASES, {"metadata": {"name": "n1"}}, own)
    assert message(cluster.call("POST", LEASES, {"metadata": {"name": "n2"}}, own)) == (
        'leases.coordination.k8s.io "n2" is forbidden: '
        "can only access node lease with the same name as the requesting node"
    )
    assert message(cluster.call("GET", f"{LEASES}/n2", by=own)).endswith(
        'in the namespace "kube-node-lease": '
        "can only access node lease with the same name as the requesting node"
    )


def test_a_node_asks_for_certificates_in_its_own_name_only(cluster):
    assert cluster.call("POST", CSRS, csr("system:node:n1"), node(cluster)).status_code == 201
    assert message(cluster.call("POST", CSRS, csr("system:node:n2"), node(cluster))) == (
        'certificatesigningrequests.certificates.k8s.io "csr-" is forbidden: '
        "can only create a node CSR with CN=system:node:n1"
    )


@pytest.mark.parametrize("cluster", [{"version": "1.30.0"}], indirect=True)
def test_before_1_31_a_node_could_ask_in_any_name(cluster):
    assert cluster.call("POST", CSRS, csr("system:node:n2"), node(cluster)).status_code == 201


def test_a_node_reads_no_secrets(cluster):
    assert message(cluster.call("GET", "/api/v1/secrets", by=node(cluster))).endswith(
        "can only read namespaced object of this type"
    )


def test_a_node_lists_the_pods_that_run_on_it(cluster):
    pods = "/api/v1/pods"
    assert (
        cluster.call("GET", f"{pods}?fieldSelector=spec.nodeName%3Dn1", by=node(cluster)).status_code == 200
    )
    assert message(cluster.call("GET", pods, by=node(cluster))).endswith(
        "can only list/watch pods with spec.nodeName field selector"
    )


def test_kube_proxy_may_watch_services_and_read_nodes(cluster):
    proxy = cluster.session("system:kube-proxy")
    assert cluster.call("GET", "/api/v1/services", by=proxy).status_code == 200
    assert cluster.call("GET", "/api/v1/nodes/n1", by=proxy).status_code == 404
    assert cluster.call("GET", "/api/v1/secrets", by=proxy).status_code == 403


def test_acting_as_another_needs_the_right_to(cluster):
    headers = {"Impersonate-User": "jane"}
    assert message(cluster.call("GET", "/api/v1/nodes", headers=headers)).startswith(
        'nodes is forbidden: User "jane" cannot list'
    )
    assert message(cluster.call("GET", "/api/v1/nodes", by=cluster.session("joe"), headers=headers)) == (
        'users "jane" is forbidden: User "joe" cannot impersonate resource "users" in API group "" '
        "at the cluster scope"
    )
