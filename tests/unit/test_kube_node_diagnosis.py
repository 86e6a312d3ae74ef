"""The screen on a node that does not get on."""

from __future__ import annotations

from typing import Any

import kube_node_diagnosis as diagnosis
import pytest

SWAP = (
    'E1127 13:07:45.202825    1402 run.go:72] "command failed" err="failed to run Kubelet: running with swap '
    'on is not supported, please disable swap or set --fail-swap-on flag to false"'
)
GOOD: dict[str, Any] = {
    "node": "worker-1",
    "unit": {"state": "active", "restarts": 0},
    "healthz": None,
    "certificates": [{"name": name, "state": "good", "usable": True} for name in ("client", "serving")],
    "requests": None,
    "object": {"status": {"conditions": [{"type": "Ready", "status": "True"}]}},
    "api": None,
    "plugin": "calico",
    "missing": [],
    "pods": [],
    "log": [],
}


def lacking(*names: str) -> list[dict[str, Any]]:
    return [one | {"usable": one["name"] not in names, "state": "x"} for one in GOOD["certificates"]]


def screen(**change: Any) -> list[str]:
    return diagnosis.screen(GOOD | change).splitlines()


def test_a_node_without_fault():
    assert screen() == [
        "kubelet       active; healthz: ok",
        "node          Ready",
        "certificates  client good, serving good",
        "log           is empty",
    ]


def test_the_likely_cause_stands_first_with_what_to_do():
    found = screen(
        log=[SWAP], unit={"state": "activating (auto-restart)", "restarts": 7}, healthz="no answer"
    )
    assert found[:3] == [
        "likely cause  swap is on, and this kubelet does not bear it",
        "what to do    write os.swap: off, or kubelet.config.failSwapOn: false",
        "kubelet       activating (auto-restart), 7 restarts; healthz: no answer",
    ]


def test_conditions_count_while_the_kubelet_reports():
    bad = {"type": "Ready", "status": "False", "message": "cni plugin not initialized"}
    node = {"status": {"conditions": [{"type": "DiskPressure", "status": "True", "reason": "Full"}, bad]}}
    found = screen(object=node)
    assert found[0].startswith("likely cause  the network has not laid down")
    assert "node          Ready False: cni plugin not initialized; DiskPressure True: Full" in found
    assert not any("likely cause" in line for line in screen(object=node, healthz="no answer"))


def test_what_the_network_lacks_is_named():
    assert "network       calico: /a, /b not there" in screen(missing=["/a", "/b"])


def test_the_networks_own_pod_says_why():
    found = screen(missing=["/a"], pods=["calico-node-x on worker-1: calico-node ErrImagePull"])
    assert "network       calico: /a not there; calico-node-x on worker-1: calico-node ErrImagePull" in found


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            {"certificates": lacking("client", "serving")},
            "of the client and the serving certificate: not to be seen from here; on the master, ",
        ),
        (
            {"certificates": lacking("serving"), "requests": []},
            "the kubelet has asked for no serving certificate; on the master, ",
        ),
        (
            {"certificates": lacking("serving"), "requests": [{"metadata": {"name": "csr-a"}}]},
            "csr-a pending; on the master, 'salt-run kube_node.explain worker-1' says why",
        ),
    ],
)
def test_requests_are_told_as_far_as_they_are_seen(change: dict, said: str):
    assert any(line.startswith(f"request       {said}") for line in screen(**change))


@pytest.mark.parametrize(
    ("status", "said"),
    [
        ({}, "pending"),
        ({"conditions": [{"type": "Approved"}]}, "approved, the signer has not signed it"),
        ({"conditions": [{"type": "Approved"}], "certificate": "LS0t"}, "issued"),
        ({"conditions": [{"type": "Denied", "message": "not yours"}]}, "denied: not yours"),
        ({"conditions": [{"type": "Approved"}, {"type": "Failed", "reason": "Bad"}]}, "failed: Bad"),
    ],
)
def test_what_became_of_a_request(status: dict, said: str):
    assert diagnosis.outcome({"status": status}) == said


def test_it_is_one_screen_though_everything_is_wrong():
    lines = [f"E1127 13:07:45.2    1402 a.go:7] {letter} {SWAP}" for letter in "abcdefghijklmnop"]
    lines += [f"I1127 13:07:45.2    1402 a.go:7] {'x' * 500}" for _ in range(20)]
    found = screen(log=lines, certificates=lacking("client", "serving"), missing=["/a"], api="x" * 200)
    assert len(found) <= 45
    assert max(map(len, found)) <= diagnosis.WIDTH
