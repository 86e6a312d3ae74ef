"""The process of a cluster's worker: one at a time, and none that hangs keeps the next from starting."""

from __future__ import annotations

import logging
import threading
from pathlib import Path

import kube_node_knocks
import kube_node_process
import pytest
from kube_node_knocks import Knock
from kube_node_mailbox import Mailbox
from lab.waiting import until

SECONDS = 20


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "demo"


def deaf(_mail: Mailbox) -> None:
    """Hear nothing."""


def is_free(folder: Path) -> bool:
    with kube_node_knocks.lock(folder) as lock:
        return kube_node_knocks.take_lock(lock)


def start(folder: Path, work, listen=deaf) -> str:
    return kube_node_process.start(folder, work, listen)


def hang(_mail: Mailbox) -> None:
    threading.Event().wait()


def test_what_is_left_is_worked_off_and_the_process_ends(folder: Path):
    kube_node_knocks.leave(folder, Knock("m1"))
    assert start(folder, lambda mail: (folder / "done").write_text(str(mail.take()[0].minion))) == "started"
    until(lambda: is_free(folder), "the end of the process", SECONDS)
    assert (folder / "done").read_text() == "m1"


def test_there_is_one_at_a_time(folder: Path):
    kube_node_knocks.leave(folder, Knock("m1"))
    start(folder, lambda mail: until(lambda: (folder / "go").exists(), "a word", SECONDS) and mail.take())
    assert start(folder, hang) == "running"
    (folder / "go").touch()
    until(lambda: is_free(folder), "the end of the process", SECONDS)


def test_what_is_heard_is_worked_off(folder: Path):
    def work(mail: Mailbox) -> None:
        minions = until(lambda: {one.minion for one in mail.take(1)} - {"m1"}, "what is heard", SECONDS)
        (folder / "done").write_text(*minions)

    kube_node_knocks.leave(folder, Knock("m1"))
    start(folder, work, lambda mail: mail.put(Knock("m2")))
    until(lambda: is_free(folder), "the end of the process", SECONDS)
    assert (folder / "done").read_text() == "m2"


def hang_at_work(mail: Mailbox) -> None:
    mail.take()
    hang(mail)


@pytest.mark.parametrize(("work", "bound"), [(hang, "START_SECONDS"), (hang_at_work, "HUNG_SECONDS")])
def test_one_that_hangs_is_ended_and_the_next_one_tells_where(
    folder: Path, monkeypatch, caplog, work, bound: str
):
    monkeypatch.setattr(kube_node_process, bound, 0.2)
    kube_node_knocks.leave(folder, Knock("m1"))
    start(folder, work)
    until(lambda: is_free(folder), "the watchdog", SECONDS)
    monkeypatch.undo()
    with caplog.at_level(logging.ERROR, "kube_node_process"):
        assert start(folder, lambda mail: mail.take()) == "started"
    [told] = [one.message for one in caplog.records if one.name == "kube_node_process"]
    assert told.startswith("kube_node: the last worker of demo hung")
    assert "in hang" in told
    until(lambda: is_free(folder), "the end of the process", SECONDS)


def test_one_that_is_at_work_for_long_is_not_ended(folder: Path, monkeypatch):
    monkeypatch.setattr(kube_node_process, "HUNG_SECONDS", 1)

    def work(mail: Mailbox) -> None:
        for _ in range(30):
            mail.take(0.1)
        (folder / "done").touch()

    kube_node_knocks.leave(folder, Knock("m1"))
    start(folder, work)
    until(lambda: is_free(folder), "the end of the process", SECONDS)
    assert (folder / "done").exists()
