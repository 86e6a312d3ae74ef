"""Which function answers a request: rights first, then discovery, reviews and objects."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from . import bodies, discovery, reviews
from .authorization import Authorizer
from .reads import Reader
from .request import Attributes, is_true
from .resources import Catalog, Resource
from .status import ApiError, method_not_allowed, no_such_resource
from .store import Entry, Store
from .writes import APPLY, Write, Writer

_TEXT = "text/plain; charset=utf-8"
_HEALTH = ("/healthz", "/livez", "/readyz")


@dataclass(frozen=True)
class Incoming:
    """A request as it came."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes = b""

    @property
    def content_type(self) -> str:
        return self.headers.get("Content-Type", "").split(";")[0].strip()

    @property
    def document(self) -> Any:
        """What the body says, None without one. Raises ApiError 400 or 415."""
        return bodies.load(self.body, self.content_type) if self.body else None


@dataclass(frozen=True)
class Answer:
    """What goes back: a body, or a stream of watch events."""

    code: int = 200
    body: bytes = b""
    content_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)
    stream: AsyncIterator[bytes] | None = None


class Api:
    """The API as one user after another sees it."""

    def __init__(
        self, store: Store, catalog: Catalog, authorizer: Authorizer, version: str, minor: int
    ) -> None:
        self._store = store
        self._catalog = catalog
        self._authorizer = authorizer
        self._version = version
        self._minor = minor
        self._reader = Reader(store, minor)
        self._writer = Writer(store, catalog, authorizer, minor)

    def answer(self, wanted: Attributes, incoming: Incoming) -> Answer:
        """Return the answer. Raises ApiError for a refusal."""
        self._authorizer.require(wanted)
        if not wanted.of_resource:
            return self._path(incoming)
        if wanted.resource in discovery.REVIEWS.get(wanted.group, ()) and wanted.verb == "create":
            return encoded(reviews.answer(wanted, incoming.document, self._authorizer), 201)
        resource = self._resource(wanted)
        if resource is None:
            return not_here()
        if wanted.verb in ("get", "list", "watch"):
            return self._read(wanted, resource, incoming)
        return self._write(wanted, resource, incoming)

    def _resource(self, wanted: Attributes) -> Resource | None:
        """Return the kind asked for, None when nothing is served below that group and version."""
        resource = self._catalog.find(wanted.group, wanted.resource)
        if resource is not None and wanted.version in resource.versions:
            if not wanted.subresource or wanted.subresource in resource.subresources:
                return resource
        elif wanted.version not in self._catalog.groups().get(wanted.group, ()):
            return None
        raise no_such_resource()

    def _path(self, incoming: Incoming) -> Answer:
        path = incoming.path.rstrip("/")
        if incoming.method != "GET":
            return not_here()
        if path in _HEALTH:
            return Answer(body=b"ok", content_type=_TEXT)
        if path == "/openapi/v2":
            # An empty protobuf document: kubectl then leaves the checking to the server.
            return Answer(content_type="application/com.github.proto-openapi.spec.v2.v1.0+protobuf")
        if path == "/version":
            return encoded(discovery.version(self._version))
        found = discovery.document(path, incoming.headers.get("Accept", ""), self._catalog, self._minor)
        return encoded(found[0], content_type=found[1]) if found else not_here()

    def _read(self, wanted: Attributes, resource: Resource, incoming: Incoming) -> Answer:
        query = incoming.query
        as_table = "as=Table" in incoming.headers.get("Accept", "")
        table = query.get("includeObject", "Metadata") if as_table else None
        if wanted.verb == "get":
            return Answer(body=self._reader.get(wanted, resource, table))
        if wanted.verb == "list":
            return Answer(body=self._reader.list(wanted, resource, query, table))
        return Answer(stream=self._reader.watch(wanted, resource, query, table))

    def _write(self, wanted: Attributes, resource: Resource, incoming: Incoming) -> Answer:
        misplaced = wanted.name or resource.namespaced is not bool(wanted.namespace)
        if misplaced if wanted.verb == "create" else wanted.verb in ("update", "patch") and not wanted.name:
            raise method_not_allowed()
        write = _write(wanted, resource, incoming)
        if wanted.verb == "create":
            return self._object(write, self._writer.create(write), created=True)
        if wanted.verb in ("update", "patch"):
            change = self._writer.update if wanted.verb == "update" else self._writer.patch
            return self._object(write, *change(write))
        if wanted.verb == "deletecollection":
            return self._delete_all(write, incoming)
        entry = self._writer.delete(write)
        metadata = entry.object["metadata"]
        if self._store.find(resource, write.key) is not None:
            return self._object(write, entry, created=False)
        return encoded(_success(resource, name=wanted.name, uid=metadata["uid"]))

    def _delete_all(self, write: Write, incoming: Incoming) -> Answer:
        for key in self._reader.keys(write.wanted, write.resource, incoming.query):
            self._writer.delete(write.of(key))
        return encoded(_success(write.resource))

    def _object(self, write: Write, entry: Entry, created: bool) -> Answer:
        return Answer(201 if created else 200, entry.typed(write.resource, write.wanted.version))


def encoded(value: Any, code: int = 200, content_type: str = "application/json") -> Answer:
    """Return an answer with a JSON body."""
    return Answer(code, json.dumps(value, separators=(",", ":")).encode() + b"\n", content_type)


def refused(error: ApiError) -> Answer:
    """Return the answer that carries a Status."""
    seconds = error.body.get("details", {}).get("retryAfterSeconds")
    answer = encoded(error.body, error.code)
    return Answer(error.code, answer.body, headers={"Retry-After": str(seconds)} if seconds else {})


def not_here() -> Answer:
    """Return upstream's answer for a path that no handler serves."""
    return Answer(404, b"404 page not found\n", _TEXT)


def _write(wanted: Attributes, resource: Resource, incoming: Incoming) -> Write:
    content_type = incoming.content_type
    manager = incoming.query.get("fieldManager", "")
    if not manager and content_type != APPLY:
        manager = incoming.headers.get("User-Agent", "").split("/")[0] or "unknown"
    force, dry_run = is_true(incoming.query.get("force", "")), incoming.query.get("dryRun") == "All"
    return Write(wanted, resource, incoming.document, content_type, manager, force, dry_run)


def _success(resource: Resource, **details: str) -> dict[str, Any]:
    status = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}
    group = {"group": resource.group} if resource.group else {}
    return {**status, "details": {**details, **group, "kind": resource.plural}}
