"""The knock and the answer: real master, minions, reactor, runner and API server; only the kubelets are
simulated."""

from __future__ import annotations

import time

import pytest

from integration.kubelets import TOKENS, Kubelet, conditions


@pytest.fixture
def kubelet(control_plane, quiet, tmp_path):
    """Return the simulated kubelet of worker-1."""
    return Kubelet(control_plane, "worker-1", tmp_path)


@pytest.fixture
def pending(runner):
    """Return a function that gives the runner's verdicts on what is pending, by request."""

    def ask() -> dict[str, dict]:
        result = runner.run("kube_node.pending")
        assert result.returncode == 0, result
        return {decision["name"]: decision for decision in result.data}

    return ask


def test_knock_gets_the_client_and_then_the_serving_certificate_approved(kubelet, knock, control_plane):
    request = kubelet.ask_client()
    knock("worker-1")
    certificate = kubelet.certificate(request)
    assert certificate
    kubelet.join(certificate)
    serving = kubelet.ask_serving("10.77.0.11")
    assert kubelet.certificate(serving)
    assert set(conditions(control_plane, serving)) == {"Approved"}


def test_request_that_comes_after_the_knock_is_waited_for(kubelet, knock):
    knock("worker-1")
    assert kubelet.certificate(kubelet.ask_client())


def test_client_request_for_another_minions_node_is_not_approved(kubelet, pending):
    request = kubelet.ask_client(name="worker-2")
    assert pending()[request]["verdict"] != "approve"


def test_client_request_for_a_masters_group_is_not_approved(kubelet, pending):
    request = kubelet.ask_client(organization="system:masters")
    assert pending()[request]["verdict"] != "approve"


def test_request_by_another_minions_token_is_not_approved(control_plane, quiet, tmp_path, pending):
    request = Kubelet(control_plane, "worker-1", tmp_path, TOKENS["worker-2"]).ask_client()
    assert pending()[request]["verdict"] != "approve"


def test_serving_request_with_an_address_that_the_pillar_lacks_is_denied(
    kubelet, knock, runner, control_plane
):
    request = kubelet.ask_client()
    knock("worker-1")
    kubelet.join(kubelet.certificate(request))
    serving = kubelet.ask_serving("10.77.0.12")
    assert runner.run("kube_node.approve").returncode == 0
    assert set(conditions(control_plane, serving)) == {"Denied"}


def test_pending_judges_and_writes_nothing(kubelet, pending, control_plane):
    request = kubelet.ask_client()
    assert pending()[request]["verdict"] == "approve"
    assert conditions(control_plane, request) == {}


def test_decision_goes_to_the_event_bus_with_its_reason(kubelet, knock, master, event_listener):
    start = time.time()  # the listener remembers other tests' decisions
    request = kubelet.ask_client()
    knock("worker-1")
    assert kubelet.certificate(request)
    found = event_listener.wait_for_events(
        [(master.id, "kube_node/csr/approve")], timeout=20, after_time=start
    )
    decision = next(event.data for event in found.matches if event.data["name"] == request)
    assert (decision["node"], decision["minion"], decision["verdict"]) == ("worker-1", "worker-1", "approve")
    assert decision["message"]


def test_stranger_that_knocks_is_left_alone(runner):
    result = runner.run("kube_node.knock", "nobody")
    assert result.data == {}
