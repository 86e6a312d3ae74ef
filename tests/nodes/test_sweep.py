"""A master that reacts to no event at all: the sweep gets every node in, and nobody with another's token."""

from __future__ import annotations

import json

import pytest
from lab import host
from lab.lab import Lab

from nodes.conftest import highstate

DEAF = {
    "reactor": [],
    "schedule": {"kube_node_sweep": {"function": "kube_node.sweep", "seconds": 5, "return_job": False}},
    "loop_interval": 1,
}
BOOTSTRAP = "/etc/kubernetes/bootstrap.kubeconfig"
KUBECONFIG = "/etc/kubernetes/kubelet.kubeconfig"
PKI = "/var/lib/kubelet/pki"
READY = ("wait", "--for=condition=Ready", "node", "--all", "--timeout=60s")


@pytest.fixture(scope="module")
def deaf():
    """Return a lab whose master has no reactor, after the machines' first highstate."""
    if reason := host.unable():
        pytest.skip(reason)
    with Lab("sweep", nodes=2, master_settings=DEAF) as running:
        highstate(running)
        yield running


def test_both_machines_become_ready_nodes_by_the_sweep_alone(deaf):
    deaf.control_plane.kubectl(*READY)
    nodes = json.loads(deaf.control_plane.kubectl("get", "nodes", "--output=json"))["items"]
    assert {node["metadata"]["name"] for node in nodes} == {"worker-1", "worker-2"}


@pytest.fixture
def swapped(deaf):
    """Return the machines, each with the other's token, valid, and without certificates and minion."""
    tokens = [machine.run("cat", BOOTSTRAP).stdout for machine in deaf.machines]
    for machine, other in zip(deaf.machines, reversed(tokens), strict=True):
        machine.run("systemctl", "stop", "salt-minion", "kubelet")
        machine.run("sh", "-c", f"umask 077; cat > {BOOTSTRAP}", input=other)
        machine.run("sh", "-c", f"rm -rf {PKI} {KUBECONFIG}")
        deaf.control_plane.bootstrap_token(token_in(other))
    deaf.control_plane.kubectl("delete", "csr", "--all")
    for machine in deaf.machines:
        machine.run("systemctl", "start", "--no-block", "kubelet")
    yield deaf.machines
    for machine, own in zip(deaf.machines, tokens, strict=True):
        machine.run("sh", "-c", f"umask 077; cat > {BOOTSTRAP}", input=own)
        machine.run("systemctl", "start", "salt-minion")
        machine.run("systemctl", "restart", "--no-block", "kubelet")


def token_in(kubeconfig: str) -> str:
    """Return the token of a kubeconfig."""
    return kubeconfig.partition('token: "')[2].partition('"')[0]


def test_a_kubelet_with_another_minions_token_gets_no_certificate(deaf, swapped):
    plane = deaf.control_plane
    plane.kubectl("wait", "--for=create", "csr", "--all", "--timeout=60s")
    while len(requests := json.loads(plane.kubectl("get", "csr", "--output=json"))["items"]) < len(swapped):
        plane.kubectl("get", "csr", "--watch", "--request-timeout=1s")
    deaf.master.salt_run("kube_node.approve")
    judged = {one["name"]: one["rule"] for one in deaf.master.salt_run("kube_node.pending")}
    assert {judged[one["metadata"]["name"]] for one in requests} == {"bootstrap_token"}
    requests = json.loads(plane.kubectl("get", "csr", "--output=json"))["items"]
    assert all("conditions" not in one["status"] for one in requests)
