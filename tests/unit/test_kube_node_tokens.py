"""A token for each minion: another for each, made by nobody but the master, and for a while only."""

from __future__ import annotations

import multiprocessing
import os
import re
from pathlib import Path

import kube_node_tokens as tokens
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kube_node_tokens import WINDOW_SECONDS, Key, Token

DAY = WINDOW_SECONDS
# The first moment of a window, and the last of the one before.
START = 20_000 * DAY
END = START - 1
SUBJECT = ("production", "Worker-1", "worker-1")
OLD, NEW, NEWEST = b"o" * 32, b"n" * 32, b"m" * 32
NAMES = st.text(max_size=20)


def token(window: int, key: bytes = NEW) -> Token:
    return tokens.derive(key, *SUBJECT, window)


def held(now: float, *keys: Key) -> list[Token]:
    return tokens.accepted(list(keys or (Key(0, NEW),)), *SUBJECT, now)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "kube_node" / "token.keys"


@settings(deadline=None)
@given(
    key=st.binary(min_size=32, max_size=32),
    cluster=NAMES,
    minion=NAMES,
    node=NAMES,
    window=st.integers(0, 10**6),
)
def test_a_token_has_the_form_that_the_api_server_asks_for(key, cluster, minion, node, window):
    found = str(tokens.derive(key, cluster, minion, node, window))
    assert re.fullmatch(r"[a-z0-9]{6}\.[a-z0-9]{16}", found)


def test_a_token_is_the_same_each_time():
    assert token(7) == token(7)


def test_a_token_is_what_it_was_with_the_release_before():
    """Else an upgrade of the master would put all nodes out that join at that moment."""
    assert str(token(7)) == "vl1uj5.hxfolz7zz6d1yc3c"


@pytest.mark.parametrize(
    "other",
    [
        (OLD, *SUBJECT, 7),
        (NEW, "staging", *SUBJECT[1:], 7),
        (NEW, SUBJECT[0], "worker-1", SUBJECT[2], 7),
        (NEW, *SUBJECT[:2], "worker-2", 7),
        (NEW, *SUBJECT, 8),
        (NEW, "production\0Worker-1", "", "worker-1", 7),
        (NEW, "production", "Worker-1\0worker-1", "", 7),
        (NEW, "productionW", "orker-1", "worker-1", 7),
    ],
)
def test_a_token_is_another_with_any_of_what_it_is_derived_from(other: tuple):
    other = tokens.derive(*other)
    assert other.id != token(7).id
    assert other.secret != token(7).secret


def test_a_tokens_secret_is_not_shown():
    found = Token("abcdef", "0123456789abcdef")
    assert "0123456789" not in repr(found) + f"{[found]}{ {'a': found} }"


def test_a_minion_gets_the_token_of_now():
    assert tokens.current([Key(0, NEW)], *SUBJECT, START) == token(20_000)


def test_what_a_minion_gets_is_the_first_that_it_may_hold():
    keys = [Key(END, NEW), Key(0, OLD)]
    assert tokens.current(keys, *SUBJECT, START) == held(START, *keys)[0]


@pytest.mark.parametrize("now", [START, START + 1, START + DAY - 1])
def test_a_minion_may_hold_the_token_of_now_and_of_the_window_before(now: float):
    assert held(now) == [token(20_000), token(19_999)]


def test_a_token_counts_until_the_window_after_its_own_ends():
    assert token(19_999) in held(START + DAY - 1)
    assert token(19_999) not in held(START + DAY)


def test_a_token_does_not_count_before_its_window_begins():
    assert token(20_000) not in held(END)
    assert token(20_000) in held(START)


@pytest.mark.parametrize("now", [START + 5, START + DAY - 1])
def test_the_tokens_of_a_key_that_was_replaced_in_this_window_count(now: float):
    keys = Key(START + 5, NEW), Key(0, OLD)
    assert held(now, *keys) == [token(20_000), token(19_999), token(20_000, OLD), token(19_999, OLD)]


def test_of_a_key_that_was_replaced_in_the_window_before_those_count_that_were_made_with_it():
    keys = Key(START + 5, NEW), Key(0, OLD)
    assert held(START + DAY, *keys) == [token(20_001), token(20_000), token(20_000, OLD)]


@pytest.mark.parametrize("replaced", [START, START + 5, START + DAY - 1])
def test_a_key_that_was_replaced_counts_no_more_when_the_window_after_is_over(replaced: int):
    keys = Key(replaced, NEW), Key(0, OLD)
    assert token(20_000, OLD) in held(START + 2 * DAY - 1, *keys)
    assert held(START + 2 * DAY, *keys) == [token(20_002), token(20_001)]


def test_a_key_that_was_replaced_twice_counts_as_long_as_its_own_tokens_may_be_on_a_machine():
    keys = Key(START + DAY, NEWEST), Key(START, NEW), Key(0, OLD)
    found = held(START + DAY, *keys)
    assert token(20_000, OLD) in found
    assert token(20_001, OLD) not in found
    assert token(20_001, NEW) in found


