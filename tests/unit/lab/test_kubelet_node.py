"""The kubelet double registers its node, reports what it is and how it is, and keeps its lease."""

from __future__ import annotations

import platform
import re
import socket

import pytest
from lab import waiting

from unit.lab.doubles import free_port, grant_bootstrap, join, kubeconfig, pending, ready

NO_NETWORK = (
    "container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady "
    "message:Network plugin returns error: cni plugin not initialized"
)
LEASE = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/n1"


def node(cluster):
    return cluster.read("/api/v1/nodes/n1")


def becomes(cluster, status, message=""):
    """Wait until the node's Ready condition has this status and message."""

    def found():
        condition = ready(cluster)
        return condition if condition["status"] == status and message in condition["message"] else None

    return waiting.until(found, f"Ready={status} {message}", 15, 0.02)


def node_credentials(cluster):
    """A client certificate of the node n1, made by the cluster's own authority."""
    config = cluster.kubeconfig("system:node:n1", "system:nodes")
    return f"--kubeconfig={config}"


def test_the_node_has_the_labels_taints_and_addresses_that_it_was_given(machine, cluster):
    taints = [{"key": "dedicated", "value": "lab", "effect": "NoSchedule"}]
    join(machine, cluster, "1.36.2", "--node-labels=rack=r1", registerWithTaints=taints)
    found = node(cluster)
    assert found["metadata"]["labels"]["rack"] == "r1"
    assert found["metadata"]["labels"]["kubernetes.io/hostname"] == "n1"
    assert [taint for taint in found["spec"]["taints"] if taint["key"] == "dedicated"] == taints
    assert {entry["type"] for entry in found["status"]["addresses"]} == {"InternalIP", "Hostname"}


def test_the_node_says_what_it_runs(machine, cluster):
    join(machine, cluster, "1.36.2")
    info = node(cluster)["status"]["nodeInfo"]
    assert (info["kubeletVersion"], info["osImage"]) == ("v1.36.2", "Lab Linux 1")
    assert info["kernelVersion"] == platform.release()
    assert info["containerRuntimeVersion"].startswith("containerd://")


def test_what_is_reserved_is_not_there_for_pods(machine, cluster):
    join(machine, cluster, "1.36.2", maxPods=42, kubeReserved={"memory": "1Gi"}, evictionHard={})
    status = node(cluster)["status"]
    assert status["capacity"]["pods"] == "42"
    whole, left = (int(status[key]["memory"].removesuffix("Ki")) for key in ("capacity", "allocatable"))
    assert whole - left == 1024 * 1024


def test_the_node_becomes_ready_when_a_cni_configuration_arrives_and_not_before(machine, cluster):
    join(machine, cluster, "1.36.2")
    condition = becomes(cluster, "False")
    assert (condition["reason"], condition["message"]) == ("KubeletNotReady", NO_NETWORK)
    machine.cni_arrives()
    condition = becomes(cluster, "True")
    assert (condition["reason"], condition["message"]) == ("KubeletReady", "kubelet is posting ready status")


def test_the_cni_folder_is_the_one_that_containerds_configuration_names(machine, cluster):
    (machine.root / "etc/containerd").mkdir()
    (machine.root / "etc/containerd/config.toml").write_text('  conf_dir = "/opt/cni/conf"\n')
    join(machine, cluster, "1.36.2")
    machine.cni_arrives()
    becomes(cluster, "False", NO_NETWORK)
    (machine.root / "opt/cni/conf").mkdir(parents=True)
    (machine.root / "opt/cni/conf/10-x.conflist").write_text("{}")
    becomes(cluster, "True")


def test_the_node_is_not_ready_when_the_runtime_has_been_down_for_half_a_minute(machine, cluster):
    machine.cni_arrives()
    join(machine, cluster, "1.36.2")
    becomes(cluster, "True")
    away = machine.socket.with_suffix(".away")
    machine.socket.rename(away)
    assert becomes(cluster, "False")["message"] == "container runtime is down"
    away.rename(machine.socket)
    becomes(cluster, "True")


def test_the_lease_is_renewed(machine, cluster):
    join(machine, cluster, "1.36.2")

    def spec():
        answer = cluster.call("GET", LEASE)
        return answer.json()["spec"] if answer.ok else None

    first = waiting.until(spec, "the lease", 15, 0.05)
    assert (first["holderIdentity"], first["leaseDurationSeconds"]) == ("n1", 40)
    waiting.until(lambda: spec()["renewTime"] > first["renewTime"], "a renewal", 15, 0.05)


def test_a_node_that_is_there_already_gets_the_new_labels(machine, cluster):
    cluster.make("/api/v1/nodes", {"metadata": {"name": "n1", "labels": {"old": "1"}}})
    kubelet = machine.kubelet(
        "1.36.2", f"--config={machine.settings()}", node_credentials(cluster), "--node-labels=rack=r1"
    )
    kubelet.logged("Successfully registered node")
    labels = node(cluster)["metadata"]["labels"]
    assert (labels["old"], labels["rack"]) == ("1", "r1")


