"""Of a kubelet's log: errors once, the last others, no secrets."""

from __future__ import annotations

import kube_node_klog as klog
import pytest


def line(level: str, said: str, at: int = 0) -> str:
    return f"{level}1127 13:07:{at:02}.202825    1402 kubelet.go:7] {said}"


def test_the_last_errors_and_the_last_others_come_in_their_order():
    lines = [line("E", "bad"), *(line("I", f"good {word}") for word in "abcdef"), line("F", "worse")]
    assert klog.telling(lines) == [lines[0], *lines[3:]]


def test_an_error_again_and_again_is_shown_as_it_was_last():
    lines = [line("E", f"try {at} failed", at) for at in range(30)]
    assert klog.telling(lines) == [lines[-1]]


def test_no_more_errors_than_a_screen_has_room_for():
    assert len(klog.telling(line("E", f"bad {chr(97 + at)}") for at in range(20))) == klog.ERRORS


@pytest.mark.parametrize("said", ["Error: unknown flag: --x", "panic: runtime error", "error: no"])
def test_what_is_said_without_klog_counts_as_an_error(said: str):
    assert klog.errors([line("I", "good"), said]) == [said]


def test_warnings_and_infos_are_no_errors():
    assert klog.errors([line("I", "x"), line("W", "failed"), "Started kubelet.service"]) == []


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("token abcdef.0123456789abcdef here", "token <a bootstrap token> here"),
        ("Authorization: Bearer eyJhbGciOi", "Authorization: <a secret> eyJhbGciOi"),
        ("-H 'bearer eyJhbGciOi'", "-H 'bearer <a secret>"),
        ("-----BEGIN EC PRIVATE KEY-----MHc", "<a private key>"),
    ],
)
def test_secrets_are_blotted_out(said: str, shown: str):
    assert klog.telling([line("E", said)])[0].endswith(f"] {shown}")


def test_a_long_line_is_cut():
    assert len(klog.telling([line("E", "x" * 1000)])[0]) == klog.WIDTH
