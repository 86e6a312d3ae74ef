"""Knocks: hints that anyone may forge, of which none gets lost."""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import kube_node_knocks as knocks
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kube_node_knocks import CLIENT, MINION_START, SERVING, START, UNSAID, Knock

BOTH = frozenset({CLIENT, SERVING})
NOON = datetime(2026, 11, 23, 12, tzinfo=timezone.utc)
BEACON = "salt/beacon/m1/kube_node/"
ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters())
    | st.binary(max_size=8)
    | st.sampled_from([CLIENT, SERVING, "abcdef", START]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)
KEYS = st.sampled_from(["id", "lacks", "token", "_stamp", "data"])
EVENTS = st.dictionaries(KEYS, ANYTHING | st.dictionaries(KEYS, ANYTHING))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "cluster"


def knock(tag: str = START, **data: Any) -> Knock | None:
    return knocks.from_event(tag, {"id": "m1", **data})


@pytest.mark.parametrize(
    "tag", [START, "salt/beacon/m1/kube_node/", f"{BEACON}kubelet", "salt/minion/m1/start"]
)
def test_the_reactors_three_events_are_knocks(tag: str):
    assert knocks.is_knock(tag)


@pytest.mark.parametrize(
    "tag",
    ["", "kube_node/csr/approve", f"{START}ed", "salt/minion/m1/stop", "salt/beacon/m1/load/", "salt/auth"],
)
def test_other_events_are_none(tag: str):
    assert not knocks.is_knock(tag)


def test_a_kubelet_that_started_lacks_what_its_event_says():
    assert knock(lacks=[SERVING]).lacks == {SERVING}


def test_a_kubelet_that_started_and_does_not_say_what_it_lacks_may_lack_both():
    assert knock().lacks == BOTH


def test_a_kubelet_that_lacks_nothing_may_say_so():
    assert knock(lacks=[]).lacks == frozenset()


def test_of_a_minion_that_started_it_is_not_known_what_it_lacks():
    assert knock("salt/minion/m1/start", cmd="_minion_event", lacks=[CLIENT]).lacks == {UNSAID}


@pytest.mark.parametrize("lacks", [None, 7, CLIENT, {CLIENT: 1}, [7], [CLIENT, []], [{}], (CLIENT,)])
def test_what_is_lacked_is_not_known_where_it_has_a_wrong_type(lacks: Any):
    assert knock(lacks=lacks).lacks == {UNSAID}


def test_what_nobody_can_lack_is_left_out():
    assert knock(lacks=["everything", CLIENT]).lacks == {CLIENT}


def test_an_endless_list_of_lacks_is_cut():
    assert knock(lacks=["x"] * 10**6 + [CLIENT]).lacks == frozenset()


@pytest.mark.parametrize(
    "token", [None, 7, "", "abcde", "abcdefg", "ABCDEF", "abcde\n", "abcdef.0123456789abcdef"]
)
def test_a_tokens_id_that_is_none_is_left_out(token: Any):
    assert knock(token=token).token is None


def test_a_tokens_id_is_taken():
    assert knock(token="abc123").token == "abc123"


def test_what_a_minions_own_event_carries_within_counts():
    """Salt's event.send puts a minion's data below `data`, and its authentic id beside."""
    found = knock(data={"id": "m2", "lacks": [SERVING], "token": "abc123"}, lacks=[CLIENT])
    assert found == Knock("m1", frozenset({SERVING}), "abc123")


def test_two_knocks_of_one_minion_are_told_apart_by_when_they_came():
    assert knock(_stamp="2026-11-23T12:00:00.000001").stamp == "2026-11-23T12:00:00.000001"


def test_a_long_stamp_is_cut():
    assert knock(_stamp="9" * 10**6).stamp == "9" * 64


@pytest.mark.parametrize("stamp", ["2026-11-23T11:59:59.9+00:00", "2026-11-23T12:00:00.999999", "2026-11-23"])
def test_a_knock_from_before_or_the_same_second_is_told(stamp: str):
    assert knock(_stamp=stamp).is_before(NOON)


