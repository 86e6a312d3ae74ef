"""Label and field selectors: text → predicate over objects.

Grammar: apimachinery `pkg/labels/selector.go`, `pkg/fields/selector.go`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from .resources import Resource
from .status import bad_request

Match = Callable[[dict[str, Any]], bool]

#: What each kind can be selected by, besides metadata.name and metadata.namespace.
_FIELDS = {
    "certificatesigningrequests": {"spec.signerName"},
    "events": {
        "involvedObject.kind", "involvedObject.name", "involvedObject.namespace", "involvedObject.uid",
        "reason", "type", "source",
    },
    "namespaces": {"status.phase"},
    "nodes": {"spec.unschedulable"},
    "pods": {"spec.nodeName", "spec.serviceAccountName", "status.phase", "status.podIP"},
    "secrets": {"type"},
}  # fmt: skip
_SET = re.compile(r"^\s*([^\s!=,()]+)\s+(in|notin)\s+\(([^)]*)\)\s*$")
_TERM = re.compile(r"^\s*(!?)\s*([^\s!=,()]+)\s*(?:(==|=|!=)\s*([^\s,()]*))?\s*$")


def labels(text: str) -> Match | None:
    """Return the predicate for a labelSelector, None for one that selects everything."""
    terms = [_label_term(term) for term in re.split(r",(?![^()]*\))", text) if term.strip()]
    if not terms:
        return None

    def match(found: dict[str, Any]) -> bool:
        carried = found["metadata"].get("labels") or {}
        return all(term(carried) for term in terms)

    return match


def fields(text: str, resource: Resource) -> tuple[Match | None, dict[str, str]]:
    """Return the predicate for a fieldSelector, and the fields it wants to be equal to something."""
    terms = [_field_term(term, resource) for term in text.split(",") if term.strip()]
    if not terms:
        return None, {}

    def match(found: dict[str, Any]) -> bool:
        return all((value_at(found, path) == value) is equal for path, equal, value in terms)

    return match, {path: value for path, equal, value in terms if equal}


def value_at(found: dict[str, Any], path: str) -> str:
    """Return the value at a dotted path as a field selector sees it: text, "" when absent."""
    value: Any = found
    for step in path.split("."):
        value = value.get(step) if isinstance(value, dict) else None
    if isinstance(value, bool):
        return str(value).lower()
    if value is None:
        return "false" if path == "spec.unschedulable" else ""
    return str(value)


def _label_term(text: str) -> Callable[[dict[str, str]], bool]:
    if found := _SET.match(text):
        key, operator, values = found[1], found[2], {value.strip() for value in found[3].split(",")}
        return lambda carried: (carried.get(key) in values) is (operator == "in")
    found = _TERM.match(text)
    if not found:
        raise bad_request(f"unable to parse requirement: found '{text.strip()}', expected: a label selector")
    negated, key, operator, value = found.groups()
    if operator is None:
        return lambda carried: (key in carried) is not bool(negated)
    return lambda carried: (carried.get(key) == value) is (operator != "!=")


def _field_term(text: str, resource: Resource) -> tuple[str, bool, str]:
    found = _TERM.match(text)
    if not found or found[3] is None:
        raise bad_request(f"invalid selector: '{text}'; can't understand '{text}'")
    path, equal, value = found[2], found[3] != "!=", found[4]
    if path not in {"metadata.name", "metadata.namespace"} | _FIELDS.get(resource.plural, set()):
        raise bad_request(
            f'"{path}" is not a known field selector: only "metadata.name", "metadata.namespace"'
            if resource.plural not in _FIELDS
            else f"field label not supported: {path}"
        )
    return path, equal, value
