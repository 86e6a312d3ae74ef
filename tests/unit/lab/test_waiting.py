"""Waiting for a condition."""

from __future__ import annotations

import pytest
from lab import waiting


def test_the_first_true_value_is_returned():
    values = iter([None, 0, "here"])
    assert waiting.until(lambda: next(values), "it", seconds=5, interval=0) == "here"


def test_what_did_not_come_is_named_with_the_time():
    with pytest.raises(waiting.TimedOut) as raised:
        waiting.until(lambda: False, "worker-1 booting", seconds=0, interval=0)
    assert str(raised.value) == "worker-1 booting: not within 0 s"


def test_a_condition_that_raises_is_not_asked_again():
    with pytest.raises(ZeroDivisionError):
        waiting.until(lambda: 1 / 0, "it", seconds=5)
