"""Objects, their versions and their history, all in memory.

One counter gives every change its resourceVersion. A stored object is never altered: a change stores a
new one, so readers need no copies, and an old list can be told again from the history.
"""

from __future__ import annotations

import asyncio
import json
import uuid
from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from .clock import now
from .resources import Resource
from .selectors import Match
from .status import already_exists, expired, not_found

Key = tuple[str, str]  # namespace ("" for cluster-wide kinds) and name


class Entry:
    """One version of one object; kept without kind and apiVersion, which are the request's to choose."""

    __slots__ = ("_json", "object", "version")

    def __init__(self, found: dict[str, Any], version: int) -> None:
        self.object = found
        self.version = version
        self._json: bytes | None = None

    @property
    def json(self) -> bytes:
        """The object as JSON, made once."""
        if self._json is None:
            self._json = json.dumps(self.object, separators=(",", ":")).encode()
        return self._json

    def typed(self, resource: Resource, version: str) -> bytes:
        """The object as JSON with its kind and apiVersion."""
        head = f'{{"kind":"{resource.kind}","apiVersion":"{resource.api_version(version)}",'
        return head.encode() + self.json[1:]


Selects = Callable[[Key, Entry], bool]


@dataclass(frozen=True)
class Event:
    """One change: what the object was and what it became (for a deletion: its last state)."""

    version: int
    type: str
    key: Key
    entry: Entry
    before: Entry | None

    def seen_by(self, selects: Selects) -> str | None:
        """The event's type for a watcher that selects some objects, None when it concerns none of them."""
        was = self.before is not None and selects(self.key, self.before)
        now = self.type != "DELETED" and selects(self.key, self.entry)
        if was and now:
            return "MODIFIED"
        return "ADDED" if now else "DELETED" if was else None


@dataclass
class _Shelf:
    """All objects of one kind, their recent events, and who watches: everything, or one name."""

    entries: dict[Key, Entry] = field(default_factory=dict)
    events: deque[Event] = field(default_factory=deque)
    forgotten: int = 0
    watchers: dict[str | None, set[asyncio.Queue[Event]]] = field(default_factory=dict)


class Store:
    """Everything the server knows.

    Args:
        history: how many events of one kind are remembered for watches and paged lists.
    """

    def __init__(self, history: int) -> None:
        self.version = 1
        self._history = history
        self._shelves: defaultdict[tuple[str, str], _Shelf] = defaultdict(_Shelf)

    def get(self, resource: Resource, key: Key) -> Entry:
        """Return the object. Raises ApiError 404."""
        entry = self.find(resource, key)
        if entry is None:
            raise not_found(resource, key[1])
        return entry

    def find(self, resource: Resource, key: Key) -> Entry | None:
        return self._shelf(resource).entries.get(key)

    def entries(self, resource: Resource, namespace: str = "", at: int | None = None) -> dict[Key, Entry]:
        """Return the objects of a kind by key, `at` a past resourceVersion when given.

        Raises ApiError 410 when the history does not reach back that far.
        """
        shelf = self._shelf(resource)
        found = shelf.entries
        if at is not None and at < self.version:
            found = self._past(shelf, at)
        if not namespace:
            return found
        return {key: entry for key, entry in found.items() if key[0] == namespace}

    def create(self, resource: Resource, key: Key, new: dict[str, Any]) -> Entry:
        """Store a new object. Raises ApiError 409 when the name is taken."""
        if key in self._shelf(resource).entries:
            raise already_exists(resource, key[1])
        return self._change(resource, "ADDED", key, new, None)

    def replace(self, resource: Resource, key: Key, new: dict[str, Any]) -> Entry:
        """Store a new version; one that equals the stored is no change and keeps its resourceVersion."""
        before = self._shelf(resource).entries[key]
        if new == before.object:
            return before
        return self._change(resource, "MODIFIED", key, new, before)

    def delete(self, resource: Resource, key: Key) -> Entry:
        before = self.get(resource, key)
        return self._change(resource, "DELETED", key, before.object, before)

    def compact(self) -> None:
        """Forget the whole history: older resourceVersions are answered with 410 from now on."""
        for shelf in self._shelves.values():
            shelf.events.clear()
            shelf.forgotten = self.version

    def since(self, resource: Resource, version: int) -> list[Event]:
        """Return the events after a resourceVersion. Raises ApiError 410 when they are forgotten."""
        shelf = self._shelf(resource)
        if version < shelf.forgotten:
            raise expired(f"too old resource version: {version} ({shelf.forgotten})")
        newer = []
        for event in reversed(shelf.events):
            if event.version <= version:
                break
            newer.append(event)
        return newer[::-1]

    def subscribe(self, resource: Resource, name: str | None = None) -> asyncio.Queue[Event]:
        """Return a queue that receives every later event of a kind, of one name only when given."""
        queue: asyncio.Queue[Event] = asyncio.Queue()
        self._shelf(resource).watchers.setdefault(name, set()).add(queue)
        return queue

    def unsubscribe(self, resource: Resource, queue: asyncio.Queue[Event], name: str | None = None) -> None:
        watchers = self._shelf(resource).watchers
        watchers[name].discard(queue)
        if not watchers[name]:
            del watchers[name]

    def _shelf(self, resource: Resource) -> _Shelf:
        return self._shelves[resource.key]

    def _past(self, shelf: _Shelf, at: int) -> dict[Key, Entry]:
        if at < shelf.forgotten:
            raise expired(
                "The provided continue parameter is too old to display a consistent list result. You must "
                "start a new list without the continue parameter."
            )
        found = dict(shelf.entries)
        for event in reversed(shelf.events):
            if event.version <= at:
                break
            if event.before is None:
                found.pop(event.key, None)
            else:
                found[event.key] = event.before
        return found

    def _change(
        self, resource: Resource, kind: str, key: Key, new: dict[str, Any], before: Entry | None
    ) -> Entry:
        self.version += 1
        metadata = {**new["metadata"], "resourceVersion": str(self.version)}
        entry = Entry(
            {"metadata": metadata, **{k: v for k, v in new.items() if k != "metadata"}}, self.version
        )
        shelf = self._shelf(resource)
        if kind == "DELETED":
            del shelf.entries[key]
        else:
            shelf.entries[key] = entry
        event = Event(self.version, kind, key, entry, before)
        if len(shelf.events) >= self._history:
            shelf.forgotten = shelf.events.popleft().version
        shelf.events.append(event)
        for queue in _watching(shelf, key[1]):
            queue.put_nowait(event)
        return entry


def _watching(shelf: _Shelf, name: str) -> Iterator[asyncio.Queue[Event]]:
    yield from shelf.watchers.get(None, ())
    yield from shelf.watchers.get(name, ())


def selection(namespace: str, *matches: Match | None) -> Selects:
    """Return the predicate for one namespace ("" for all) and any number of selectors."""
    wanted = [match for match in matches if match is not None]

    def selects(key: Key, entry: Entry) -> bool:
        return (not namespace or key[0] == namespace) and all(match(entry.object) for match in wanted)

    return selects


def stamped(metadata: dict[str, Any]) -> dict[str, Any]:
    """Return a new object's metadata with what the server gives it: uid and creationTimestamp."""
    return {**metadata, "uid": str(uuid.uuid4()), "creationTimestamp": now()}
