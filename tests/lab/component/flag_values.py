"""The value of a flag by its type, as the flag's own Go type sets it; the types are kubelet.yaml's.

Sources: spf13/pflag, k8s.io/component-base/cli/flag/*_map_string_*.go and ip_port.go, pkg/util/flag/flags.go,
pkg/util/taints/taints.go.
"""

from __future__ import annotations

import csv
import ipaddress
from collections.abc import Callable
from typing import Any

from .go_values import parse_bool, parse_duration, parse_float, parse_int, parse_quantity
from .klog import quote

_EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")


def parse(kind: str, text: str) -> Any:
    """The Python value of a flag of type ``kind``. Raises ValueError with the real type's reason."""
    return _PARSERS.get(kind, str)(text)


def merge(kind: str, earlier: Any, later: Any) -> Any:
    """What a flag holds that is given twice: lists grow, maps merge, all else is replaced."""
    if isinstance(later, list) and kind != "taint_list":
        return [*earlier, *later]
    if isinstance(later, dict):
        return {**earlier, **later}
    return later


def _duration(text: str) -> str:
    parse_duration(text)
    return text


def _quantity(text: str) -> str:
    parse_quantity(text)
    return text


def _ip(text: str) -> str:
    if text and not is_ip(text):
        raise ValueError(f"{quote(text)} is not a valid IP address")
    return text


def _ip_port(text: str) -> str:
    if not text or is_ip(text):
        return text
    host, colon, port = text.rpartition(":")
    reason = f"{quote(text)} is not in a valid format (ip or ip:port)"
    if not colon or (":" in host and not host.startswith("[")):
        raise ValueError(
            f"{reason}: address {text}: {'too many colons' if colon else 'missing port'} in address"
        )
    if not is_ip(host.strip("[]")):
        raise ValueError(f"{quote(host)} is not a valid IP address")
    parse_int(port)
    return text


def _list(text: str) -> list[str]:
    return next(csv.reader([text]), [])


def _int_list(text: str) -> list[int]:
    return [parse_int(item) for item in text.split(",")]


def _map(text: str) -> dict[str, str]:
    return _pairs(text, "=", "malformed pair, expect string=string")


def _threshold_map(text: str) -> dict[str, str]:
    return _pairs(text, "<", "malformed pair, expect string<string")


def _bool_map(text: str) -> dict[str, bool]:
    result = {}
    for key, value in _pairs(text, "=", "malformed pair, expect string=bool").items():
        try:
            result[key] = parse_bool(value)
        except ValueError as reason:
            raise ValueError(f"invalid value of {key}: {value}, err: {reason}") from None
    return result


def _header_map(text: str) -> dict[str, list[str]]:
    result: dict[str, list[str]] = {}
    for pair in filter(None, text.split(",")):
        key, colon, value = pair.partition(":")
        if not colon:
            raise ValueError("malformed pair, expect string:string")
        result.setdefault(key.strip(), []).append(value.strip())
    return result


def _pairs(text: str, sign: str, malformed: str) -> dict[str, str]:
    result = {}
    for pair in filter(None, text.split(",")):
        key, found, value = pair.partition(sign)
        if not found:
            raise ValueError(malformed)
        result[key.strip()] = value.strip()
    return result


def _labels(text: str) -> dict[str, str]:
    pairs = (pair.partition("=") for pair in filter(None, text.split(",")))
    return {key.strip(): value.strip() for key, _, value in pairs}


def _taints(text: str) -> list[dict[str, str]]:
    return [_taint(spec) for spec in filter(None, text.split(","))]


def _taint(spec: str) -> dict[str, str]:
    parts = spec.split(":")
    if len(parts) != 2 or not parts[0]:
        raise ValueError(f"invalid taint spec: {spec}")
    if parts[1] not in _EFFECTS:
        raise ValueError(f"invalid taint effect: {parts[1]}, unsupported taint effect")
    key, _, value = parts[0].partition("=")
    return {"key": key, "value": value, "effect": parts[1]}


def _memory(text: str) -> list[dict[str, Any]]:
    result = []
    for entry in filter(None, text.split(";")):
        node, colon, limits = entry.partition(":")
        if not colon:
            raise ValueError(
                "the reserved memory has incorrect format, expected "
                f"numaNodeID:type=quantity[,type=quantity...], got {entry}"
            )
        result.append({"numaNode": parse_int(node), "limits": _map(limits)})
    return result


def _vmodule(text: str) -> list[dict[str, Any]]:
    result = []
    for entry in filter(None, text.split(",")):
        pattern, sign, level = entry.partition("=")
        if not sign or not pattern or not level:
            raise ValueError(f"{quote(entry)} does not have the pattern=N format")
        result.append({"filePattern": pattern, "verbosity": parse_int(level)})
    return result


def is_ip(text: str) -> bool:
    """Whether a text is an IPv4 or IPv6 address."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


_PARSERS: dict[str, Callable[[str], Any]] = {
    "bool": parse_bool,
    "int": parse_int,
    "float": parse_float,
    "duration": _duration,
    "quantity": str,
    "checked_quantity": _quantity,
    "ip": _ip,
    "ip_port": _ip_port,
    **dict.fromkeys(("list", "ip_list", "cidr_list"), _list),
    "int_list": _int_list,
    "map": _map,
    "labels": _labels,
    "threshold_map": _threshold_map,
    **dict.fromkeys(("bool_map", "bool_map_text"), _bool_map),
    "header_map": _header_map,
    "taint_list": _taints,
    "memory_list": _memory,
    "vmodule_list": _vmodule,
}
