"""What a minion attests of its kubelet, against what a request was made with."""

from __future__ import annotations

import pytest
from lab.waiting import until
from unit.ground import Ground

from integration.double import conditions
from integration.worker.parts import ONE, SECONDS, Kubelet, attest


def test_a_renewal_by_the_attested_certificate_is_approved(kubelet, look):
    ground = Ground.of(ONE)
    attest(ground, kubelet.certificate_sha256, -3600)
    name = kubelet.renew()
    assert look(ground) == {name: ("approve", "approved_renewal")}


def test_a_renewal_by_another_certificate_than_the_attested_is_denied(kubelet, look):
    ground = Ground.of(ONE)
    attest(ground, "a" * 64, +5)
    name = kubelet.renew()
    assert look(ground) == {name: ("deny", "credential")}


@pytest.mark.parametrize("ask", [Kubelet.renew, Kubelet.ask_serving])
@pytest.mark.parametrize("honest", [True, False])
def test_what_was_attested_before_the_request_is_attested_anew_first(cluster, kubelet, work, ask, honest):
    ground = Ground.of(ONE)
    attest(ground, "a" * 64, -3600)
    name = ask(kubelet)
    running = work(ground)
    until(lambda: running.told, "a verdict", SECONDS)
    assert (running.told[0]["verdict"], running.told[0]["rule"]) == ("ignore", "credential")
    assert conditions(cluster, name) == []
    assert ground.asked == [ONE.minion_id]
    attest(ground, kubelet.certificate_sha256 if honest else "a" * 64, +5)
    until(lambda: conditions(cluster, name), "a decision", SECONDS)
    assert conditions(cluster, name) == ["Approved" if honest else "Denied"]


def test_a_minion_that_does_not_attest_anew_leaves_its_request_pending(cluster, kubelet, work):
    ground = Ground.of(ONE)
    attest(ground, "a" * 64, -3600)
    name = kubelet.renew()
    assert work(ground, wait=2).end() == {name: ("ignore", "credential")}
    assert conditions(cluster, name) == []