@settings(deadline=None)
@given(now=st.integers(START, START + DAY - 1), replaced=st.integers(START - 3 * DAY, START + DAY - 1))
def test_the_token_that_any_minion_got_in_this_window_or_the_last_is_taken(now: int, replaced: int):
    """Whenever the key was replaced: no node falls out by that."""
    keys = [Key(min(replaced, now), NEW), Key(0, OLD)]
    for asked in range(START - DAY, now + 1, DAY // 12):
        then = keys if asked >= keys[0].since else keys[1:]
        assert tokens.current(then, *SUBJECT, asked) in tokens.accepted(keys, *SUBJECT, now)


def test_a_group_is_one_that_the_api_server_gives():
    assert re.fullmatch(r"system:bootstrappers:[a-z0-9:-]{0,255}[a-z0-9]", tokens.group(*SUBJECT))


@pytest.mark.parametrize(
    "other",
    [
        ("staging", *SUBJECT[1:]),
        (SUBJECT[0], "worker-1", SUBJECT[2]),
        (*SUBJECT[:2], "worker-2"),
        ("production\0Worker-1", "", "worker-1"),
    ],
)
def test_a_group_is_another_for_each_minion_and_node(other: tuple):
    assert tokens.group(*other) != tokens.group(*SUBJECT)


def test_a_group_tells_nothing_of_whose_it_is():
    assert "worker" not in tokens.group(*SUBJECT)


def test_a_secret_makes_a_token_valid_for_authentication_alone_and_until_then():
    body = tokens.manifest(Token("abcdef", "0123456789abcdef"), "system:bootstrappers:one", START + 0.9)
    assert (body["type"], body["metadata"]["name"]) == (
        "bootstrap.kubernetes.io/token",
        "bootstrap-token-abcdef",
    )
    assert {key: value for key, value in body["stringData"].items() if key != "description"} == {
        "token-id": "abcdef",
        "token-secret": "0123456789abcdef",
        "expiration": "2024-10-04T00:00:00Z",
        "usage-bootstrap-authentication": "true",
        "auth-extra-groups": "system:bootstrappers:one",
    }


def test_a_key_is_made_where_there_is_none(path: Path):
    [key] = tokens.read(path)
    assert len(key.key) == 32


def test_a_key_that_was_made_stays(path: Path):
    assert tokens.read(path) == tokens.read(path)


def test_the_first_key_counts_from_the_beginning(path: Path):
    assert tokens.read(path)[0].since == 0


def test_no_two_keys_are_the_same(tmp_path: Path):
    assert tokens.read(tmp_path / "a") != tokens.read(tmp_path / "b")


def test_keys_are_their_owners_alone_whatever_the_umask(path: Path):
    before = os.umask(0)
    try:
        tokens.read(path)
        made = path.stat().st_mode & 0o777
        tokens.rotate(path, START)
    finally:
        os.umask(before)
    assert (made, path.stat().st_mode & 0o777) == (0o600, 0o600)
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_nothing_but_the_keys_is_left_in_their_folder(path: Path):
    tokens.read(path)
    tokens.rotate(path, START)
    assert list(path.parent.iterdir()) == [path]


def test_two_processes_that_make_the_first_key_at_once_agree_on_it(path: Path):
    context = multiprocessing.get_context("fork")
    found, ready = context.SimpleQueue(), context.Barrier(8)

    def read() -> None:
        ready.wait()
        found.put([key.key for key in tokens.read(path)])

    processes = [context.Process(target=read) for _ in range(8)]
    for one in processes:
        one.start()
    keys = [found.get() for _ in processes]
    for one in processes:
        one.join()
    assert keys == [[tokens.read(path)[0].key]] * 8


def test_one_that_finds_no_file_but_comes_second_takes_the_firsts_key(path: Path, monkeypatch):
    fresh, first = tokens._fresh, []

    def overtaken(now: float) -> Key:
        monkeypatch.undo()
        first.extend(tokens.read(path))
        return fresh(now)

    monkeypatch.setattr(tokens, "_fresh", overtaken)
    assert tokens.read(path) == first
    assert tokens.read(path) == first


def test_a_new_key_comes_before_the_old_one(path: Path):
    [old] = tokens.read(path)
    new, kept = tokens.rotate(path, START)
    assert (new.since, kept) == (START, old)
    assert new.key != old.key
    assert tokens.read(path) == [new, old]


def test_a_key_that_no_token_on_a_machine_is_made_with_goes(path: Path):
    [first] = tokens.read(path)
    tokens.rotate(path, START)
    assert first in tokens.rotate(path, START + 2 * DAY - 1)
    assert first not in tokens.rotate(path, START + 2 * DAY)


def test_keys_that_were_replaced_within_the_hour_are_all_kept(path: Path):
    first = tokens.read(path)
    for number in range(5):
        found = tokens.rotate(path, START + number)
    assert found[-1:] == first
    assert len(found) == 6


def test_a_line_that_is_no_key_is_left_out(path: Path):
    key = tokens.read(path)
    path.write_text(f"# by hand\n{path.read_text()}\n0 {'a' * 63}\n")
    assert tokens.read(path) == key


def test_a_file_without_a_key_is_told(path: Path):
    tokens.read(path)
    path.write_text("")
    with pytest.raises(ValueError, match=f"{path} holds no key: remove it, or copy it from another master"):
        tokens.read(path)
