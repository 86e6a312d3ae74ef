"""What the master found out about its minions, kept for all of its processes."""

from __future__ import annotations

import multiprocessing
import os
import sqlite3
from pathlib import Path

import kube_node_register as register
import pytest
from kube_node_identity import Identity
from kube_node_register import Entry, Made, Register

ONE = Identity(
    "m1", "demo", "n1", ("10.0.0.1", "fd00::1"), ("n1", "n1.example.org"), "aaaaaa", "10.96.0.0/12"
)
DERIVED = Identity(
    "m2", "demo", "n2", (), ("n2",), None, derives_token=True, bootstrap_user="kubelet-bootstrap"
)
FOREIGN = Identity("m3", "other", "n1", (), ("n1",), None)
TOKEN = Made("aaaaaa", "demo", "m1", "n1", 1_700_000_000.25)


def entry(identity: Identity | None) -> Entry:
    return Entry(identity, 1_700_000_000.25, "a hint", "some sources")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "kube_node" / "minions.db"


@pytest.fixture
def known(path: Path) -> Register:
    found = Register(path)
    found.put({"m1": entry(ONE), "m2": entry(DERIVED), "m3": entry(FOREIGN), "m4": entry(None)})
    return found


@pytest.mark.parametrize(("minion", "identity"), [("m1", ONE), ("m2", DERIVED), ("m4", None)])
def test_what_was_put_is_found_as_it_was(known, minion, identity):
    assert known.entries([minion]) == {minion: entry(identity)}


def test_of_a_stranger_nothing_is_known(known):
    assert known.entries(["m5"]) == {}


def test_what_is_found_out_anew_takes_the_place_of_what_was(known):
    known.put({"m1": entry(None)})
    assert known.entries(["m1"]) == {"m1": entry(None)}


def test_minions_that_were_looked_at_are_named_also_where_they_are_no_nodes(known):
    assert known.current("some sources", 1_700_000_000.0) == {"m1", "m2", "m3", "m4"}


def test_who_was_looked_at_before_that_or_with_other_files_is_to_be_looked_at_again(known):
    assert known.current("some sources", 1_700_000_001.0) == set()
    assert known.current("other sources", 1_700_000_000.0) == set()


def test_a_nodes_claimants_are_those_of_its_cluster(known):
    assert known.claims("demo", ["n1"]) == {"n1": {"m1"}}


def test_all_claimants_of_a_node_are_told(known):
    known.put({"m5": entry(Identity("m5", "demo", "n1", (), ("n1",), None))})
    assert known.claims("demo", ["n1"]) == {"n1": {"m1", "m5"}}


def test_a_name_that_nobody_claims_has_no_claimants(known):
    assert known.claims("demo", ["n9"]) == {"n9": set()}


def test_who_is_another_node_now_claims_the_old_one_no_more(known):
    known.put({"m1": entry(Identity("m1", "demo", "n7", (), ("n7",), None))})
    assert known.claims("demo", ["n1", "n7"]) == {"n1": set(), "n7": {"m1"}}


@pytest.mark.parametrize("name", ["' OR 1=1 --", "\0", "x" * 10_000, "ünïcode"])
def test_a_name_in_a_request_is_nothing_but_a_name(known, name):
    assert known.claims("demo", [name]) == {name: set()}


def test_tokens_that_were_made_valid_are_remembered_by_cluster(known):
    known.put_made([TOKEN, TOKEN._replace(cluster="other")])
    assert known.made("demo") == [TOKEN]


def test_a_token_that_was_made_valid_again_is_there_once_with_its_new_end(known):
    known.put_made([TOKEN])
    known.put_made([TOKEN._replace(expires=1_800_000_000.0)])
    assert [one.expires for one in known.made("demo")] == [1_800_000_000.0]


def test_a_token_that_was_removed_is_forgotten(known):
    known.put_made([TOKEN, TOKEN._replace(token_id="bbbbbb")])
    known.drop_made([TOKEN])
    assert [one.token_id for one in known.made("demo")] == ["bbbbbb"]


def test_a_token_of_another_cluster_with_the_same_id_is_not_forgotten_with_it(known):
    known.put_made([TOKEN, TOKEN._replace(cluster="other")])
    known.drop_made([TOKEN])
    assert len(known.made("other")) == 1


def test_another_process_finds_it(known, path):
    assert Register(path).entries(["m1"]) == {"m1": entry(ONE)}


def test_the_file_is_its_owners_alone_whatever_the_umask(path):
    before = os.umask(0)
    try:
        Register(path).put_made([TOKEN])
    finally:
        os.umask(before)
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)


def test_no_secret_of_a_token_is_in_it(known, path):
    known.put_made([TOKEN])
    assert b"0123456789abcdef" not in path.read_bytes()


def test_the_file_may_be_removed_at_any_time(known, path):
    path.unlink()
    assert known.entries(["m1"]) == {}
    known.put_made([TOKEN])
    assert known.made("demo") == [TOKEN]
    assert path.stat().st_mode & 0o777 == 0o600


def test_its_folder_may_be_removed_at_any_time(known, path):
    path.unlink()
    path.parent.rmdir()
    assert known.entries(["m1"]) == {}


def test_nothing_is_kept_of_what_ended_in_a_fault(known):
    with pytest.raises(sqlite3.Error):
        known.put_made([TOKEN, TOKEN._replace(expires=object())])
    assert known.made("demo") == []


def test_processes_that_write_at_once_all_get_their_turn(path):
    context = multiprocessing.get_context("fork")
    ready = context.Barrier(6)

    def write(number: int) -> None:
        ready.wait()
        for count in range(20):
            Register(path).put_made([TOKEN._replace(token_id=f"{number}-{count}")])

    processes = [context.Process(target=write, args=(number,)) for number in range(6)]
    for one in processes:
        one.start()
    for one in processes:
        one.join()
    assert [one.exitcode for one in processes] == [0] * 6
    assert len(Register(path).made("demo")) == 120


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "pillar" / "nodes").mkdir(parents=True)
    (tmp_path / "pillar" / "top.sls").write_text("base: {}")
    (tmp_path / "pillar" / "nodes" / "n1.sls").write_text("one: 1")
    return tmp_path / "pillar"


def test_a_pillar_that_stays_has_the_same_fingerprint(folder):
    assert register.fingerprint([str(folder)]) == register.fingerprint([str(folder)])


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: (folder / "nodes" / "n1.sls").write_text("one: 12"),
        lambda folder: os.utime(folder / "nodes" / "n1.sls", ns=(1, 1)),
        lambda folder: (folder / "nodes" / "n2.sls").touch(),
        lambda folder: (folder / "nodes" / "n1.sls").unlink(),
        lambda folder: (folder / "nodes" / "n1.sls").rename(folder / "n1.sls"),
        lambda folder: (folder / os.fsdecode(b"\xff.sls")).touch(),
    ],
    ids=["larger", "touched", "another", "removed", "moved", "with an odd name"],
)
def test_a_pillar_that_was_changed_has_another_fingerprint(folder, change):
    before = register.fingerprint([str(folder)])
    change(folder)
    assert register.fingerprint([str(folder)]) != before


def test_a_file_that_is_not_there_any_more_stops_nobody(folder):
    (folder / "gone.sls").symlink_to(folder / "nowhere")
    assert register.fingerprint([str(folder)])


def test_a_folder_that_is_not_there_is_as_an_empty_one(tmp_path):
    (tmp_path / "empty").mkdir()
    assert register.fingerprint([str(tmp_path / "none")]) == register.fingerprint([str(tmp_path / "empty")])
