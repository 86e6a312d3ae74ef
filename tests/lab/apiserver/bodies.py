"""A request's body → what it says: JSON, YAML, or the protobuf that kubectl's typed clients write.

Numbers and names of the protobuf fields: `generated.proto` of k8s.io/api and k8s.io/apimachinery.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from datetime import datetime, timezone
from typing import Any

import yaml

from .status import ApiError, bad_request

_MAGIC = b"k8s\0"
_PROTOBUF = "application/vnd.kubernetes.protobuf"
_ACCEPTED = ("application/json", "application/yaml", _PROTOBUF)
# number name type: s(tring), b(ytes), i(nteger), t(ime), or a message; * repeated, % a map of strings to it
_MESSAGES = """
Unknown: 1 typeMeta TypeMeta, 2 raw b
TypeMeta: 1 apiVersion s, 2 kind s
ObjectMeta: 1 name s, 2 generateName s, 3 namespace s, 5 uid s, 6 resourceVersion s, 8 creationTimestamp t,
 11 labels s%, 12 annotations s%, 14 finalizers s*
CertificateSigningRequest: 1 metadata ObjectMeta, 2 spec RequestSpec, 3 status RequestStatus
RequestSpec: 1 request b, 5 usages s*, 7 signerName s, 8 expirationSeconds i
RequestStatus: 1 conditions RequestCondition*, 2 certificate b
RequestCondition: 1 type s, 2 reason s, 3 message s, 4 lastUpdateTime t, 5 lastTransitionTime t, 6 status s
Namespace: 1 metadata ObjectMeta
ServiceAccount: 1 metadata ObjectMeta
Secret: 1 metadata ObjectMeta, 2 data b%, 3 type s, 4 stringData s%
ConfigMap: 1 metadata ObjectMeta, 2 data s%, 3 binaryData b%
ClusterRole: 1 metadata ObjectMeta, 2 rules PolicyRule*
Role: 1 metadata ObjectMeta, 2 rules PolicyRule*
PolicyRule: 1 verbs s*, 2 apiGroups s*, 3 resources s*, 4 resourceNames s*, 5 nonResourceURLs s*
ClusterRoleBinding: 1 metadata ObjectMeta, 2 subjects Subject*, 3 roleRef RoleRef
RoleBinding: 1 metadata ObjectMeta, 2 subjects Subject*, 3 roleRef RoleRef
Subject: 1 kind s, 2 apiGroup s, 3 name s, 4 namespace s
RoleRef: 1 apiGroup s, 2 kind s, 3 name s
SelfSubjectReview: 1 metadata ObjectMeta
SelfSubjectAccessReview: 1 metadata ObjectMeta, 2 spec AccessSpec
AccessSpec: 1 resourceAttributes Access, 2 nonResourceAttributes PathAccess
Access: 1 namespace s, 2 verb s, 3 group s, 4 version s, 5 resource s, 6 subresource s, 7 name s
PathAccess: 1 path s, 2 verb s
"""
_FIELDS: dict[str, dict[int, tuple[str, str]]] = {
    message: {int(number): (name, kind) for number, name, kind in map(str.split, fields.split(","))}
    for message, fields in (line.split(":") for line in _MESSAGES.replace("\n ", " ").strip().splitlines())
}


def load(body: bytes, content_type: str) -> Any:
    """Return what a body says.

    Raises ApiError 400 for one that cannot be read, 415 for another media type and for protobuf of a kind
    that is not in the list above.
    """
    if content_type == _PROTOBUF:
        return _protobuf(body)
    if not content_type.endswith(("json", "yaml")) and content_type:
        raise unknown_format(*_ACCEPTED)
    try:
        return json.loads(body)
    except ValueError as fault:
        if not content_type.endswith("yaml"):
            raise bad_request(f"couldn't get version/kind; json parse error: {fault}") from fault
    try:
        return yaml.safe_load(body)
    except yaml.YAMLError as fault:
        raise bad_request(f"error decoding YAML: {fault}") from fault


def base64_fault(value: str) -> str | None:
    """Return what Go says of text that is not base64, None when it is."""
    try:
        base64.b64decode(value, validate=True)
    except ValueError:
        illegal = re.search(r"[^A-Za-z0-9+/]", value)
        return f"illegal base64 data at input byte {illegal.start() if illegal else len(value)}"
    return None


def unknown_format(*accepted: str) -> ApiError:
    """Return the refusal of a media type."""
    text = "the body of the request was in an unknown format - accepted media types include: "
    return ApiError(415, "UnsupportedMediaType", text + ", ".join(accepted))


def _protobuf(body: bytes) -> dict[str, Any]:
    try:
        if not body.startswith(_MAGIC):
            raise ValueError("the body does not begin with k8s\\0")
        envelope = _message("Unknown", body[len(_MAGIC) :])
        kind = envelope["typeMeta"]
        if kind["kind"] not in _FIELDS:
            raise unknown_format(*_ACCEPTED[:2])
        return {**kind, **_message(kind["kind"], base64.b64decode(envelope["raw"]))}
    except (ValueError, KeyError, IndexError, UnicodeDecodeError) as fault:
        raise bad_request(f"provided data does not appear to be a protobuf message: {fault}") from fault


def _message(name: str, data: bytes) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for number, value in _wire(data):
        field, kind = _FIELDS[name].get(number, ("", ""))
        if not field:
            continue
        if kind.endswith("%"):
            entry = dict(_wire(value))
            inner = _value(kind[:-1], entry.get(2, b""))
            found.setdefault(field, {})[entry.get(1, b"").decode()] = inner
        elif kind.endswith("*"):
            found.setdefault(field, []).append(_value(kind[:-1], value))
        else:
            found[field] = _value(kind, value)
    return {field: value for field, value in found.items() if value not in (None, "")}


def _value(kind: str, value: Any) -> Any:
    if kind == "s":
        return value.decode()
    if kind == "b":
        return base64.b64encode(value).decode()
    if kind == "i":
        return value
    if kind == "t":
        seconds = dict(_wire(value)).get(1)
        moment = datetime.fromtimestamp(seconds, timezone.utc) if seconds else None
        return moment.strftime("%Y-%m-%dT%H:%M:%SZ") if moment else None
    return _message(kind, value)


def _wire(data: bytes) -> Iterator[tuple[int, Any]]:
    """Yield each field's number and value: integers of varints, bytes of all that has a length."""
    place = 0
    while place < len(data):
        tag, place = _varint(data, place)
        if tag & 7 == 0:
            value, place = _varint(data, place)
        elif tag & 7 == 2:
            length, place = _varint(data, place)
            value, place = data[place : place + length], place + length
        else:
            raise ValueError(f"wire type {tag & 7} is not used by Kubernetes")
        yield tag >> 3, value


def _varint(data: bytes, place: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[place]
        value |= (byte & 127) << shift
        place, shift = place + 1, shift + 7
        if byte < 128:
            return value, place
