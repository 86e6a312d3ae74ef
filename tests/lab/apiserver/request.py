"""What a request asks for: verb, kind, name, as the real API server reads it from method and path.

Source: apiserver `pkg/endpoints/request/requestinfo.go`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from . import selectors
from .resources import Catalog, Resource

_VERBS = {
    "POST": "create",
    "GET": "get",
    "HEAD": "get",
    "PUT": "update",
    "PATCH": "patch",
    "DELETE": "delete",
}


@dataclass(frozen=True)
class User:
    """Who asks."""

    name: str
    groups: tuple[str, ...]
    uid: str = ""
    extra: dict[str, list[str]] = field(default_factory=dict)

    @property
    def node(self) -> str | None:
        """The node this user is, as `nodeidentifier` reads it: system:node:NAME in group system:nodes."""
        if self.name.startswith("system:node:") and "system:nodes" in self.groups:
            return self.name.removeprefix("system:node:")
        return None


@dataclass(frozen=True)
class Attributes:
    """What a user wants to do; all that authorisation looks at."""

    user: User
    verb: str
    path: str = ""
    group: str = ""
    version: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    fields: Mapping[str, str] = field(default_factory=dict)

    @property
    def of_resource(self) -> bool:
        return bool(self.resource)


def attributes(
    user: User, method: str, path: str, query: Mapping[str, str], catalog: Catalog | None = None
) -> Attributes:
    """Return what a request asks for; a path outside /api and /apis is asked for by its HTTP verb."""
    parts = [part for part in path.split("/") if part]
    grouped = parts[:1] == ["apis"]
    if parts[:1] not in (["api"], ["apis"]) or len(parts) < (4 if grouped else 3):
        return Attributes(user, method.lower(), path)
    group = parts[1] if grouped else ""
    version, *rest = parts[2 if grouped else 1 :]
    verb = _VERBS.get(method, "")
    if rest[0] == "watch" and len(rest) > 1:
        verb, rest = "watch", rest[1:]
    namespace = ""
    if rest[0] == "namespaces" and len(rest) > 1:
        namespace = rest[1]
        if len(rest) > 2 and rest[2] not in ("status", "finalize"):
            rest = rest[2:]
    plural, name, subresource = (*rest, "", "", "")[:3]
    wanted: dict[str, str] = {}
    if verb in ("get", "watch") and not name:
        verb = "watch" if verb == "watch" or is_true(query.get("watch", "")) else "list"
        wanted = _selected(catalog, group, plural, query.get("fieldSelector", ""))
        name = wanted.get("metadata.name", "")
    elif verb == "delete" and not name:
        verb = "deletecollection"
    return Attributes(user, verb, path, group, version, plural, subresource, namespace, name, wanted)


def is_true(value: str) -> bool:
    """Tell a query parameter's truth: `watch=1`, `watch=true`."""
    return value.lower() not in ("", "0", "false")


def _selected(catalog: Catalog | None, group: str, plural: str, selector: str) -> dict[str, str]:
    resource: Resource | None = catalog.find(group, plural) if catalog and selector else None
    return selectors.fields(selector, resource)[1] if resource else {}
