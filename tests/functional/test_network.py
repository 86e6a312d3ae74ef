"""What a machine is set up for, what is left of another network, and the rules of kube-proxy's mode."""

from __future__ import annotations

from pathlib import Path

import pytest
from unit.nodes import pillar

LEFT = {
    "files": ["/etc/cni/net.d/10-calico.conflist"],
    "links": ["vxlan.calico"],
    "routes": [],
    "iptables": "",
}


@pytest.fixture
def only(states, stand_in, monkeypatch):
    """Return the state, with a machine on which calico may run, or have left something."""
    done: list[str] = []
    stand_in("kube_node_cni.runs", lambda _: False)
    stand_in("kube_node_cni.leftovers", lambda _: LEFT)
    stand_in("kube_node_cni.take_away", done.append)
    stand_in("kube_node_cni.remember", lambda network: done.append(f"now {network}"))
    stand_in("kube_node_cni.before", lambda: "calico")
    return states.kube_node_cni.only, done


def test_a_machine_is_set_up_for_a_network_once(states, stand_in, tmp_path: Path):
    known: list[str] = []
    stand_in("kube_node_cni.before", lambda: known[-1] if known else None)
    stand_in("kube_node_cni.remember", known.append)
    first, second = (states.kube_node_cni.only("flannel") for _ in range(2))
    assert (first.changes, second.changes) == ({"network": {"old": None, "new": "flannel"}}, {})


def test_what_another_network_left_is_foretold(only):
    function, done = only
    found = function("flannel", test=True)
    assert (found.result, set(found.changes)) == (None, {"files", "links", "network"})
    assert done == []


def test_what_another_network_left_is_taken_away(only):
    function, done = only
    found = function("flannel")
    assert (found.result, set(found.changes)) == (True, {"files", "links", "network"})
    assert done == ["calico", "now flannel"]


@pytest.mark.parametrize("test", [True, False])
def test_a_network_that_still_runs_is_left_alone(only, stand_in, test: bool):
    function, done = only
    stand_in("kube_node_cni.runs", lambda network: network == "calico")
    found = function("flannel", test=test)
    assert (found.result, found.changes, done) == (True, {}, [])
    assert "kube_node.orchestrate.network" in found.comment


@pytest.mark.parametrize(
    ("files", "others"),
    [([], False), (["10-default.conf"], False), (["10-calico.conflist", "10-default.conf"], True)],
)
def test_the_default_bridge_is_not_laid_beside_another_network(
    modules, node, tmp_path: Path, files, others: bool
):
    folder = tmp_path / "net.d"
    folder.mkdir()
    for name in files:
        (folder / name).touch()
    node(
        pillar(
            {
                "paths": {"cni_config": str(folder)},
                "network": {"plugin": "none", "pod_subnet": "172.20.1.0/24"},
            }
        )
    )
    assert modules.kube_node_cni.has_others() is others


@pytest.fixture
def proxy(states, stand_in, tmp_path: Path, monkeypatch):
    """Return the state of kube-proxy's mode, and what it had done."""
    done: list[str] = []
    assert "kube_node_proxy.mode" in states
    stand_in("service.stop", lambda name: done.append(f"stop {name}"))
    stand_in(
        "cmd.run_all", lambda command, **_: done.append(" ".join(command)) or {"retcode": 0, "stderr": ""}
    )
    state = states.kube_node_proxy.mode
    monkeypatch.setitem(state.func.__globals__, "MARK", tmp_path / "kube-node" / "proxy-mode")
    return lambda name, **options: (state(name, "/usr/local/bin/kube-proxy", **options), done)


def test_the_first_mode_needs_no_cleaning(proxy):
    found, done = proxy("iptables")
    assert (found.result, found.changes, done) == (True, {"mode": {"old": None, "new": "iptables"}}, [])


def test_the_rules_of_another_mode_are_removed_once(proxy):
    proxy("iptables")
    foretold, _ = proxy("nftables", test=True)
    found, done = proxy("nftables")
    assert foretold.result is None
    assert foretold.changes == found.changes == {"mode": {"old": "iptables", "new": "nftables"}}
    assert done == ["stop kube-proxy", "/usr/local/bin/kube-proxy --cleanup"]
    again, done = proxy("nftables")
    assert (again.changes, len(done)) == ({}, 2)


def test_rules_that_could_not_be_removed_are_tried_again(proxy, stand_in):
    proxy("iptables")
    stand_in("cmd.run_all", lambda *_, **__: {"retcode": 1, "stderr": "ip_vs is busy"})
    assert proxy("ipvs")[0].result is False
    assert proxy("ipvs", test=True)[0].result is None
