"""What comes while the worker is at work."""

from __future__ import annotations

import time
from datetime import datetime, timedelta, timezone

import kubelet_csr_worker
import pytest
from kube_node_knocks import CLIENT, SERVING, Knock
from lab.apiserver.signer import Controllers
from lab.waiting import until
from unit.ground import Ground, derived

from integration.double import APPROVER, asked, fault
from integration.worker.parts import (
    LISTED,
    LOOKED,
    MADE,
    ONE,
    REMOVED,
    SECONDS,
    TWO,
    WATCHED,
    Kubelet,
    knock,
    minion,
    outage,
    own_secret,
    secrets,
)


def test_both_certificates_come_in_one_go(cluster, work):
    running = work(Ground.of(ONE), knock(ONE, CLIENT, SERVING))
    kubelet = Kubelet(cluster, ONE)
    kubelet.certificate(kubelet.join())
    kubelet.register()
    assert kubelet.certificate(kubelet.ask_serving())
    assert {verdict for verdict, _ in running.end().values()} == {"approve"}


def test_a_serving_request_that_is_ahead_of_the_node_is_looked_at_again(cluster, work):
    running = work(Ground.of(ONE), knock(ONE, SERVING))
    kubelet = Kubelet(cluster, ONE)
    name = kubelet.ask_serving()
    until(lambda: [one for one in running.told if one["rule"] == "node_exists"], "a look", SECONDS)
    kubelet.register()
    assert running.end() == {name: ("approve", "approved_serving")}


def test_a_late_request_is_found_by_the_watch(cluster, work):
    running = work(Ground.of(ONE), knock(ONE))
    until(lambda: WATCHED in asked(cluster), "a watch", SECONDS)
    Kubelet(cluster, ONE).join()
    running.end()
    assert asked(cluster).count(LISTED) == 1


def test_a_knock_that_comes_meanwhile_joins_the_work(cluster, work):
    running = work(Ground.of(ONE, TWO), knock(ONE))
    until(lambda: WATCHED in asked(cluster), "a watch", SECONDS)
    running.mail.put(knock(TWO))
    names = [Kubelet(cluster, owner).join() for owner in (TWO, ONE)]
    assert running.end() == dict.fromkeys(names, ("approve", "approved_token"))
    assert asked(cluster).count(LISTED) == 1


def test_a_late_knock_for_a_certificate_that_was_just_approved_is_not_waited_for(cluster, work, monkeypatch):
    monkeypatch.setattr(kubelet_csr_worker, "LINGER_SECONDS", 3)
    running = work(Ground.of(ONE), knock(ONE))
    kubelet = Kubelet(cluster, ONE)
    kubelet.certificate(kubelet.join())
    running.mail.put(knock(ONE))
    start = time.monotonic()
    running.end()
    assert time.monotonic() - start < SECONDS / 2
    assert asked(cluster).count(MADE) == 1


def stamped(seconds: float, since: datetime | None = None) -> Knock:
    """Return a knock that was fired so many seconds from a moment, from now where none is given."""
    at = (since or datetime.now(timezone.utc)) + timedelta(seconds=seconds)
    return knock(ONE)._replace(stamp=at.isoformat())


def test_a_knock_while_a_certificate_is_on_its_way_is_not_waited_for(cluster, work, monkeypatch):
    monkeypatch.setattr(Controllers, "_sign", lambda *_: None)
    monkeypatch.setattr(kubelet_csr_worker, "ISSUE_SECONDS", 5)
    running = work(Ground.of(ONE), knock(ONE))
    Kubelet(cluster, ONE).join()
    until(lambda: running.told, "an approval", SECONDS)
    second = int(time.time()) + 1
    until(lambda: int(time.time()) > second, "the second after the next", SECONDS)
    start = time.monotonic()
    running.mail.put(stamped(0))
    running.end()
    assert time.monotonic() - start < SECONDS / 2


