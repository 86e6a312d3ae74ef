"""Get, list in pages, and watch.

Sources: apiserver `pkg/endpoints/handlers/{get,watch}.go`, `pkg/storage/continue.go`,
`pkg/storage/cacher/watch_cache.go`.
"""

from __future__ import annotations

import asyncio
import base64
import json
import random
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from typing import Any

from . import selectors, tables
from .request import Attributes, is_true
from .resources import Resource
from .status import ApiError, FieldError, bad_request, invalid, prohibited
from .store import Entry, Key, Selects, Store, selection

_WATCH_LIST_SINCE = 34  # WatchList, beta and on
_BOOKMARK_EVERY = 60.0
_INITIAL_EVENTS_END = "k8s.io/initial-events-end"


class Reader:
    """Reads the store for one request after another."""

    def __init__(self, store: Store, minor: int) -> None:
        self._store = store
        self._minor = minor

    def get(self, wanted: Attributes, resource: Resource, table: str | None) -> bytes:
        """Return one object, or its table when the client asked for one. Raises ApiError 404."""
        entry = self._store.get(resource, (wanted.namespace if resource.namespaced else "", wanted.name))
        if table is not None:
            return _dump(_one_row(resource, entry, table))
        return entry.typed(resource, wanted.version)

    def list(
        self, wanted: Attributes, resource: Resource, query: Mapping[str, str], table: str | None
    ) -> bytes:
        """Return a list, or a page of one. Raises ApiError 410 for a page of a list forgotten since."""
        _check_list(query)
        version, start = self._store.version, None
        if query.get("continue"):
            version, start = _read_continue(query["continue"])
        elif query.get("resourceVersionMatch") == "Exact":
            version = _number(query["resourceVersion"])
        self._check_future(_number(query.get("resourceVersion", "")))
        selects = _selects(wanted, resource, query)
        entries = self._store.entries(resource, wanted.namespace, version)
        found = sorted(key for key, entry in entries.items() if selects(key, entry))
        if start is not None:
            found = [key for key in found if key > start]
        # A list of resourceVersion 0 comes from the watch cache, which knows no pages.
        limit = 0 if query.get("resourceVersion") == "0" else _number(query.get("limit", ""))
        page = found[:limit] if limit else found
        metadata: dict[str, Any] = {"resourceVersion": str(version)}
        if len(page) < len(found):
            metadata["continue"] = _continue(version, page[-1])
            if not (query.get("labelSelector") or query.get("fieldSelector")):
                metadata["remainingItemCount"] = len(found) - len(page)
        if table is not None:
            return _dump(tables.table(resource, [entries[key] for key in page], table, metadata))
        return _list(resource, wanted.version, metadata, [entries[key] for key in page])

    def keys(self, wanted: Attributes, resource: Resource, query: Mapping[str, str]) -> list[Key]:
        """Return the keys of the objects that a request for a collection selects."""
        selects = _selects(wanted, resource, query)
        return [key for key, entry in self._store.entries(resource).items() if selects(key, entry)]

    def watch(
        self, wanted: Attributes, resource: Resource, query: Mapping[str, str], table: str | None
    ) -> AsyncIterator[bytes]:
        """Return an iterator of JSON events, ended by the client's timeout. Raises ApiError 400 or 422."""
        _check_watch(query, self._minor)
        _number(query.get("resourceVersion", ""))
        timeout = _number(query.get("timeoutSeconds", "")) or 1800 * (1 + random.random())
        selects = _selects(wanted, resource, query)
        encode = _encoder(resource, wanted.version, table)
        return self._events(wanted, resource, query, selects, encode, timeout)

    async def _events(
        self,
        wanted: Attributes,
        resource: Resource,
        query: Mapping[str, str],
        selects: Selects,
        encode: Callable[[str, Entry], bytes],
        timeout: float,
    ) -> AsyncIterator[bytes]:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout
        bookmarks = is_true(query.get("allowWatchBookmarks", ""))
        queue = self._store.subscribe(resource, wanted.name or None)
        try:
            try:
                first = self._first_events(wanted, resource, query, selects)
            except ApiError as gone:
                yield _dump({"type": "ERROR", "object": gone.body}) + b"\n"
                return
            for kind, entry in first:
                yield encode(kind, entry)
            if is_true(query.get("sendInitialEvents", "")):
                yield self._bookmark(resource, wanted.version, {_INITIAL_EVENTS_END: "true"})
            while (left := deadline - loop.time()) > 0:
                try:
                    event = await asyncio.wait_for(queue.get(), min(left, _BOOKMARK_EVERY))
                except asyncio.TimeoutError:
                    if bookmarks and loop.time() < deadline:
                        yield self._bookmark(resource, wanted.version, {})
                    continue
                kind = event.seen_by(selects)
                if kind is not None:
                    yield encode(kind, event.entry)
        finally:
            self._store.unsubscribe(resource, queue, wanted.name or None)

    def _first_events(
        self, wanted: Attributes, resource: Resource, query: Mapping[str, str], selects: Selects
    ) -> Iterable[tuple[str, Entry]]:
        version = _number(query.get("resourceVersion", ""))
        if version and not is_true(query.get("sendInitialEvents", "")):
            events = ((event.seen_by(selects), event.entry) for event in self._store.since(resource, version))
            return [(kind, entry) for kind, entry in events if kind is not None]
        if query.get("sendInitialEvents") == "false":
            return []
        entries = self._store.entries(resource, wanted.namespace)
        return [("ADDED", entry) for key, entry in sorted(entries.items()) if selects(key, entry)]

    def _bookmark(self, resource: Resource, version: str, annotations: dict[str, str]) -> bytes:
        metadata: dict[str, Any] = {"resourceVersion": str(self._store.version)}
        if annotations:
            metadata["annotations"] = annotations
        found = {"kind": resource.kind, "apiVersion": resource.api_version(version), "metadata": metadata}
        return _dump({"type": "BOOKMARK", "object": found}) + b"\n"

    def _check_future(self, version: int) -> None:
        if version <= self._store.version:
            return
        message = f"Timeout: Too large resource version: {version}, current: {self._store.version}"
        cause = {"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}
        raise ApiError(504, "Timeout", message, causes=[cause], retryAfterSeconds=1)


def _selects(wanted: Attributes, resource: Resource, query: Mapping[str, str]) -> Selects:
    by_field, _ = selectors.fields(query.get("fieldSelector", ""), resource)
    if wanted.name and by_field is None:
        by_field, _ = selectors.fields(f"metadata.name={wanted.name}", resource)
    return selection(wanted.namespace, by_field, selectors.labels(query.get("labelSelector", "")))


def _encoder(resource: Resource, version: str, table: str | None) -> Callable[[str, Entry], bytes]:
    headers = True

    def encode(kind: str, entry: Entry) -> bytes:
        nonlocal headers
        if table is None:
            return b'{"type":"%s","object":%s}\n' % (kind.encode(), entry.typed(resource, version))
        shown = _one_row(resource, entry, table)
        if not headers:
            shown["columnDefinitions"] = None
        headers = False
        return _dump({"type": kind, "object": shown}) + b"\n"

    return encode


def _one_row(resource: Resource, entry: Entry, table: str) -> dict[str, Any]:
    metadata = {"resourceVersion": entry.object["metadata"]["resourceVersion"]}
    return tables.table(resource, [entry], table, metadata)


def _list(resource: Resource, version: str, metadata: dict[str, Any], entries: list[Entry]) -> bytes:
    # As upstream: items of built-in kinds come without kind and apiVersion, custom ones with.
    items = (entry.typed(resource, version) if resource.custom else entry.json for entry in entries)
    head = {"kind": f"{resource.kind}List", "apiVersion": resource.api_version(version), "metadata": metadata}
    return _dump(head)[:-1] + b',"items":[' + b",".join(items) + b"]}\n"


def _check_list(query: Mapping[str, str]) -> None:
    faults = []
    if query.get("resourceVersionMatch") and not query.get("resourceVersion"):
        text = "resourceVersionMatch is forbidden unless resourceVersion is provided"
        faults.append(prohibited("resourceVersionMatch", text))
    if "sendInitialEvents" in query:
        faults.append(prohibited("sendInitialEvents", "sendInitialEvents is forbidden for list"))
    if faults:
        raise invalid("meta.k8s.io", "ListOptions", "", faults)


def _check_watch(query: Mapping[str, str], minor: int) -> None:
    faults: list[FieldError] = []
    match = query.get("resourceVersionMatch")
    if "sendInitialEvents" in query:
        if match != "NotOlderThan":
            text = "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"
            faults.append(prohibited("resourceVersionMatch", text))
        if minor < _WATCH_LIST_SINCE:
            text = "sendInitialEvents is forbidden for watch unless the WatchList feature gate is enabled"
            faults.append(prohibited("sendInitialEvents", text))
    elif match:
        text = "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"
        faults.append(prohibited("resourceVersionMatch", text))
    if faults:
        raise invalid("meta.k8s.io", "ListOptions", "", faults)


def _continue(version: int, key: Key) -> str:
    token = {"v": "meta.k8s.io/v1", "rv": version, "start": "/".join(key) + "\0"}
    return base64.urlsafe_b64encode(_dump(token)).decode().rstrip("=")


def _read_continue(text: str) -> tuple[int, Key]:
    try:
        token = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        namespace, _, name = token["start"].removesuffix("\0").partition("/")
        return int(token["rv"]), (namespace, name)
    except (ValueError, KeyError, TypeError) as fault:
        raise bad_request(f"invalid continue token: continue key is not valid: {fault}") from fault


def _number(text: str) -> int:
    try:
        return int(text or 0)
    except ValueError as fault:
        raise bad_request(f'strconv.ParseInt: parsing "{text}": invalid syntax') from fault


def _dump(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
