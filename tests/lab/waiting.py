"""Waiting for a condition: looked at again and again until it holds or the time is up."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


class TimedOut(RuntimeError):
    """What was waited for did not come."""


def until(condition: Callable[[], T], what: str, seconds: float, interval: float = 0.1) -> T:
    """Returns the first true value of `condition`.

    Args:
        condition: Looked at every `interval` seconds.
        what: What is waited for, for the error.
        seconds: How long to wait.

    Raises:
        TimedOut: It stayed false for `seconds`.
    """
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise TimedOut(f"{what}: not within {seconds:g} s")
        time.sleep(interval)
    return value
