"""What comes for a worker: knocks that it hears or that were left in its folder, and what its watch saw."""

from __future__ import annotations

import queue
from collections.abc import Callable
from pathlib import Path
from typing import Any

import kube_node_knocks
from kube_node_knocks import Knock

# The folder is looked into that often.
FOLDER_SECONDS = 1.0
# So many knocks are remembered as heard: a flood of them fills no memory.
REMEMBERED = 20_000


class Mailbox:
    """One worker's mail, for all threads of its process.

    A knock that was heard on the event bus comes into the folder as well, later, for the reactor has many
    events to go through: it is told by its minion and its time, and given once.

    Args:
        folder: where knocks are left; None where there is none.
        alive: is called as often as the worker looks into its mail, or says otherwise that it is at work.
    """

    def __init__(self, folder: Path | None = None, alive: Callable[[], None] = lambda: None) -> None:
        self._folder, self.alive = folder, alive
        self._queue: queue.Queue = queue.Queue()
        self._heard: dict[tuple[str | None, str | None], None] = {}

    def put(self, item: Any) -> None:
        """Put something in."""
        self._queue.put(item)

    def take(self, seconds: float = 0) -> list[Any]:
        """Return what is there; where there is nothing, what comes within some seconds, a second at most."""
        self.alive()
        found = self._left()
        wait = 0 if found else min(seconds, FOLDER_SECONDS)
        try:
            found.append(self._queue.get(block=wait > 0, timeout=wait))
            while True:
                found.append(self._queue.get_nowait())
        except queue.Empty:
            pass
        return [one for one in found if not isinstance(one, Knock) or self._is_new(one)]

    @property
    def is_empty(self) -> bool:
        """Whether nothing is there."""
        return self._queue.empty() and not (self._folder and kube_node_knocks.any_left(self._folder))

    def _left(self) -> list[Any]:
        return [*kube_node_knocks.take(self._folder)] if self._folder else []

    def _is_new(self, knock: Knock) -> bool:
        if knock.stamp is None:
            return True
        is_new = (knock.minion, knock.stamp) not in self._heard
        self._heard[knock.minion, knock.stamp] = None
        if len(self._heard) > REMEMBERED:
            del self._heard[next(iter(self._heard))]
        return is_new
