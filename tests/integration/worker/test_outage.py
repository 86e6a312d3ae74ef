"""What goes wrong while a worker is at work."""

from __future__ import annotations

import logging
import threading

import kube_api
import kube_node_tokens
import kubelet_csr_callers
import kubelet_csr_watch
import pytest
from kube_api import ApiError
from kube_node_knocks import Knock
from kube_node_mailbox import Mailbox
from kube_node_register import Register
from kube_node_tokens import SECRETS, Token
from kubelet_csr_api import Requests
from lab.waiting import until
from unit.ground import Ground, derived

from integration.double import APPROVER, asked, fault
from integration.worker.parts import (
    LISTED,
    ONE,
    SECONDS,
    TWO,
    WATCHED,
    Kubelet,
    knock,
    left,
    minion,
    outage,
    own_secret,
    secrets,
)


@pytest.mark.parametrize("where", ["certificatesigningrequests", "nodes", "secrets"])
def test_who_knocked_before_an_outage_is_not_forgotten(cluster, work, where):
    fault(cluster, action="drop", path=where, user=APPROVER)
    running = outage(work, Ground.of(ONE), knock(ONE))
    assert running.worker.unanswered() == [knock(ONE)]


def test_who_waited_when_the_server_went_away_is_not_forgotten(cluster, work):
    running = work(Ground.of(ONE), knock(ONE))
    until(lambda: WATCHED in asked(cluster), "a watch", SECONDS)
    cluster.call("POST", "/lab/restart", {})
    with pytest.raises(ApiError, match="broke off"):
        running.end()
    assert running.worker.unanswered() == [knock(ONE)]


def test_who_was_not_looked_at_yet_is_not_forgotten(cluster, work, monkeypatch):
    monkeypatch.setattr(kubelet_csr_callers, "COLD", 1)
    ground = Ground.of(ONE, TWO)
    ground.cold = set(ground.minions)
    fault(cluster, action="drop", path="secrets", user=APPROVER)
    running = outage(work, ground, knock(ONE), knock(TWO))
    assert {one.minion for one in running.worker.unanswered()} == {ONE.minion_id, TWO.minion_id}


def test_a_sweep_that_an_outage_ended_is_not_forgotten(cluster, work, register):
    left(cluster, register, ONE, -1)
    fault(cluster, action="drop", path="secrets", user=APPROVER)
    running = outage(work, Ground.of(ONE), Knock(None))
    assert Knock(None) in running.worker.unanswered()


def test_what_was_approved_before_an_outage_is_told(cluster, work, monkeypatch):
    kubelets = [Kubelet(cluster, owner) for owner in (ONE, TWO)]
    for one in kubelets:
        one.register()
    first, second = (one.renew() for one in kubelets)
    fault(cluster, action="drop", path=f"{second}/approval", user=APPROVER)
    running = outage(work, Ground.of(ONE, TWO), Knock(None))
    assert ("approve", first) in [(one["verdict"], one["name"]) for one in running.told]


def test_who_was_let_in_before_an_outage_is_waited_for_no_more(cluster, work):
    for owner, name in ((ONE, "csr-bcdfg"), (TWO, "csr-hjklm")):
        own_secret(cluster, owner)
        Kubelet(cluster, owner).join(name)
    fault(cluster, action="drop", path="csr-hjklm/approval", user=APPROVER)
    running = outage(work, Ground.of(ONE, TWO), knock(ONE), knock(TWO))
    assert running.worker.unanswered() == [knock(TWO)]


def test_the_next_worker_finishes_what_an_outage_left(cluster, work):
    fault(cluster, action="drop", path="secrets", user=APPROVER)
    first = outage(work, Ground.of(ONE), knock(ONE))
    cluster.call("DELETE", "/lab/faults")
    second = work(Ground.of(ONE), *first.worker.unanswered(), mail=first.mail)
    name = Kubelet(cluster, ONE).join()
    assert second.end() == {name: ("approve", "approved_token")}


def test_an_old_watch_that_ends_late_ends_no_new_worker(cluster, work):
    mail = Mailbox()
    mail.put(kubelet_csr_watch.Seen(threading.Event(), ApiError(0, "it broke off")))
    running = work(Ground.of(ONE), knock(ONE), mail=mail)
    name = Kubelet(cluster, ONE).join()
    assert running.end() == {name: ("approve", "approved_token")}


