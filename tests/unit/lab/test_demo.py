"""The demo's own judgement: what counts as a step that did not get through."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest
from lab import demo
from lab.approvals import CLIENT, SERVING
from lab.console import Console


def lab(answers: dict | None = None, requests: list | None = None) -> SimpleNamespace:
    return SimpleNamespace(
        machines=[SimpleNamespace(minion_id="worker-1")],
        master=SimpleNamespace(salt=lambda *_, **__: answers),
        control_plane=SimpleNamespace(kubectl=lambda *_: json.dumps({"items": requests})),
    )


def request(signer: str, user: str, *conditions: str) -> dict:
    status = {"conditions": [{"type": condition} for condition in conditions], "certificate": "PEM"}
    return {"metadata": {"name": "csr-1"}, "spec": {"signerName": signer, "username": user}, "status": status}


def test_a_highstate_without_a_failure_gets_through(capsys):
    demo.apply(lab({"worker-1": {"a": {"result": True, "changes": {}}}}), Console())
    assert "worker-1: highstate succeeded 1 (changed 0), failed 0" in capsys.readouterr().out


def test_a_failed_state_is_named_with_its_minion():
    failed = {"a": {"__id__": "kubelet-joined", "result": False, "changes": {}, "comment": "no certificate"}}
    with pytest.raises(RuntimeError) as raised:
        demo.apply(lab({"worker-1": failed}), Console())
    assert str(raised.value) == "\nworker-1: kubelet-joined: no certificate"


def test_a_minion_that_did_not_answer_is_named():
    with pytest.raises(RuntimeError) as raised:
        demo.apply(lab({}), Console())
    assert str(raised.value) == "\nworker-1: did not answer"


def test_two_approved_certificates_a_node_get_through():
    requests = [
        request(CLIENT, "system:bootstrap:abcdef", "Approved"),
        request(SERVING, "system:node:worker-1", "Approved"),
    ]
    assert demo.check(lab(requests=requests), ["worker-1"]) is None


def test_what_is_wrong_with_the_requests_is_told(monkeypatch):
    monkeypatch.setattr(demo, "SIGNER_SECONDS", 0)
    requests = [
        request(CLIENT, "system:bootstrap:abcdef"),
        request(SERVING, "system:node:worker-1", "Approved"),
    ]
    with pytest.raises(RuntimeError) as raised:
        demo.check(lab(requests=requests), ["worker-1"])
    assert str(raised.value) == "csr-1 of system:bootstrap:abcdef is pending"


def test_a_machine_that_is_not_able_gets_one_sentence(monkeypatch, capsys):
    monkeypatch.setattr(demo.host, "unable", lambda: "The lab's machines need root.")
    assert demo.main() == 2
    assert capsys.readouterr().err == "The lab's machines need root.\n"