def test_a_kubelet_without_a_kubeconfig_stands_alone(machine):
    config = machine.settings()
    kubelet = machine.start(
        "kubelet",
        "1.36.2",
        f"--config={config}",
        f"--cert-dir={machine.pki}",
        f"--root-dir={machine.directory / 'kubelet'}",
    )
    kubelet.logged("Standalone mode, no API client")
    kubelet.logged("Started kubelet")


def test_a_runtime_that_is_not_there_ends_the_kubelet(machine, cluster):
    config = machine.settings(containerRuntimeEndpoint="unix:///nowhere.sock")
    kubelet = machine.kubelet("1.36.2", f"--config={config}", node_credentials(cluster))
    assert kubelet.ended() == 1
    assert (
        "failed to run Kubelet: validate service connection: validate CRI v1 runtime API for endpoint "
        r"\"unix:///nowhere.sock\": rpc error: code = Unavailable desc = connection error: desc = "
        r"\"transport: Error "
        r"while dialing: dial unix /nowhere.sock: connect: no such file or directory\""
    ) in kubelet.log


@pytest.mark.parametrize("cluster", [{"version": "1.14.10"}], indirect=True)
def test_with_dockershim_docker_must_be_there(machine, cluster):
    kubelet = machine.kubelet(
        "1.14.10", node_credentials(cluster), f"--docker-endpoint=unix://{machine.socket}x"
    )
    assert kubelet.ended() == 255
    assert (
        "failed to run Kubelet: failed to create kubelet: failed to get docker version: Cannot connect "
        "to the Docker "
        f"daemon at unix://{machine.socket}x. Is the docker daemon running?"
    ) in kubelet.log


@pytest.mark.parametrize("cluster", [{"version": "1.14.10"}], indirect=True)
def test_with_dockershim_the_cni_folder_is_the_flags(machine, cluster):
    folder = machine.directory / "net.d"
    folder.mkdir()
    flags = [f"--docker-endpoint=unix://{machine.socket}", "--network-plugin=cni", f"--cni-conf-dir={folder}"]
    flags += [f"--port={free_port()}", f"--healthz-port={free_port()}", "--read-only-port=0"]
    kubelet = machine.kubelet("1.14.10", node_credentials(cluster), "--address=127.0.0.1", *flags)
    kubelet.logged("Successfully registered node")
    assert becomes(cluster, "False")["message"] == (
        "runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady message:docker: "
        "network plugin "
        "is not ready: cni config uninitialized"
    )
    (folder / "10-default.conf").write_text("{}")
    becomes(cluster, "True")


def test_an_api_server_that_comes_later_is_waited_for(machine, cluster, start_apiserver):
    port = free_port()
    config = kubeconfig(cluster, {"token": "abcdef.0123456789abcdef"})
    config["clusters"][0]["cluster"]["server"] = f"https://127.0.0.1:{port}"
    flag = f"--bootstrap-kubeconfig={machine.write('later.kubeconfig', config)}"
    kubelet = machine.kubelet("1.36.2", f"--config={machine.settings()}", flag)
    kubelet.logged("connection refused")
    with start_apiserver(secure_port=port) as running:
        later = type(cluster)(running.url, cluster.ca, machine.directory)
        grant_bootstrap(later)
        later.approve(pending(later, "kube-apiserver-client-kubelet"))
        waiting.until(lambda: ready(later), "the node", 15, 0.05)


def test_a_reserved_cgroup_that_is_missing_ends_the_kubelet_once_the_runtime_answers(machine, cluster):
    fields = {"enforceNodeAllocatable": ["pods", "kube-reserved"], "kubeReservedCgroup": "/kube.slice"}
    kubelet = machine.kubelet("1.36.2", f"--config={machine.settings(**fields)}", node_credentials(cluster))
    assert kubelet.ended() == 1
    found = re.search(r'"Failed to start ContainerManager" err="(.*)"\n', kubelet.log)
    assert found[1].startswith(
        r"Failed to enforce Kube Reserved Cgroup Limits on \"/kube.slice\": could not read"
    )


def test_an_address_that_is_not_the_machines_is_no_address_of_the_node(machine, cluster):
    kubelet = machine.kubelet(
        "1.36.2", f"--config={machine.settings()}", node_credentials(cluster), "--node-ip=203.0.113.77"
    )
    kubelet.logged("Successfully registered node")
    kubelet.logged(
        "failed to validate nodeIP: node IP: .*203.0.113.77.* not found in the host's network interfaces"
    )
    assert not node(cluster)["status"].get("addresses")


def test_the_nodes_name_is_in_lower_case(machine, cluster):
    config = cluster.kubeconfig(f"system:node:{socket.gethostname().lower()}", "system:nodes")
    kubelet = machine.start(
        "kubelet",
        "1.36.2",
        f"--config={machine.settings()}",
        f"--kubeconfig={config}",
        f"--cert-dir={machine.pki}",
        f"--root-dir={machine.directory / 'kubelet'}",
        f"--hostname-override={socket.gethostname().upper()}",
    )
    kubelet.logged("Successfully registered node")
    cluster.read(f"/api/v1/nodes/{socket.gethostname().lower()}")