def test_a_watch_whose_version_the_server_forgot_goes_on_from_a_list(cluster, work):
    fault(cluster, action="delay", verb="watch", seconds=2, count=1)
    running = work(Ground.of(ONE), knock(ONE))
    name = Kubelet(cluster, ONE).join()
    cluster.call("POST", "/lab/compact")
    assert running.end() == {name: ("approve", "approved_token")}
    assert asked(cluster).count(LISTED) == 2


def test_a_watch_that_ran_its_time_is_followed_by_another(cluster, work, monkeypatch):
    monkeypatch.setattr(kubelet_csr_watch, "WATCH_SECONDS", 1)
    running = work(Ground.of(ONE), knock(ONE))
    until(lambda: asked(cluster).count(WATCHED) > 1, "a second watch", SECONDS)
    name = Kubelet(cluster, ONE).join()
    assert running.end() == {name: ("approve", "approved_token")}


def test_without_the_right_to_tokens_requests_are_approved_all_the_same(cluster, work, caplog):
    csrs = {"apiGroups": ["certificates.k8s.io"], "resources": ["certificatesigningrequests"]}
    approval = {"apiGroups": ["certificates.k8s.io"], "resources": ["certificatesigningrequests/approval"]}
    signers = {"apiGroups": ["certificates.k8s.io"], "resources": ["signers"], "verbs": ["approve"]}
    nodes = {"apiGroups": [""], "resources": ["nodes"], "verbs": ["get", "list"]}
    verbs = [csrs | {"verbs": ["get", "list", "watch"]}, approval | {"verbs": ["update"]}, signers, nodes]
    cluster.grant("tokenless", *verbs)
    owned = minion(2, derives_token=False, bootstrap_token_id="bbbbbb")
    cluster.make(
        SECRETS, kube_node_tokens.manifest(Token("bbbbbb", "0123456789abcdef"), "system:bootstrappers:x", 2e9)
    )
    name = Kubelet(cluster, owned, Token("bbbbbb", "0123456789abcdef")).join()
    with caplog.at_level(logging.ERROR):
        assert work(Ground.of(ONE, owned), knock(ONE), wait=1, user="tokenless").end() == {
            name: ("approve", "approved_token")
        }
    [told] = [line for line in caplog.messages if "token" in line]
    assert told.startswith(f"kube_node: minion {ONE.minion_id} of demo gets no valid bootstrap token: ")
    assert told.endswith("; see kube_node/master/files")
    assert derived(ONE).secret not in told


@pytest.mark.parametrize("code", [429, 500, 503])
def test_a_token_that_is_not_taken_for_the_moment_is_made_later(cluster, work, monkeypatch, code):
    monkeypatch.setattr(kube_api, "TRIES", 1)
    fault(cluster, action="status", code=code, verb="create", path="secrets", user=APPROVER, count=2)
    running = work(Ground.of(ONE), knock(ONE))
    name = Kubelet(cluster, ONE).join()
    assert running.end() == {name: ("approve", "approved_token")}


def test_a_token_that_is_not_taken_keeps_no_other_out(cluster, work, monkeypatch):
    monkeypatch.setattr(kube_api, "TRIES", 1)
    fault(cluster, action="status", code=500, verb="create", path="secrets", user=APPROVER, count=1)
    running = work(Ground.of(ONE, TWO), knock(ONE), knock(TWO))
    names = [Kubelet(cluster, owner).join() for owner in (ONE, TWO)]
    assert running.end() == dict.fromkeys(names, ("approve", "approved_token"))


def test_a_watch_that_ends_by_a_fault_of_our_own_is_an_outage(cluster, work, monkeypatch):
    def broken(*_: object):
        raise KeyError("metadata")

    monkeypatch.setattr(Requests, "watch", broken)
    running = outage(work, Ground.of(ONE), knock(ONE))
    assert running.worker.unanswered() == [knock(ONE)]


def test_a_token_that_a_worker_was_killed_over_is_removed_by_a_sweep(
    cluster, work, look, register, monkeypatch
):
    put, calls = Register.put_made, []

    def killed(self: Register, tokens) -> None:
        calls.append(put(self, tokens))
        if len(calls) == 2:
            raise ApiError(0, "killed")

    monkeypatch.setattr(Register, "put_made", lambda self, tokens: killed(self, [] if calls else tokens))
    outage(work, Ground.of(ONE), knock(ONE))
    monkeypatch.undo()
    assert secrets(cluster) == [derived(ONE).id]
    look(Ground.of(ONE), Knock(None))
    assert secrets(cluster) == register.made("demo") == []
