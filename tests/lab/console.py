"""What the demo prints: one line a step, with the seconds since its start."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


class StepFailed(RuntimeError):
    """A step of the demo did not get through; the message names it."""


@dataclass
class Console:
    """Lines of several threads on one terminal."""

    started: float = field(default_factory=time.monotonic)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def seconds(self) -> float:
        """The time since the start."""
        return time.monotonic() - self.started

    def say(self, line: str) -> None:
        """Prints a line with the time it was said at."""
        with self._lock:
            print(f"{self.seconds():6.1f} s  {line}", flush=True)

    def show(self, text: str) -> None:
        """Prints text as it is, set off by blank lines."""
        with self._lock:
            print(f"\n{text.rstrip()}\n", flush=True)


@contextmanager
def step(name: str) -> Iterator[None]:
    """Names the step in whatever error comes out of it."""
    try:
        yield
    except Exception as error:
        raise StepFailed(f"the step '{name}' failed: {error}") from error
