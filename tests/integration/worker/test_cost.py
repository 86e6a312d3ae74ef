"""What letting nodes in costs, in requests to the API server."""

from __future__ import annotations

from kube_node_knocks import Knock
from unit.ground import Ground

from integration.double import asked
from integration.worker.parts import (
    LISTED,
    LOOKED,
    MADE,
    ONE,
    REMOVED,
    WATCHED,
    WRITTEN,
    Kubelet,
    knock,
    minion,
    secrets,
)


def test_one_node_costs_six_requests(cluster, work):
    running = work(Ground.of(ONE), knock(ONE))
    kubelet = Kubelet(cluster, ONE)
    kubelet.certificate(kubelet.join())
    running.end()
    assert sorted(asked(cluster)) == sorted([LISTED, LOOKED, MADE, WATCHED, WRITTEN, REMOVED])


def test_thirty_nodes_cost_three_requests_each_and_a_few(cluster, work):
    owners = [minion(number) for number in range(1, 31)]
    running = work(Ground.of(*owners), *map(knock, owners))
    names = [Kubelet(cluster, one).join() for one in owners]
    assert running.end() == dict.fromkeys(names, ("approve", "approved_token"))
    assert secrets(cluster) == []
    assert len(asked(cluster)) <= 3 * 30 + 10


def test_an_idle_sweep_costs_one_request(cluster, look):
    look(Ground.of(*map(minion, range(1, 31))), Knock(None))
    assert asked(cluster) == [LISTED]
