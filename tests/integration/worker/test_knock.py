"""A minion that knocks: its token, and who gets none."""

from __future__ import annotations

import base64
import time
from datetime import datetime

import kube_node_tokens
import kubelet_csr_tokens
import pytest
from kube_node_knocks import CLIENT, SERVING, Knock
from kube_node_tokens import SECRETS, Token
from unit.ground import Ground, derived

from integration.double import asked
from integration.worker.parts import (
    LISTED,
    MADE,
    OLDER,
    ONE,
    TWO,
    Kubelet,
    foreign_secret,
    ground_with_older,
    knock,
    minion,
    secrets,
)


def test_a_minion_that_knocks_gets_in_by_its_own_token(cluster, work):
    running = work(Ground.of(ONE), knock(ONE))
    name = Kubelet(cluster, ONE).join()
    assert running.end() == {name: ("approve", "approved_token")}


def test_its_token_is_removed_when_the_certificate_is_there(cluster, work, register):
    running = work(Ground.of(ONE), knock(ONE))
    kubelet = Kubelet(cluster, ONE)
    kubelet.certificate(kubelet.join())
    running.end()
    assert secrets(cluster) == register.made("demo") == []


def test_the_token_of_another_window_is_removed_with_it(cluster, work):
    """Where a knock does not say which token the kubelet has, all are made valid that it may have."""
    running = work(ground_with_older(), Knock(ONE.minion_id, frozenset({CLIENT})))
    kubelet = Kubelet(cluster, ONE, OLDER)
    kubelet.certificate(kubelet.join())
    assert len([one for one in asked(cluster) if one == MADE]) == 2
    running.end()
    assert secrets(cluster) == []


def test_the_token_that_a_knock_names_is_the_only_one_that_is_made_valid(cluster, look):
    look(ground_with_older(), knock(ONE, token=OLDER.id))
    assert secrets(cluster) == [OLDER.id]


def test_a_token_that_a_knock_makes_up_is_made_valid_for_nobody(cluster, look):
    look(Ground.of(ONE), knock(ONE, token="zzzzzz"))
    assert secrets(cluster) == [derived(ONE).id]


def test_a_tokens_secret_says_whose_it_is_and_ends_within_the_hour(cluster, look):
    look(Ground.of(ONE), knock(ONE))
    [secret] = cluster.read(SECRETS)["items"]
    data = {key: base64.b64decode(value).decode() for key, value in secret["data"].items()}
    assert data["auth-extra-groups"] == kube_node_tokens.group("demo", ONE.minion_id, ONE.name)
    ends = datetime.fromisoformat(data["expiration"].replace("Z", "+00:00"))
    assert 3500 < ends.timestamp() - time.time() <= 3600


@pytest.mark.parametrize("ready", [None, False])
def test_a_token_is_made_valid_where_the_node_is_absent_or_not_ready(cluster, look, ready):
    if ready is not None:
        Kubelet(cluster, ONE).register(ready)
    look(Ground.of(ONE), knock(ONE))
    assert secrets(cluster) == [derived(ONE).id]


def test_no_token_is_made_valid_where_the_node_is_at_work(cluster, look):
    Kubelet(cluster, ONE).register()
    look(Ground.of(ONE), knock(ONE))
    assert secrets(cluster) == []


def test_no_token_is_made_valid_for_who_lacks_a_serving_certificate_alone(cluster, look):
    look(Ground.of(ONE), knock(ONE, SERVING))
    assert secrets(cluster) == []


def test_no_token_is_made_valid_for_who_has_one_of_the_operators(cluster, look):
    look(Ground.of(minion(1, derives_token=False, bootstrap_token_id="aaaaaa")), knock(ONE))
    assert secrets(cluster) == []


@pytest.mark.parametrize(
    "ground", [Ground(), Ground({ONE.minion_id: None}), Ground.of(minion(1, cluster="other"))]
)
def test_a_knock_of_nobody_here_leads_to_a_look_and_nothing_more(cluster, look, ground):
    look(ground, knock(ONE))
    assert asked(cluster) == [LISTED]


def test_two_minions_that_claim_one_node_get_nothing(cluster, work):
    twins = Ground.of(ONE, minion(2, name="n1"))
    foreign_secret(cluster, derived(ONE))
    name = Kubelet(cluster, ONE).join()
    assert work(twins, knock(ONE), knock(TWO)).end() == {name: ("ignore", "node_known")}
    assert MADE not in asked(cluster)


def test_a_secret_of_somebody_elses_that_stands_in_the_way_is_replaced(cluster, work):
    foreign_secret(cluster, Token(derived(ONE).id, "fedcba9876543210"))
    running = work(Ground.of(ONE), knock(ONE))
    name = Kubelet(cluster, ONE).join()
    assert running.end() == {name: ("approve", "approved_token")}


def test_who_holds_a_token_of_the_same_id_with_another_group_gets_nothing(cluster, work):
    """Six letters may be the same for two minions: the group says whose the Secret is."""
    foreign_secret(cluster, derived(ONE))
    name = Kubelet(cluster, ONE).join()
    assert work(Ground.of(ONE), wait=0).end() == {name: ("ignore", "token_group")}


def test_a_knock_that_comes_again_makes_no_second_secret(cluster, look):
    for _ in range(2):
        look(Ground.of(ONE), knock(ONE))
    assert asked(cluster).count(MADE) == 1


def test_a_secret_that_was_lost_is_made_again_for_who_still_knocks(cluster, look, monkeypatch):
    look(Ground.of(ONE), knock(ONE))
    cluster.call("DELETE", f"{SECRETS}/bootstrap-token-{derived(ONE).id}")
    monkeypatch.setattr(kubelet_csr_tokens, "SETTLED_SECONDS", 0)
    look(Ground.of(ONE), knock(ONE))
    assert secrets(cluster) == [derived(ONE).id]
