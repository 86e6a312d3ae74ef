"""A worker's mail: from the folder and from other threads, each knock once."""

from __future__ import annotations

import threading
from pathlib import Path

import kube_node_knocks
import kube_node_mailbox
from kube_node_knocks import Knock
from kube_node_mailbox import Mailbox

FIRED = Knock("worker-1", frozenset({"client"}), "abcdef", "2026-11-27T10:00:00.000000")


def test_what_was_put_in_comes_out_in_order():
    mail = Mailbox()
    mail.put("one")
    mail.put("two")
    assert (mail.take(), mail.take()) == (["one", "two"], [])


def test_a_knock_that_was_left_in_the_folder_is_found(tmp_path: Path):
    kube_node_knocks.leave(tmp_path, FIRED)
    mail = Mailbox(tmp_path)
    assert (mail.is_empty, mail.take(), mail.is_empty) == (False, [FIRED], True)


def test_a_knock_that_was_heard_and_is_then_found_in_the_folder_comes_once(tmp_path: Path):
    mail = Mailbox(tmp_path)
    mail.put(FIRED)
    assert mail.take() == [FIRED]
    kube_node_knocks.leave(tmp_path, FIRED)
    assert (mail.take(), mail.is_empty) == ([], True)


def test_a_minion_that_knocks_again_is_heard_again():
    mail, later = Mailbox(), FIRED._replace(stamp="2026-11-27T10:00:05.000000")
    mail.put(FIRED)
    mail.put(later)
    assert mail.take() == [FIRED, later]


def test_a_flood_of_knocks_fills_no_memory():
    mail = Mailbox()
    for number in range(kube_node_mailbox.REMEMBERED + 10):
        mail.put(FIRED._replace(stamp=str(number)))
    mail.take()
    assert len(mail._heard) == kube_node_mailbox.REMEMBERED


def test_knocks_without_a_time_are_each_heard():
    mail, typed = Mailbox(), Knock("worker-1")
    mail.put(typed)
    mail.put(typed)
    assert mail.take() == [typed, typed]


def test_what_comes_later_is_waited_for():
    mail = Mailbox()
    timer = threading.Timer(0.05, mail.put, ["late"])
    timer.start()
    assert mail.take(30) == ["late"]
    timer.join()
