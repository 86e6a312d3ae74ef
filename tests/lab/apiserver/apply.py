"""Server-side apply: who owns which field, and what happens when two want it.

Ownership is kept as upstream shows it in metadata.managedFields (KEP-555). There are no schemas: lists
of built-in kinds are merged by the keys of `patch.MERGE_KEYS`, those of custom resources are one value
each. An object that was never applied has no managedFields; its first apply gives its fields to
"before-first-apply", as upstream does with objects from before server-side apply.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from . import patch
from .clock import now
from .status import ApiError

Path = tuple[str, ...]
_ITEM = "."
#: Fields that are the server's, owned by nobody.
_UNOWNED = {"apiVersion", "kind"}
_UNOWNED_METADATA = {
    "creationTimestamp", "deletionTimestamp", "generateName", "generation", "managedFields", "name",
    "namespace", "resourceVersion", "selfLink", "uid",
}  # fmt: skip


@dataclass(frozen=True)
class _Owner:
    """One entry of managedFields: who, and the paths of what it owns."""

    entry: dict[str, str]
    fields: set[Path]

    def is_(self, manager: dict[str, str]) -> bool:
        identity = ("manager", "operation", "apiVersion", "subresource")
        return all(self.entry.get(key) == manager.get(key) for key in identity)


def apply(
    live: dict[str, Any] | None, wanted: dict[str, Any], manager: dict[str, str], force: bool, keyed: bool
) -> dict[str, Any]:
    """Return the object with what this manager wants merged in, and managedFields to match.

    Args:
        live: the stored object, None when there is none yet.
        wanted: what the manager sent.
        manager: `manager`, `apiVersion` and, for a subresource, `subresource`.
        force: take fields from other managers instead of a conflict.
        keyed: lists are merged by their keys (built-in kinds).

    Raises ApiError 409 when another manager owns a field that is to get another value.
    """
    me = {"operation": "Apply", **manager}
    owners = _owners(live, manager["apiVersion"], keyed) if live else []
    mine = next((owner for owner in owners if owner.is_(me)), _Owner({**me, "time": now()}, set()))
    others = [owner for owner in owners if not owner.is_(me)]
    old, new = _values(live or {}, keyed), _values(wanted, keyed)
    conflicts = [
        (owner.entry, path)
        for owner in others
        for path in sorted(owner.fields & new.keys())
        if old.get(path) != new[path]
    ]
    if conflicts and not force:
        raise _conflict(conflicts)
    merged = copy.deepcopy(_merge(live or {}, wanted, keyed))
    held = {path for owner in others for path in owner.fields}
    # Whole items of lists first: without its key an item could not be found any more.
    for path in sorted(mine.fields - new.keys() - held, key=lambda path: path[-1] != _ITEM):
        _remove_unheld(merged, path, held)
    taken = {path for _, path in conflicts}
    kept = [_Owner(owner.entry, owner.fields - taken) for owner in others]
    return _with_owners(merged, [*kept, _now_owning(mine, set(new))])


def track(old: dict[str, Any], new: dict[str, Any], manager: dict[str, str], keyed: bool) -> dict[str, Any]:
    """Return the object with managedFields that say who changed what by an ordinary write.

    An object that nobody applied is not tracked and comes back as it is.
    """
    new = {**new, "metadata": {k: v for k, v in new["metadata"].items() if k != "managedFields"}}
    if not old["metadata"].get("managedFields"):
        return new
    before, after = _values(old, keyed), _values(new, keyed)
    changed = {path for path, value in after.items() if before.get(path, ...) != value}
    gone = before.keys() - after.keys()
    me = {"operation": "Update", **manager}
    owners = _owners(old, manager["apiVersion"], keyed)
    mine = next((owner for owner in owners if owner.is_(me)), _Owner({**me, "time": now()}, set()))
    kept = [_Owner(owner.entry, owner.fields - changed - gone) for owner in owners if not owner.is_(me)]
    return _with_owners(new, [*kept, _now_owning(mine, (mine.fields - gone) | changed)])


def _owners(live: dict[str, Any], api_version: str, keyed: bool) -> list[_Owner]:
    entries = live["metadata"].get("managedFields")
    if not entries:
        who = {"manager": "before-first-apply", "operation": "Update", "apiVersion": api_version}
        return [_Owner({**who, "time": now()}, set(_values(live, keyed)))]
    own = ("fieldsV1", "fieldsType")
    return [
        _Owner({key: value for key, value in entry.items() if key not in own}, set(_read(entry["fieldsV1"])))
        for entry in entries
    ]


def _now_owning(owner: _Owner, fields: set[Path]) -> _Owner:
    return owner if owner.fields == fields else _Owner({**owner.entry, "time": now()}, fields)


def _with_owners(new: dict[str, Any], owners: list[_Owner]) -> dict[str, Any]:
    # In upstream's order, so that an unchanged object compares equal.
    owners = sorted(owners, key=lambda one: [one.entry[key] for key in ("operation", "time", "manager")])
    entries = [
        {**owner.entry, "fieldsType": "FieldsV1", "fieldsV1": _write(owner.fields)}
        for owner in owners
        if owner.fields
    ]
    return {**new, "metadata": {**new.get("metadata", {}), "managedFields": entries}}


def _values(found: dict[str, Any], keyed: bool) -> dict[Path, Any]:
    return dict(_walk(found, (), keyed))


def _walk(value: Any, path: Path, keyed: bool) -> Iterator[tuple[Path, Any]]:
    """Yield each owned field's path and value; an item of a keyed list is a field of its own."""
    if isinstance(value, dict) and (value or not path):
        for name, inner in value.items():
            unowned = _UNOWNED if not path else _UNOWNED_METADATA if path == ("f:metadata",) else ()
            if name not in unowned:
                yield from _walk(inner, (*path, f"f:{name}"), keyed)
        return
    field = path[-1].removeprefix("f:") if path else ""
    if isinstance(value, list) and value and keyed:
        if field in patch.SETS:
            yield from (((*path, f"v:{json.dumps(item)}"), item) for item in value)
            return
        if patch.merge_key(field, value):
            for item in value:
                inner = (*path, _item_key(field, item))
                yield (*inner, _ITEM), None
                yield from _walk(item, inner, keyed)
            return
    yield path, value


