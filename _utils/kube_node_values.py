"""What a value of each type in `kube_node/versions/` may be: what is wrong and what to do, or None.

Pure: no Salt, no I/O. The types are explained at the head of versions/kubelet.yaml.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
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


def argument(kind: str, value: Any) -> str | None:
    """Check what a flag is given as it stands on the command line: one line of text, a number or a boolean.

    Args:
        kind: the flag's type; of the types that are one word there, the word is checked too.
        value: what the pillar says, quoted or not.
    """
    if not (isinstance(value, (bool, float)) or _is_int(value) or _is_line(value)):
        return f"{types.shown(value)} is not a flag's value, write one line of text, a number or a boolean"
    word = str(value).lower() if isinstance(value, bool) else str(value)
    wanted = _WORDS.get(kind)
    if wanted and not wanted[0](word):
        return f"{types.shown(value)} is not {wanted[1]}"
    return None


def _is_line(value: Any) -> bool:
    return isinstance(value, str) and value.isprintable()


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

# What a flag's word must be, by its type (pflag's own parsers take more spellings of true and of numbers).
_WORDS: dict[str, tuple[Callable[[str], Any], str]] = {
    "bool": (lambda word: word in ("true", "false"), "a boolean, write true or false"),
    "int": (re.compile(r"-?[0-9]{1,18}").fullmatch, "a whole number, write one such as 2"),
    "float": (re.compile(r"-?[0-9]+(?:\.[0-9]+)?").fullmatch, "a number, write one such as 0.5"),
    "duration": (_DURATION.fullmatch, "a duration, write one such as 30s, 1m30s or 24h"),
    "path": (
        lambda word: word == "" or not types.absolute_path(word),
        "an absolute path, write one without '..', white space, quotes, '%' or '$'",
    ),
    "ip": (lambda word: not types.address(word), "an IP address, write one such as 192.168.1.42"),
    "ips": (lambda word: not _each(types.address)(word), "an IP address, write one such as 192.168.1.42"),
    "cidr": (lambda word: not types.cidr(word), "a network in CIDR form, write one such as 10.68.0.0/16"),
}

# What the values of some maps must be, beside being texts.
_REFINED: dict[str, types.Check] = {
    **dict.fromkeys(("kubeReserved", "systemReserved"), types.map_of(types.text, _quantity)),
    "evictionMinimumReclaim": types.map_of(types.text, _threshold),
    "evictionSoftGracePeriod": types.map_of(types.text, _duration),
}

# Ranges that the kubelet's and kube-proxy's own validation has (validation.go of each).
_PORTS = dict.fromkeys(("port", "healthzPort", "readOnlyPort"), (0, 65535))
_NOT_NEGATIVE = ("maxPods", "podsPerCore", "maxOpenFiles", "kubeAPIQPS", "kubeAPIBurst", "eventRecordQPS")
_NOT_NEGATIVE += ("eventBurst", "registryPullQPS", "registryBurst", "conntrack.maxPerCore", "conntrack.min")
_PERCENTAGES = ("imageGCHighThresholdPercent", "imageGCLowThresholdPercent")
_BITS = ("iptablesMasqueradeBit", "iptablesDropBit", "iptables.masqueradeBit", "nftables.masqueradeBit")
RANGES: dict[str, tuple[int, int]] = {
    **_PORTS,
    **dict.fromkeys(_NOT_NEGATIVE, (0, 2**31 - 1)),
    **dict.fromkeys(_PERCENTAGES, (0, 100)),
    **dict.fromkeys(_BITS, (0, 31)),
    "oomScoreAdj": (-1000, 1000),
    "port": (1, 65535),
    "nodeLeaseDurationSeconds": (1, 2**31 - 1),
    "nodeStatusMaxImages": (-1, 2**31 - 1),
    "containerLogMaxFiles": (2, 2**31 - 1),
}

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


def fault(kind: str, values: tuple[str, ...] | None, value: Any, path: str = "") -> str | None:
    """Return what is wrong with `value` as one of type `kind`, or None.

    Args:
        kind: a type of the facts.
        values: what it, or each item of it, may be; empty where anything goes.
        value: anything.
        path: the field's dotted path, by which some are held to more than their type.
    """
    found = CHECKS[kind](value)
    if not found and path in _REFINED:
        found = _REFINED[path](value)
    if not found and path in RANGES:
        found = types.integer(*RANGES[path])(value)
    if found or not values:
        return found
    items = value if isinstance(value, list) else [value]
    return next((message for message in map(types.one_of(*values), items) if message), None)