@pytest.mark.parametrize("stamp", ["2026-11-23T12:00:01+00:00", "2026-11-24", "", "noon", None, 7])
def test_a_knock_from_later_or_of_which_it_is_not_known_is_not_told_to_be_before(stamp: Any):
    assert not knock(_stamp=stamp).is_before(NOON)


def test_no_knock_is_before_what_never_was():
    assert not knock(_stamp="2026-11-23T12:00:00").is_before(None)


@pytest.mark.parametrize("minion", [None, 7, ["m1"], b"m1"])
def test_an_event_without_a_minion_is_no_knock(minion: Any):
    assert knocks.from_event(START, {"id": minion}) is None


@settings(max_examples=500, deadline=None)
@given(tag=st.sampled_from([START, BEACON, MINION_START]) | st.text(), data=EVENTS)
def test_whatever_an_event_holds_the_knock_in_it_has_the_right_types(tag: str, data: dict):
    found = knocks.from_event(tag, data)
    assert found is None or isinstance(found.minion, str)
    assert found is None or found.lacks <= BOTH | {UNSAID}
    assert found is None or found.token is None or len(found.token) == 6
    assert found is None or found.stamp is None or len(found.stamp) <= 64


def test_a_knock_that_was_left_is_taken_as_it_was(folder: Path):
    left = Knock("m1", frozenset({CLIENT}), "abc123", "2026-11-23T12:00:00.000001")
    knocks.leave(folder, left)
    assert knocks.take(folder) == [left]


@pytest.mark.parametrize("lacks", [frozenset({UNSAID}), frozenset(), BOTH])
def test_what_a_left_knock_says_or_does_not_say_stays(folder: Path, lacks: frozenset[str]):
    knocks.leave(folder, Knock("m1", lacks))
    assert knocks.take(folder) == [Knock("m1", lacks)]


def test_a_sweep_that_was_left_is_taken(folder: Path):
    knocks.leave(folder, Knock(None))
    assert knocks.take(folder) == [Knock(None)]


def test_one_minions_knocks_are_left_as_one_that_says_all(folder: Path):
    for lacks in (BOTH, frozenset()):
        knocks.leave(folder, Knock("m1", lacks))
    assert knocks.take(folder) == [Knock("m1", BOTH)]


@pytest.mark.parametrize("forged", [frozenset(), frozenset({SERVING}), frozenset({UNSAID}), BOTH])
def test_a_forged_knock_takes_nothing_from_an_honest_one(forged: frozenset[str]):
    honest, other = Knock("m1", frozenset({CLIENT})), Knock("m1", forged)
    assert CLIENT in knocks.merged(honest, other).lacks & knocks.merged(other, honest).lacks


def test_a_forged_knock_keeps_no_sweep_from_looking_at_what_is_attested():
    assert UNSAID in knocks.merged(Knock("m1", frozenset()), Knock("m1")).lacks


def test_a_token_that_one_of_two_knocks_names_is_known():
    named = Knock("m1", BOTH, "abc123")
    assert knocks.merged(named, Knock("m1")).token == knocks.merged(Knock("m1"), named).token == "abc123"


def test_of_two_tokens_it_is_not_known_which_the_kubelet_has():
    assert knocks.merged(Knock("m1", BOTH, "abc123"), Knock("m1", BOTH, "def456")).token is None


def test_of_two_knocks_the_later_time_counts():
    times = ["2026-11-23T12:00:00.000001", "2026-11-23T12:00:01.000000"]
    one, other = (Knock("m1", BOTH, None, stamp) for stamp in times)
    assert knocks.merged(one, other).stamp == knocks.merged(other, one).stamp == times[1]


def test_a_knock_is_taken_once(folder: Path):
    knocks.leave(folder, Knock("m1"))
    knocks.take(folder)
    assert knocks.take(folder) == []