def _item_key(field: str, item: dict[str, Any]) -> str:
    key = patch.merge_key(field, [item]) or ""
    keys = {key: item[key]}
    if field == "ports":
        keys["protocol"] = item.get("protocol", "TCP")
    return "k:" + json.dumps(keys, sort_keys=True, separators=(",", ":"))


def _merge(live: Any, wanted: Any, keyed: bool, field: str = "") -> Any:
    if isinstance(wanted, dict):
        base = live if isinstance(live, dict) else {}
        return {
            **base,
            **{name: _merge(base.get(name), value, keyed, name) for name, value in wanted.items()},
        }
    if not isinstance(wanted, list) or not isinstance(live, list) or not keyed:
        return wanted
    if field in patch.SETS:
        return [*live, *(item for item in wanted if item not in live)]
    if not (patch.merge_key(field, wanted) and patch.merge_key(field, live)):
        return wanted
    merged = {_item_key(field, item): item for item in live}
    for item in wanted:
        key = _item_key(field, item)
        merged[key] = _merge(merged.get(key), item, keyed)
    return list(merged.values())


def _remove_unheld(found: dict[str, Any], path: Path, held: set[Path]) -> None:
    """Take out what its last owner gave up; an item of a list stays while another owns something in it."""
    if path[-1] != _ITEM:
        _remove(found, path)
    elif not any(path[:-1] == other[: len(path) - 1] for other in held):
        _remove(found, path[:-1])


def _remove(found: Any, path: Path) -> None:
    """Take a field out of an object, and the empty objects that leaves behind."""
    step, rest = path[0], path[1:]
    if isinstance(found, list):
        for item in [item for item in found if _is_item(item, step)]:
            if rest:
                _remove(item, rest)
            else:
                found.remove(item)
        return
    name = step.removeprefix("f:")
    if not isinstance(found, dict) or name not in found:
        return
    if rest:
        _remove(found[name], rest)
    if not rest or found[name] in ({}, []):
        del found[name]


def _is_item(item: Any, step: str) -> bool:
    wanted = json.loads(step[2:])
    if step.startswith("v:"):
        return item == wanted
    return all(item.get(key, "TCP" if key == "protocol" else None) == value for key, value in wanted.items())


def _write(paths: set[Path]) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for path in sorted(paths):
        node = tree
        for step in path:
            node = node.setdefault(step, {})
    return tree


def _read(tree: dict[str, Any], path: Path = ()) -> Iterator[Path]:
    if not tree and path:
        yield path
    for step, inner in tree.items():
        yield from _read(inner, (*path, step))


def _conflict(conflicts: list[tuple[dict[str, str], Path]]) -> ApiError:
    by_manager: dict[str, list[str]] = {}
    for entry, path in conflicts:
        by_manager.setdefault(_manager_name(entry), []).append(_dotted(path))
    if len(conflicts) == 1:
        manager, (path,) = next(iter(by_manager.items()))
        message = f"Apply failed with 1 conflict: conflict with {manager}: {path}"
    else:
        texts = [
            "\n".join([f"conflicts with {manager}:", *(f"- {path}" for path in paths)])
            for manager, paths in sorted(by_manager.items())
        ]
        message = f"Apply failed with {len(conflicts)} conflicts: " + "\n".join(texts)
    causes = [
        {"reason": "FieldManagerConflict", "message": f"conflict with {manager}", "field": path}
        for manager, paths in by_manager.items()
        for path in paths
    ]
    return ApiError(409, "Conflict", message, causes=causes)


def _manager_name(entry: dict[str, str]) -> str:
    name = json.dumps(entry["manager"])
    if entry.get("subresource"):
        name += f' with subresource "{entry["subresource"]}"'
    if entry["operation"] == "Update":
        name += f" using {entry['apiVersion']} at {entry['time']}"
    return name


def _dotted(path: Path) -> str:
    text = ""
    for step in path:
        kind, value = step[:2], step[2:]
        if kind == "k:":
            text += "[" + ",".join(f"{k}={json.dumps(v)}" for k, v in json.loads(value).items()) + "]"
        else:
            text += f"[={value}]" if kind == "v:" else f".{value}"
    return text
