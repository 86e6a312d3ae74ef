"""A node is waited for until it is Ready; why it is not, is said; the fleet and its images are told."""

from __future__ import annotations

import json

import pytest
import yaml
from unit.archives import archive

from nodes.conftest import changed, highstate

CNI = "/etc/cni/net.d"


@pytest.fixture
def machine(lab):
    """Return the second machine."""
    return lab.machines[1]


def ready(lab, machine, *arguments: str) -> dict:
    """Wait for the machine's node for a few seconds; return the state."""
    answer = lab.master.salt(
        machine.minion_id,
        *("state.single", "kube_node.ready", machine.minion_id, "wait_for=ready", "timeout=5", *arguments),
    )
    [state] = answer[machine.minion_id].values()
    return state


def test_the_first_highstate_ends_with_a_ready_node(lab):
    for minion, states in lab.first_highstate.items():
        [state] = [state for state in states.values() if state["__id__"] == "node-ready"]
        assert state["comment"] == f"{minion} is Ready"


def test_a_node_without_its_network_is_told_of_in_one_screen(lab, machine):
    machine.run("sh", "-c", f"mv {CNI} {CNI}.away && systemctl restart kubelet")
    try:
        state, foretold = ready(lab, machine), ready(lab, machine, "test=True")
    finally:
        machine.run("sh", "-c", f"rm -rf {CNI} && mv {CNI}.away {CNI}")
    assert (state["result"], foretold["result"]) == (False, True)
    assert "likely cause  the network has not laid down a CNI configuration" in state["comment"]
    assert f"network       none: {CNI}/10-default.conf not there" in state["comment"]
    assert len(state["comment"].splitlines()) <= 45
    assert lab.master.salt(machine.minion_id, "kube_node.wait_until_ready", "ready", "60")[
        machine.minion_id
    ] == {"done": True, "said": f"{machine.minion_id} is Ready"}


def test_a_kubelet_that_does_not_start_is_told_of_by_its_own_words(lab, machine):
    config = "/var/lib/kubelet/config.yaml"
    machine.run("sh", "-c", f"cp {config} {config}.away && echo healthzPort: x >>{config}")
    machine.run("systemctl", "restart", "kubelet")
    try:
        screen = ready(lab, machine)["comment"]
    finally:
        machine.run("sh", "-c", f"mv {config}.away {config} && systemctl restart kubelet")
    assert "the kubelet is not healthy: http://127.0.0.1:10248/healthz does not answer" in screen
    assert "likely cause  the kubelet does not take its configuration" in screen
    lab.master.salt(machine.minion_id, "kube_node.wait_until_ready", "ready", "60")


def test_a_node_says_how_it_fares(lab, machine):
    found = lab.master.salt(machine.minion_id, "kube_node.status")[machine.minion_id]
    assert (found["node"], found["healthz"], found["api"]) == (machine.minion_id, "ok", "ok")
    assert found["version"] == {"wanted": lab.version, "running": lab.version}
    assert {unit["state"] for unit in found["units"].values()} == {"active"}
    assert found["conditions"][0]["type"] == "Ready"
    assert all(one["days_left"] > 0 for one in found["certificates"])
    assert found["network"] == {"plugin": "none", "missing": []}


def test_the_fleet_is_a_table(lab):
    lab.control_plane.apply(yaml.safe_dump({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "z"}}))
    try:
        rows = lab.master.salt_run("kube_node.status", "table=False")
    finally:
        lab.control_plane.kubectl("delete", "node", "z")
    assert [(row["node"], row["minion"], row["state"], row["note"]) for row in rows] == [
        *((machine.minion_id, machine.minion_id, "Ready", "") for machine in lab.machines),
        ("z", "", "Unknown", "it never reported; no accepted minion is this node"),
    ]


def test_images_out_of_an_archive_are_in_containerd_before_the_kubelet_asks(lab, machine, tmp_path):
    names = ["example.org/tiny:1", "tiny:2"]
    sha256 = archive(lab.master.states / "tiny.tar", *names)
    given = {"source": "salt://tiny.tar", "sha256": sha256, "images": names}
    pillar = f"pillar={json.dumps({'kube_node': {'images': {'archives': [given]}}})}"
    predicted = changed(highstate(lab, machine.minion_id, "test=True", pillar)[machine.minion_id])
    assert changed(highstate(lab, machine.minion_id, pillar)[machine.minion_id]) == predicted
    assert predicted == {"images-loaded"}
    assert changed(highstate(lab, machine.minion_id, pillar)[machine.minion_id]) == set()
    listed = machine.run("ctr", "--namespace=k8s.io", "images", "ls", "-q").stdout.split()
    assert {"example.org/tiny:1", "docker.io/library/tiny:2"} <= set(listed)
    machine.run("ctr", "--namespace=k8s.io", "images", "rm", "example.org/tiny:1")
    assert changed(highstate(lab, machine.minion_id, pillar)[machine.minion_id]) == {"images-loaded"}
