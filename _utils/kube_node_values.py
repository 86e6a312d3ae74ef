"""What a value of each type in `kube_node/versions/` may be: what is wrong and what to do, or None.

Pure: no Salt, no I/O. The types are explained at the head of versions/kubelet.yaml.
"""

from __future__ import annotations

import math
import re
from typing import Any

import kube_node_types as types

# Go's time.ParseDuration; apimachinery's resource.Quantity.
_DURATION = re.compile(r"0|(?:[0-9]+(?:\.[0-9]+)?(?:ns|us|µs|ms|s|m|h))+")
_QUANTITY = re.compile(r"[0-9]+(?:\.[0-9]+)?(?:[numkMGTPE]|[KMGTPE]i|[eE]-?[0-9]+)?")
_ADDRESS_WITH_PORT = re.compile(r"(.+):([0-9]{1,5})")
_THRESHOLD = re.compile(rf"(?:{_QUANTITY.pattern}|[0-9]+(?:\.[0-9]+)?%)")


def _text(value: Any) -> str | None:
    return None if value == "" else types.text(value)


def _number(value: Any) -> str | None:
    if _is_int(value) or (isinstance(value, float) and math.isfinite(value)):
        return None
    return f"{types.shown(value)} is not a number, write one without quotes"


def argument(value: Any) -> str | None:
    """Check what a flag without a field is given: its type is the program's own business."""
    if isinstance(value, (bool, float)) or _is_int(value) or (isinstance(value, str) and value.isprintable()):
        return None
    return f"{types.shown(value)} is not a flag's value, write one line of text, a number or a boolean"


def _whole(value: Any) -> str | None:
    return None if _is_int(value) else f"{types.shown(value)} is not a whole number, write one without quotes"


def _is_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and -(2**63) <= value < 2**63


def _address_with_port(value: Any) -> str | None:
    found = _ADDRESS_WITH_PORT.fullmatch(value) if isinstance(value, str) else None
    if found and int(found[2]) < 65536 and not types.address(found[1].strip("[]")):
        return None
    return f"{types.shown(value)} is not an address with a port, write one such as 0.0.0.0:10256"


def _each(check: types.Check) -> types.Check:
    """Return a check for one value, or two with a comma between (an IPv4 and an IPv6 one)."""

    def both(value: Any) -> str | None:
        parts = value.split(",") if isinstance(value, str) else [value]
        return next((fault for fault in map(check, parts) if fault), None)

    return both


def _listed(value: Any) -> str | None:
    return types.list_of(_object)(value)


def _object(value: Any) -> str | None:
    if isinstance(value, dict):
        return None
    return f"{types.shown(value)} is not a mapping, write 'key: value' lines"


# Lists of objects whose own fields stand in the facts, as `<list>[].<field>`.
OBJECT_LISTS = ("memory_list", "vmodule_list", "object_list")

_TEXTS = types.map_of(types.text, _text)
_duration = types.matching(_DURATION, 256, "a duration, write one such as 30s, 1m30s or 24h")
_quantity = types.matching(_QUANTITY, 256, "a quantity, write one such as 200m, 500Mi or '2', in quotes")
_threshold = types.matching(
    _THRESHOLD, 256, "a threshold, write a quantity such as 200Mi or a percentage such as 10%, in quotes"
)

CHECKS: dict[str, types.Check] = {
    "bool": types.boolean,
    "int": _whole,
    "float": _number,
    "string": _text,
    "duration": _duration,
    "quantity": _quantity,
    "path": lambda value: None if value == "" else types.absolute_path(value),
    "url": _text,
    "ip": types.address,
    "ip_port": lambda value: types.address(value) and _address_with_port(value),
    "cidr": types.cidr,
    "ips": _each(types.address),
    "cidrs": _each(types.cidr),
    "list": types.list_of(types.text),
    "ip_list": types.list_of(types.address),
    "cidr_list": types.list_of(types.cidr),
    "int_list": types.list_of(_whole),
    "map": _TEXTS,
    "bool_map": types.map_of(types.text, types.boolean),
    "bool_map_text": types.map_of(types.text, types.boolean),
    "threshold_map": types.map_of(types.text, _threshold),
    "header_map": types.map_of(types.text, types.list_of(types.text)),
    "taint_list": types.list_of(types.taint),
    "memory_list": _listed,
    "vmodule_list": _listed,
    "object_list": _listed,
    "object": _object,
}


def fault(kind: str, values: tuple[str, ...] | None, value: Any) -> str | None:
    """Return what is wrong with `value` as one of type `kind`, or None; `values` lists what it may be."""
    found = CHECKS[kind](value)
    if found or not values:
        return found
    items = value if isinstance(value, list) else [value]
    return next((message for message in map(types.one_of(*values), items) if message), None)
