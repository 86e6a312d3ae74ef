"""What the demo says of decisions, and what it finds wrong with certificate requests."""

from __future__ import annotations

import threading

from lab.approvals import CLIENT, SERVING, Approvals, faults, told

NODES = ["worker-1", "worker-2"]


def request(name: str, signer: str, user: str, conditions=("Approved",), certificate="PEM") -> dict:
    status = {"conditions": [{"type": condition} for condition in conditions], "certificate": certificate}
    return {"metadata": {"name": name}, "spec": {"signerName": signer, "username": user}, "status": status}


def all_in() -> list[dict]:
    clients = [request(f"csr-c{n}", CLIENT, f"system:bootstrap:{n}") for n in NODES]
    return clients + [request(f"csr-s{n}", SERVING, f"system:node:{n}") for n in NODES]


def decision(node: str, signer: str, verdict: str = "approve") -> tuple[str, dict]:
    data = {
        "name": "csr-1",
        "node": node,
        "signer": signer,
        "verdict": verdict,
        "rule": "r",
        "message": "why",
    }
    return f"kube_node/csr/{verdict}", data


def test_two_certificates_a_node_are_as_they_should_be():
    assert faults(all_in(), NODES) == []


def test_a_pending_request_is_a_fault():
    extra = request("csr-x", CLIENT, "system:bootstrap:x", conditions=(), certificate=None)
    assert "csr-x of system:bootstrap:x is pending" in faults([*all_in(), extra], NODES)


def test_a_denied_request_is_a_fault():
    extra = request("csr-x", SERVING, "system:node:worker-1", conditions=("Denied",))
    assert faults([*all_in(), extra], NODES) == ["csr-x of system:node:worker-1 is Denied"]


def test_an_approved_request_without_its_certificate_is_a_fault():
    requests = all_in()
    requests[0]["status"]["certificate"] = ""
    assert faults(requests, NODES) == ["csr-cworker-1 of system:bootstrap:worker-1 is Approved"]


def test_a_missing_serving_certificate_is_a_fault():
    assert faults(all_in()[:-1], NODES) == ["worker-2 has no serving certificate"]


def test_a_stranger_with_a_serving_certificate_is_a_fault():
    extra = request("csr-x", SERVING, "system:node:stranger")
    assert faults([*all_in(), extra], NODES) == ["stranger, a stranger, asked for a serving certificate"]


def test_one_client_certificate_too_many_is_a_fault():
    extra = request("csr-x", CLIENT, "system:bootstrap:x")
    assert faults([*all_in(), extra], NODES) == ["3 client certificates for 2 nodes"]


def test_a_decision_is_told_with_its_reason():
    assert (
        told(decision("worker-1", CLIENT)[1]) == "approved: the client certificate csr-1 of worker-1 (r: why)"
    )


def test_a_decision_of_a_form_unknown_is_told_all_the_same():
    assert told({"verdict": "new"}) == "new: the None certificate None of None (None: None)"


def test_waiting_ends_when_each_node_has_both_certificates():
    decisions = Approvals(say=lambda _: None)
    events = [decision(node, signer) for node in NODES for signer in (CLIENT, SERVING)]
    threading.Thread(target=decisions.follow, args=[events]).start()
    assert decisions.wait(NODES, seconds=5) == set()


def test_waiting_tells_what_is_missing():
    decisions = Approvals(say=lambda _: None)
    decisions.follow([decision("worker-1", CLIENT), decision("worker-1", SERVING, "ignore")])
    assert decisions.wait(["worker-1"], seconds=0) == {("worker-1", SERVING)}
