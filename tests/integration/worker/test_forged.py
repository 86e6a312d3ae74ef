"""Forged knocks: an early look at a minion, and nothing that an honest one would lose."""

from __future__ import annotations

import pytest
from kube_node_knocks import CLIENT, SERVING, Knock
from lab.waiting import until
from unit.ground import Ground

from integration.double import asked
from integration.worker.parts import ONE, SECONDS, WATCHED, Kubelet, attest, knock

FORGED = [Knock(ONE.minion_id, frozenset()), Knock(ONE.minion_id, frozenset({SERVING}), "zzzzzz")]


@pytest.mark.parametrize("forged", FORGED)
def test_one_that_comes_with_an_honest_one_holds_nobody_off(cluster, work, forged):
    running = work(Ground.of(ONE), knock(ONE), forged)
    name = Kubelet(cluster, ONE).join()
    until(lambda: name in {one["name"] for one in running.told}, "the decision", SECONDS)
    assert ("approve", "approved_token") in {(one["verdict"], one["rule"]) for one in running.told}


@pytest.mark.parametrize("forged", FORGED)
def test_one_that_comes_before_a_sweep_does_not_keep_it_from_looking(cluster, work, forged):
    ground = Ground.of(ONE)
    attest(ground, None, 0)
    running = work(ground, forged, Knock(None))
    Kubelet(cluster, ONE).join()
    until(lambda: running.told, "the decision", SECONDS)


def test_one_that_comes_while_a_minion_is_waited_for_ends_no_waiting(cluster, work):
    running = work(Ground.of(ONE), knock(ONE, CLIENT, SERVING))
    until(lambda: WATCHED in asked(cluster), "a watch", SECONDS)
    running.mail.put(knock(ONE, CLIENT))
    kubelet = Kubelet(cluster, ONE)
    kubelet.certificate(kubelet.join())
    kubelet.register()
    assert kubelet.certificate(kubelet.ask_serving())
