"""Knocks that another minion forges, in each way that Salt leaves open: an early look, and nothing more."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from kube_node_knocks import START
from lab.waiting import until

from integration.kubelets import TOKENS, Kubelet, conditions

FORGED_ID = {"id": "worker-1"}
INJECTED = "x\nforged:\n  cmd.run:\n    - name: touch PATH\n"
BEACON = "salt/beacon/worker-1/kube_node/knock"


def events(tag: str, data: Any, **more: Any) -> dict[str, Any]:
    """Return what lets the master fire an event that is the minion's as a whole, its id too."""
    return {"events": [{"tag": tag, "data": data}], **more}


FORGED = {
    "a kubelet's start": events(START, FORGED_ID),
    "a beacon": events(BEACON, FORGED_ID | {"lacks": ["client"], "token": "bbbbbb"}),
    "a minion's start": events("salt/minion/worker-1/start", FORGED_ID),
    "a prefix": events("start", FORGED_ID, pretag="kube_node/kubelet"),
    "the id of its load": FORGED_ID,
    "a state in a value": events(START, FORGED_ID | {"data": {"token": INJECTED, "lacks": [INJECTED]}}),
    "a later time": events(START, FORGED_ID | {"_stamp": "2999-01-01T00:00:00"}),
}
NOBODYS = {
    "a list": events(START, {"id": ["worker-1"]}),
    "a path": events(START, {"id": "../../etc/passwd"}),
    "a state": events(START, {"id": INJECTED}),
    "none": events(START, {}),
}


@pytest.fixture
def forge(on_minion, tmp_path) -> Callable[[dict[str, Any]], None]:
    """Return a function that lets worker-2 forge an event; what it injects must not have been run."""
    path = tmp_path / "was-run"

    def send(load: dict[str, Any]) -> None:
        load = json.loads(json.dumps(load).replace("PATH", str(path)))
        assert on_minion("worker-2", "event.send", START, preload=load) is True

    yield send
    assert not path.exists()


@pytest.fixture
def honest(control_plane, quiet, minions, tmp_path) -> Kubelet:
    """Return the kubelet of worker-1."""
    return Kubelet(control_plane, "worker-1", tmp_path)


@pytest.fixture
def stranger(control_plane, quiet, minions, tmp_path) -> Kubelet:
    """Return a kubelet that would be worker-1, with the token of worker-2."""
    return Kubelet(control_plane, "worker-1", tmp_path, TOKENS["worker-2"])


@pytest.mark.parametrize("load", FORGED.values(), ids=FORGED)
def test_a_forged_knock_leads_to_an_early_look_and_nothing_more(
    honest, stranger, forge, secrets, control_plane, load
):
    theirs, ours, before = stranger.ask_client(), honest.ask_client(), secrets()
    forge(load)
    until(lambda: "Approved" in conditions(control_plane, ours), "an early look", seconds=20)
    assert "Approved" not in conditions(control_plane, theirs)
    assert secrets() == before


def test_forged_knocks_of_nobody_lead_to_nothing_and_keep_nobody_out(
    honest, stranger, forge, secrets, control_plane, knock
):
    theirs, ours, before = stranger.ask_client(), honest.ask_client(), secrets()
    for load in NOBODYS.values():
        forge(load)
    knock("worker-1")
    until(lambda: "Approved" in conditions(control_plane, ours), "a look", seconds=20)
    assert "Approved" not in conditions(control_plane, theirs)
    assert secrets() == before
