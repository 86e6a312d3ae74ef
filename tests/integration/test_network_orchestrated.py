"""The cluster's network through Salt: by the orchestration, from the pillars of two minions."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from unit import manifests

from integration.conftest import CLUSTER

DAEMON_SET = "apps/v1 DaemonSet kube-system/kube-flannel-ds"


@pytest.fixture
def orchestrate(runner, master, control_plane, minions, quiet, change_pillar):
    """Return a function that runs the orchestration, as the network's user; the pillars say flannel."""
    for minion in minions:
        change_pillar(minion, lambda tree: tree.update(network={"plugin": "flannel"}))
    folder = Path(master.config_dir) / "kube_node" / "network"
    folder.mkdir(exist_ok=True)
    granted = runner.run("kube_node.grant_network", CLUSTER, str(control_plane.admin_kubeconfig))
    assert granted.returncode == 0, granted

    def run(**options):
        pillar = {"cluster": CLUSTER, "wait_seconds": 0}
        done = runner.run(
            "state.orchestrate", "kube_node.orchestrate.network", pillar=json.dumps(pillar), **options
        )
        [states] = done.data["data"].values()
        return next(iter(states.values()))

    yield run
    for minion in minions:
        change_pillar(
            minion, lambda tree: tree.update(network={"plugin": "none", "pod_subnet": "172.20.1.0/24"})
        )
    assert run()["result"] is True


def test_the_orchestration_foretells_makes_and_finds_it_made(orchestrate):
    foretold, made, again = orchestrate(test=True), orchestrate(), orchestrate()
    assert (foretold["result"], made["result"], again["result"]) == (None, True, True), made
    assert set(foretold["changes"]) == set(made["changes"])
    assert DAEMON_SET in made["changes"]
    assert again["changes"] == {}


def test_without_its_kubeconfig_the_orchestration_says_how_to_get_one(orchestrate, master):
    path = Path(master.config_dir) / "kube_node" / "network" / f"{CLUSTER}.kubeconfig"
    content = path.read_text()
    path.unlink()
    try:
        told = orchestrate()
    finally:
        path.write_text(content)
    assert told["result"] is False
    assert f"salt-run kube_node.grant_network {CLUSTER}" in told["comment"]


def test_calicos_manifest_comes_from_where_the_pillar_says(orchestrate, minions, change_pillar, tmp_path):
    source = tmp_path / "calico.yaml"
    source.write_text(manifests.CALICO)

    def run(sha256: str) -> dict:
        network = {
            "plugin": "calico",
            "calico": {"manifest": {"source": f"file://{source}", "sha256": sha256}},
        }
        for minion in minions:
            change_pillar(minion, lambda tree: tree.update(network=network))
        return orchestrate()

    wrong = run("0" * 64)
    assert (wrong["result"], wrong["changes"]) == (False, {})
    assert f"network.calico.manifest.sha256: {'0' * 64} is not the digest of file://" in wrong["comment"]
    made = run(hashlib.sha256(source.read_bytes()).hexdigest())
    assert (made["result"], orchestrate()["changes"]) == (True, {}), made
    assert "apps/v1 DaemonSet kube-system/calico-node" in made["changes"]


@pytest.mark.parametrize("action", ["drop", "drop-after"])
def test_a_run_that_the_api_server_left_is_ended_by_the_next(orchestrate, control_plane, action: str):
    if control_plane.flavour == "real":
        pytest.skip("the real API server is not told to fail")
    fault = {"action": action, "verb": "patch", "path": "/daemonsets/"}
    control_plane.kubectl("create", "--raw=/lab/faults", "--filename=-", input=json.dumps(fault))
    try:
        left = orchestrate()
    finally:
        control_plane.kubectl("delete", "--raw=/lab/faults")
    assert (left["result"], left["changes"]) == (False, {})
    assert f"cluster {CLUSTER}: " in left["comment"]
    ended, again = orchestrate(), orchestrate()
    assert (ended["result"], again["result"], again["changes"]) == (True, True, {})
    assert control_plane.kubectl("get", "ds/kube-flannel-ds", "--namespace=kube-system", "--output=name")


def test_minions_whose_pillars_are_of_different_networks_stop_it(orchestrate, change_pillar, control_plane):
    change_pillar("worker-2", lambda tree: tree["network"].update(mtu=1400))
    for options in ({"test": True}, {}):
        told = orchestrate(**options)
        assert told["result"] is False
        assert "by worker-1 the network is another than by network.mtu of worker-2" in told["comment"]
    assert "kube-flannel" not in control_plane.kubectl("get", "ds,cm", "--namespace=kube-system")


def test_nodes_without_a_part_of_the_pods_network_stop_it(orchestrate, control_plane):
    control_plane.apply(json.dumps({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "worker-9"}}))
    try:
        told = orchestrate()
    finally:
        control_plane.kubectl("delete", "node", "worker-9")
    assert told["result"] is False
    assert (
        "node worker-9 has no podCIDR: give kube-controller-manager --allocate-node-cidrs=true"
        in told["comment"]
    )
