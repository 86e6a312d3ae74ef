"""JSON patch (RFC 6902), JSON merge patch (RFC 7386) and Kubernetes' strategic merge patch.

Source of the last: apimachinery `pkg/util/strategicpatch/patch.go`; merge keys from the `patchMergeKey`
tags of the API types that nodes, pods and workloads use.
"""

from __future__ import annotations

import copy
from typing import Any

from .status import ApiError, bad_request

#: Lists whose items are merged by a key, by the name of the field; every other list is replaced.
MERGE_KEYS: dict[str, tuple[str, ...]] = {
    "addresses": ("type",),
    "conditions": ("type",),
    "containers": ("name",),
    "env": ("name",),
    "ephemeralContainers": ("name",),
    "hostAliases": ("ip",),
    "imagePullSecrets": ("name",),
    "initContainers": ("name",),
    "ownerReferences": ("uid",),
    "podIPs": ("ip",),
    "ports": ("containerPort", "port"),
    "secrets": ("name",),
    "topologySpreadConstraints": ("topologyKey",),
    "volumeDevices": ("devicePath",),
    "volumeMounts": ("mountPath",),
    "volumes": ("name",),
}
#: Lists of plain values that are merged as sets.
SETS = ("finalizers",)
_DIRECTIVES = ("$setElementOrder/", "$deleteFromPrimitiveList/", "$retainKeys", "$patch")


def merge_key(field: str, items: list[Any]) -> str | None:
    """Return the key by which the items of this list are told apart, None for a list that is one value."""
    for key in MERGE_KEYS.get(field, ()):
        if items and all(isinstance(item, dict) and key in item for item in items):
            return key
    return None


def merge(target: Any, change: Any) -> Any:
    """Return a JSON merge patch applied: null removes, objects merge, all else replaces."""
    if not isinstance(change, dict):
        return change
    result = dict(target) if isinstance(target, dict) else {}
    for field, value in change.items():
        if value is None:
            result.pop(field, None)
        else:
            result[field] = merge(result.get(field), value)
    return result


def strategic(target: dict[str, Any], change: dict[str, Any]) -> dict[str, Any]:
    """Return a strategic merge patch applied."""
    if change.get("$patch") == "replace":
        return {field: value for field, value in change.items() if field != "$patch"}
    if change.get("$patch") == "delete":
        return {}
    result = dict(target)
    if "$retainKeys" in change:
        result = {field: value for field, value in result.items() if field in change["$retainKeys"]}
    for field, value in change.items():
        if field.startswith("$deleteFromPrimitiveList/"):
            name = field.split("/", 1)[1]
            result[name] = [item for item in result.get(name) or () if item not in value]
        elif field.startswith(_DIRECTIVES):
            continue
        elif value is None:
            result.pop(field, None)
        elif isinstance(value, dict):
            stored = result.get(field)
            result[field] = strategic(stored if isinstance(stored, dict) else {}, value)
        elif isinstance(value, list):
            order = change.get(f"$setElementOrder/{field}")
            result[field] = _strategic_list(field, result.get(field) or [], value, order)
        else:
            result[field] = value
    return result


def _strategic_list(field: str, stored: list[Any], change: list[Any], order: list[Any] | None) -> list[Any]:
    if field in SETS:
        return [*stored, *(item for item in change if item not in stored)]
    if any(isinstance(item, dict) and item.get("$patch") == "replace" for item in change):
        return [item for item in change if "$patch" not in item]
    key = merge_key(field, change) or merge_key(field, stored)
    if key is None:
        return change
    merged = {item[key]: item for item in stored}
    for item in change:
        if item.get("$patch") == "delete":
            merged.pop(item[key], None)
        else:
            merged[item[key]] = strategic(merged.get(item[key], {}), item)
    places = {item[key]: place for place, item in enumerate(order or ()) if isinstance(item, dict)}
    return sorted(merged.values(), key=lambda item: places.get(item[key], len(places)))


def json_patch(target: dict[str, Any], operations: Any) -> dict[str, Any]:
    """Return a JSON patch applied.

    Raises ApiError 400 for a patch that is none, 422 for one that does not fit the object.
    """
    if not isinstance(operations, list):
        raise bad_request("json: cannot unmarshal object into Go value of type jsonpatch.Patch")
    document: Any = copy.deepcopy(target)
    for operation in operations:
        try:
            document = _operate(document, operation)
        except (KeyError, IndexError, TypeError, ValueError) as fault:
            raise ApiError(
                422, "Invalid", "the server rejected our request due to an error in our request"
            ) from fault
    return document


def _operate(document: Any, operation: dict[str, Any]) -> Any:
    kind, path = operation["op"], operation["path"]
    if kind == "test":
        if _find(document, path) != operation["value"]:
            raise ValueError(f"testing path {path} failed")
        return document
    if kind in ("move", "copy"):
        value = copy.deepcopy(_find(document, operation["from"]))
        if kind == "move":
            document = _set(document, operation["from"], "remove", None)
        return _set(document, path, "add", value)
    return _set(document, path, kind, operation.get("value"))


def _steps(path: str) -> list[str]:
    return [step.replace("~1", "/").replace("~0", "~") for step in path.split("/")[1:]]


def _find(document: Any, path: str) -> Any:
    for step in _steps(path):
        document = document[int(step)] if isinstance(document, list) else document[step]
    return document


def _set(document: Any, path: str, kind: str, value: Any) -> Any:
    steps = _steps(path)
    if not steps:
        return value
    parent = _find(document, path.rpartition("/")[0])
    place: Any = steps[-1]
    if isinstance(parent, list):
        place = len(parent) if place == "-" else int(place)
    if kind == "remove":
        del parent[place]
    elif kind == "add" and isinstance(parent, list):
        parent.insert(place, value)
    elif kind == "add" or (kind == "replace" and _find(document, path) is not ...):
        parent[place] = value
    else:
        raise ValueError(f"Unexpected kind: {kind}")
    return document
