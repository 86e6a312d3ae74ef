"""A configuration file decoded strictly against the fields of one minor, with apimachinery's messages.

The real components decode strictly, and when that fails decode leniently with a line in the log (pkg/kubelet/
kubeletconfig/util/codec/codec.go). Here the strict error is final: an unknown field is a mistake of whoever
wrote the file.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kube_node_versions import Field

from . import strict_yaml
from .claim import Claim
from .go_types import INNER, KINDS, SCHEMES, VERBOSITY, go_type, is_object_list, struct_of
from .go_values import parse_duration, parse_quantity
from .klog import quote

_JSON_NAMES = {bool: "bool", int: "number", float: "number", str: "string", list: "array", dict: "object"}


class DecodeError(ValueError):
    """A configuration file that is refused; the message is the real one's."""


def load(path: Path, claim: Claim) -> dict[str, Any]:
    """Read and decode the configuration file at ``path`` into values by dotted field path.

    Raises:
        DecodeError: when it does not decode.
        OSError: when it cannot be read.
    """
    return flatten(document(path.read_text(), claim), claim)


def document(text: str, claim: Claim) -> dict[str, Any]:
    """Decode ``text`` and return it as it is nested. Raises DecodeError."""
    try:
        parsed = strict_yaml.load(text)
    except strict_yaml.NotYaml as fault:
        raise DecodeError(str(fault)) from None
    _check_kind(parsed.value, text, claim)
    mistakes = ["yaml: unmarshal errors:\n  " + "\n  ".join(parsed.duplicates)] if parsed.duplicates else []
    mistakes += [f"unknown field {quote(path)}" for path in _check("", "", parsed.value, claim)]
    if mistakes:
        raise DecodeError(f"strict decoding error: {', '.join(mistakes)}")
    return parsed.value


def flatten(value: dict[str, Any], claim: Claim, prefix: str = "") -> dict[str, Any]:
    """The leaves of a decoded document by dotted field path; what is null is left out."""
    result: dict[str, Any] = {}
    for key, item in value.items():
        path = f"{prefix}{key}"
        field = claim.fields.get(path)
        if field is None or item is None:
            continue
        result |= flatten(item, claim, f"{path}.") if field.type == "object" else {path: item}
    return result


def _check_kind(value: Any, text: str, claim: Claim) -> None:
    if not isinstance(value, dict | None):
        found = _JSON_NAMES[type(value)]
        raise DecodeError(
            f"couldn't get version/kind; json parse error: json: cannot unmarshal {found} into Go value of "
            r'type struct { APIVersion string "json:\"apiVersion,omitempty\""; '
            r'Kind string "json:\"kind,omitempty\"" }'
        )
    head = value or {}
    for key, shown in (("kind", "Kind"), ("apiVersion", "apiVersion")):
        if not head.get(key):
            raise DecodeError(f"Object '{shown}' is missing in '{text}'")
    if (head["apiVersion"], head["kind"]) != (claim.api_version, KINDS[claim.component]):
        raise DecodeError(
            f"no kind {quote(str(head['kind']))} is registered for version {quote(str(head['apiVersion']))} "
            f"in scheme {quote(SCHEMES[claim.component])}"
        )


def _check(path: str, shown: str, value: dict[str, Any], claim: Claim) -> Iterator[str]:
    """Check one object's keys in the order of the JSON that the real one decodes; yield the unknown ones."""
    for key in sorted(value):
        if not path and key in ("apiVersion", "kind"):
            continue
        field = claim.fields.get(f"{path}{key}")
        if field is None:
            yield f"{shown}{key}"
        elif value[key] is not None:
            yield from _check_value(field, f"{shown}{key}", value[key], claim)


def _check_value(field: Field, shown: str, value: Any, claim: Claim) -> Iterator[str]:
    if field.type == "object":
        _expect(dict, value, field, go_type(field, claim), claim)
        yield from _check(f"{field.path}.", f"{shown}.", value, claim)
    elif is_object_list(field):
        _expect(list, value, field, go_type(field, claim), claim)
        for index, item in enumerate(value):
            _expect(dict, item, field, struct_of(f"{field.path}[]", claim), claim)
            yield from _check(f"{field.path}[].", f"{shown}[{index}].", item, claim)
    elif field.type in INNER:
        _check_collection(field, value, claim)
    else:
        _check_scalar(field, value, claim)


def _check_collection(field: Field, value: Any, claim: Claim) -> None:
    container, (inner, inner_name) = (dict if "map" in field.type else list), INNER[field.type]
    _expect(container, value, field, go_type(field, claim), claim)
    for item in value.values() if container is dict else value:
        if item is not None:
            _expect(inner, item, field, inner_name, claim)


def _check_scalar(field: Field, value: Any, claim: Claim) -> None:
    expected = go_type(field, claim)
    if field.type in ("bool", "float"):
        _expect(bool if field.type == "bool" else (int, float), value, field, expected, claim)
    elif field.type == "int":
        _expect_integer(value, field, expected, claim)
    elif field.path == "logging.flushFrequency" and not isinstance(value, str):
        _expect_nanoseconds(value)
    elif field.path.endswith(".infoBufferSize"):
        _expect_quantity(value)
    else:
        _expect(str, value, field, expected, claim)
        if field.type == "duration":
            _check_duration(value)


def _expect_integer(value: Any, field: Field, expected: str, claim: Claim) -> None:
    _expect((int, float), value, field, expected, claim)
    bits = 64 if "64" in expected else 32
    lowest, beyond = (0, 2**bits) if expected == VERBOSITY else (-(2 ** (bits - 1)), 2 ** (bits - 1))
    if isinstance(value, float) or not lowest <= value < beyond:
        raise _mismatch(f"number {value}", field, expected, claim)


def _expect_nanoseconds(value: Any) -> None:
    """A duration that may also be a number: component-base's TimeOrMetaDuration."""
    if not isinstance(value, int) or isinstance(value, bool):
        found = f"number {value}" if isinstance(value, float) else _JSON_NAMES[type(value)]
        shown = json.dumps(value, separators=(",", ":"))
        reason = f"json: cannot unmarshal {found} into Go value of type time.Duration"
        raise DecodeError(f"invalid duration {quote(shown)}: {reason}")


def _expect_quantity(value: Any) -> None:
    try:
        parse_quantity(value if isinstance(value, str) else json.dumps(value))
    except ValueError as fault:
        raise DecodeError(str(fault)) from None


def _check_duration(text: str) -> None:
    try:
        parse_duration(text)
    except ValueError as fault:
        raise DecodeError(str(fault)) from None


def _expect(types: type | tuple[type, ...], value: Any, field: Field, expected: str, claim: Claim) -> None:
    wrong_bool = isinstance(value, bool) and types is not bool
    if wrong_bool or not isinstance(value, types):
        raise _mismatch(_JSON_NAMES[type(value)], field, expected, claim)


def _mismatch(found: str, field: Field, expected: str, claim: Claim) -> DecodeError:
    struct = struct_of(field.path.rpartition(".")[0]) or KINDS[claim.component]
    path = field.path.replace("[]", "")
    return DecodeError(
        f"json: cannot unmarshal {found} into Go struct field {struct}.{path} of type {expected}"
    )