def test_a_knock_before_its_kubelet_took_the_certificate_makes_no_token_valid_again(
    cluster, work, monkeypatch
):
    monkeypatch.setattr(kubelet_csr_worker, "LINGER_SECONDS", 3)
    running = work(Ground.of(ONE), knock(ONE))
    kubelet = Kubelet(cluster, ONE)
    kubelet.certificate(kubelet.join())
    until(lambda: REMOVED in asked(cluster), "a token that is removed", SECONDS)
    running.mail.put(stamped(+1))
    running.end()
    assert asked(cluster).count(MADE) == 1


@pytest.fixture
def crashed(cluster, work) -> datetime:
    """Let a kubelet crash that was let in, before it had taken its certificate and made its Node; return when
    it was let in, as the API server has it."""
    running = work(Ground.of(ONE), knock(ONE))
    kubelet = Kubelet(cluster, ONE)
    name = kubelet.join()
    kubelet.certificate(name)
    running.end()
    assert secrets(cluster) == []
    approval = cluster.read(f"{kubelet.path}/{name}")["status"]["conditions"][0]
    return datetime.fromisoformat(approval["lastUpdateTime"])


def test_a_knock_from_before_the_approval_that_comes_after_it_makes_no_token_valid(cluster, crashed, look):
    look(Ground.of(ONE), stamped(-60))
    assert secrets(cluster) == []


def test_a_knock_before_its_kubelet_took_the_certificate_is_late_for_the_next_worker(cluster, crashed, look):
    look(Ground.of(ONE), stamped(1.5, since=crashed))
    assert secrets(cluster) == []


def test_a_knock_from_after_the_approval_makes_a_token_valid_again(cluster, crashed, look):
    look(Ground.of(ONE), stamped(+5))
    assert secrets(cluster) == [derived(ONE).id]


def test_a_minion_that_never_asks_is_waited_for_no_longer_than_the_settings_say(cluster, work):
    start = time.monotonic()
    work(Ground.of(ONE), knock(ONE), wait=1).end()
    assert 1 <= time.monotonic() - start < 5


def test_a_request_that_is_left_alone_is_told_once_however_often_it_is_looked_at(cluster, work):
    name = Kubelet(cluster, ONE).ask_serving()
    running = work(Ground.of(ONE), knock(ONE, SERVING), wait=3)
    assert running.end() == {name: ("ignore", "node_exists")}
    assert asked(cluster).count(LOOKED) > 1
    assert len(running.told) == 1


def test_who_is_known_waits_for_no_more_than_some_whose_pillar_must_be_compiled_first(cluster, work):
    """That takes a tenth of a second each: a rack of strangers would keep a node out for minutes."""
    strangers = [minion(number) for number in range(10, 60)]
    ground = Ground.of(ONE, *strangers)
    ground.cold = {one.minion_id for one in strangers}
    fault(cluster, action="drop", path="secrets", user=APPROVER)
    outage(work, ground, *(knock(one, SERVING) for one in strangers), knock(ONE))
    assert len(ground.compiled) == 1


def test_minions_whose_pillars_must_be_compiled_are_looked_at_some_at_a_time(work):
    strangers = [minion(number) for number in range(10, 60)]
    ground = Ground.of(*strangers)
    ground.cold = {one.minion_id for one in strangers}
    work(ground, *(knock(one, SERVING) for one in strangers), wait=1).end()
    assert [len(some) for some in ground.compiled] == [16, 16, 16, 2]


def test_of_a_kubelets_requests_the_newest_alone_is_approved(cluster, work):
    """One that crashes at each start leaves a request each time."""
    own_secret(cluster, ONE)
    kubelet = Kubelet(cluster, ONE)
    old = {kubelet.join() for _ in range(10)}
    second = int(time.time())
    until(lambda: int(time.time()) > second, "the next second", SECONDS)
    newest = kubelet.join()
    running = work(Ground.of(ONE), knock(ONE))
    assert running.end() == dict.fromkeys(old, ("ignore", "newest")) | {newest: ("approve", "approved_token")}