def test_a_knock_that_comes_while_they_are_taken_is_for_the_next_look(folder: Path, monkeypatch):
    knocks.leave(folder, Knock("m1", frozenset({CLIENT})))
    read = Path.read_text

    def read_and_knock(path: Path) -> str:
        if path.name.endswith(".taken"):
            knocks.leave(folder, Knock("m1", frozenset({SERVING})))
        return read(path)

    monkeypatch.setattr(Path, "read_text", read_and_knock)
    assert knocks.take(folder) == [Knock("m1", frozenset({CLIENT}))]
    monkeypatch.undo()
    assert knocks.take(folder) == [Knock("m1", frozenset({SERVING}))]


def test_a_knock_of_which_half_was_written_still_says_whose_it_is(folder: Path):
    knocks.leave(folder, Knock("m1", BOTH))
    [path] = folder.iterdir()
    path.write_text('{"id": "m')
    assert knocks.take(folder) == [Knock("m1")]


def test_whether_knocks_wait_is_told(folder: Path):
    assert not knocks.any_left(folder)
    knocks.leave(folder, Knock("m1"))
    assert knocks.any_left(folder)
    knocks.take(folder)
    assert not knocks.any_left(folder)


def test_one_that_is_being_written_does_not_wait_yet(folder: Path):
    folder.mkdir()
    (folder / "m1.knock.0a1b2c3d").touch()
    assert not knocks.any_left(folder)


def test_a_cluster_that_nobody_knocked_for_has_none(folder: Path):
    assert knocks.take(folder) == []


@pytest.mark.parametrize(
    "minion",
    ["../m1", "../../../m1", "/etc/m1", "a/b", "..", ".", ".sweep", "m1.new", "m1.lock", "", "m 1", "%2e"],
)
def test_a_minion_whatever_its_id_is_left_within_the_folder_and_found_there(folder: Path, minion: str):
    knocks.leave(folder, Knock(minion))
    assert [path for path in folder.parent.rglob("*") if path.parent != folder] == [folder]
    assert knocks.take(folder) == [Knock(minion)]


@settings(max_examples=200, deadline=None)
@given(minion=st.text(max_size=20))
def test_any_minion_that_leaves_a_knock_is_found(tmp_path_factory, minion: str):
    folder = tmp_path_factory.mktemp("knocks") / "cluster"
    knocks.leave(folder, Knock(minion))
    assert knocks.take(folder) == [Knock(minion)]


def test_many_may_leave_one_minions_knock_at_once(folder: Path):
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: knocks.leave(folder, Knock("m1")), range(400)))
    assert knocks.take(folder) == [Knock("m1")]
    assert list(folder.iterdir()) == []


def test_a_folder_is_its_owners_alone(folder: Path):
    knocks.leave(folder, Knock("m1"))
    assert folder.stat().st_mode & 0o777 == 0o700


def test_a_lock_is_taken_by_one(folder: Path):
    with knocks.lock(folder) as one, knocks.lock(folder) as other:
        assert knocks.take_lock(one)
        assert not knocks.take_lock(other)


def test_a_lock_that_was_given_back_is_free(folder: Path):
    with knocks.lock(folder) as one, knocks.lock(folder) as other:
        knocks.take_lock(one)
        knocks.release_lock(one)
        assert knocks.take_lock(other)


def test_a_lock_is_held_on_by_the_process_that_was_forked_with_it(folder: Path):
    context = multiprocessing.get_context("fork")
    done = context.Event()
    with knocks.lock(folder) as lock:
        knocks.take_lock(lock)
        child = context.Process(target=done.wait)
        child.start()
    with knocks.lock(folder) as again:
        held = not knocks.take_lock(again)
        done.set()
        child.join()
        assert held
        assert knocks.take_lock(again)


def test_a_lock_is_free_when_its_process_was_killed(folder: Path):
    context = multiprocessing.get_context("fork")
    with knocks.lock(folder) as lock:
        knocks.take_lock(lock)
        child = context.Process(target=context.Event().wait)
        child.start()
    child.kill()
    child.join()
    with knocks.lock(folder) as again:
        assert knocks.take_lock(again)


def test_two_clusters_whose_names_begin_alike_have_a_lock_each(tmp_path: Path):
    with knocks.lock(tmp_path / "production.eu") as one, knocks.lock(tmp_path / "production.us") as other:
        assert knocks.take_lock(one)
        assert knocks.take_lock(other)
