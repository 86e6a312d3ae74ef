"""A sweep: looks at all minions, and removes the tokens that were left behind."""

from __future__ import annotations

import pytest
from kube_node_knocks import Knock
from kube_node_register import Made
from unit.ground import Ground, derived

from integration.worker.parts import ONE, TWO, Kubelet, attest, knock, left, secrets


def test_a_sweep_approves_what_nobody_knocked_for(cluster, kubelet, look):
    name = kubelet.renew()
    assert look(Ground.of(ONE), Knock(None)) == {name: ("approve", "approved_renewal")}


def test_a_sweep_makes_a_token_valid_for_a_minion_that_attests_no_certificate(cluster, look):
    ground = Ground.of(ONE, TWO)
    attest(ground, None, -60)
    look(ground, Knock(None))
    assert secrets(cluster) == [derived(ONE).id]


def test_a_sweep_makes_no_token_valid_for_a_minion_that_attests_a_certificate(cluster, look):
    ground = Ground.of(ONE)
    attest(ground, "a" * 64, -60)
    look(ground, Knock(None))
    assert secrets(cluster) == []


def test_a_sweep_compiles_no_pillar_of_a_minion_that_attests_a_certificate(look):
    ground = Ground.of(ONE, TWO)
    attest(ground, "a" * 64, -60)
    ground.cold = {ONE.minion_id, TWO.minion_id}
    look(ground, Knock(None))
    assert ground.compiled == [{TWO.minion_id}]


def test_a_minion_whose_knock_was_lost_gets_in_by_a_sweep(cluster, work):
    ground = Ground.of(ONE)
    attest(ground, None, -60)
    running = work(ground, Knock(None))
    name = Kubelet(cluster, ONE).join()
    assert running.end() == {name: ("approve", "approved_token")}


def test_a_knock_is_believed_more_than_a_sweep_that_comes_with_it(cluster, look):
    look(Ground.of(ONE), knock(ONE), Knock(None))
    assert secrets(cluster) == [derived(ONE).id]


def test_a_sweep_removes_a_token_that_was_left_behind_once_its_node_is_at_work(
    cluster, kubelet, look, register
):
    left(cluster, register, ONE, 600)
    look(Ground.of(ONE), Knock(None))
    assert secrets(cluster) == register.made("demo") == []


def test_a_sweep_removes_a_token_that_was_left_behind_once_it_has_expired(cluster, look, register):
    left(cluster, register, ONE, -1)
    look(Ground.of(ONE), Knock(None))
    assert secrets(cluster) == register.made("demo") == []


@pytest.mark.parametrize("ready", [None, False])
def test_a_sweep_leaves_the_token_of_a_node_that_may_still_need_it(cluster, look, register, ready):
    left(cluster, register, ONE, 600)
    if ready is not None:
        Kubelet(cluster, ONE).register(ready)
    look(Ground.of(ONE), Knock(None))
    assert secrets(cluster) == [derived(ONE).id]


def test_a_token_that_another_removed_is_forgotten(cluster, look, register):
    register.put_made([Made(derived(ONE).id, "demo", ONE.minion_id, ONE.name, 0.0)])
    look(Ground.of(ONE), Knock(None))
    assert register.made("demo") == []


def test_a_look_that_is_no_sweep_removes_nothing(cluster, look, register):
    left(cluster, register, ONE, -1)
    look(Ground.of(TWO), knock(TWO))
    assert secrets(cluster) == [derived(ONE).id, derived(TWO).id]
