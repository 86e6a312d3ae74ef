"""What was looked at a moment ago is believed: many ask for the same within one pass."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

# What took long to find out is believed longer, that no more than a part of the time goes into looking: Salt
# lists 10,000 keys in a second or two.
SECONDS, TIMES = 1, 4


class Lately:
    """What looks gave, by their names."""

    def __init__(self) -> None:
        self._found: dict[str, tuple[float, object]] = {}

    def seen(self, name: str, look: Callable[[], T]) -> T:
        """Return what a look gave that was made lately; makes it where there was none."""
        until, found = self._found.get(name, (float("-inf"), None))
        if time.monotonic() > until:
            began = time.monotonic()
            found = look()
            now = time.monotonic()
            self._found[name] = (now + max(SECONDS, TIMES * (now - began)), found)
        return found
