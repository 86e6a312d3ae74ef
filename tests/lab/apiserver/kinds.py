"""What the server adds to, keeps of, or refuses in an object, kind by kind.

Sources: the strategies below `pkg/registry/`, apimachinery `pkg/util/validation/validation.go`,
`pkg/api/validation/path/name.go`.
"""

from __future__ import annotations

import base64
import re
from typing import Any

from . import certificates
from .bodies import base64_fault
from .clock import now
from .request import User
from .resources import Resource
from .status import FieldError, bad_request, forbidden, invalid, wrong

_SUBDOMAIN = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*"
_SUBDOMAIN_FAULT = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must "
    "start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
    f"'{_SUBDOMAIN}')"
)
_CSR = "certificatesigningrequests"


def decode(resource: Resource, new: dict[str, Any], version: str, minor: int) -> dict[str, Any]:
    """Return a client's object as Go's decoder leaves it. Raises ApiError 400 for what cannot be decoded."""
    if resource.plural == _CSR:
        return certificates.decode(new, version, minor)
    if resource.plural not in ("secrets", "configmaps"):
        return new
    kind = resource.kind
    for value in (new.get("data") or {}).values():
        if not isinstance(value, str):
            fault = f"json: cannot unmarshal number into Go struct field {kind}.data of type string"
        elif resource.plural == "configmaps" or not (fault := base64_fault(value)):
            continue
        raise bad_request(f'{kind} in version "{version}" cannot be handled as a {kind}: {fault}')
    return new


def on_create(resource: Resource, new: dict[str, Any], user: User) -> dict[str, Any]:
    """Return the object as it is stored at first."""
    if resource.plural == _CSR:
        return certificates.on_create(new, user)
    if "status" in resource.subresources and resource.plural != "nodes":
        new = {name: value for name, value in new.items() if name != "status"}
    if resource.plural == "secrets":
        return {"type": "Opaque", **_secret(new)}
    if resource.plural == "namespaces":
        return _namespace(new)
    if resource.plural == "customresourcedefinitions":
        return {**new, "status": _established(new)}
    return new


def on_update(
    resource: Resource, new: dict[str, Any], old: dict[str, Any], subresource: str
) -> dict[str, Any]:
    """Return the object with what this write may not change taken from the stored one."""
    if resource.plural == _CSR:
        return certificates.on_update(new, old, subresource)
    if resource.plural == "secrets":
        return {"type": old["type"], **_secret(new)}
    if "status" not in resource.subresources:
        return new
    if subresource == "status":
        kept = {name: value for name, value in old.items() if name not in ("metadata", "status")}
        return {**kept, "metadata": new["metadata"], "status": new.get("status", {})}
    status = {"status": old["status"]} if "status" in old else {}
    return {**{name: value for name, value in new.items() if name != "status"}, **status}


def validate(
    resource: Resource,
    version: str,
    new: dict[str, Any],
    old: dict[str, Any] | None,
    subresource: str,
    minor: int,
) -> None:
    """Raise ApiError 422 that names every fault."""
    name = new["metadata"]["name"]
    found = _name_faults(resource, name) if old is None else []
    if resource.plural == _CSR:
        found += (
            certificates.faults(new, version, minor)
            if old is None
            else certificates.update_faults(new, old, subresource, version)
        )
        if old is None and not found and (refusal := certificates.subject_refusal(new["spec"])):
            raise forbidden(resource, name, refusal)
    if resource.plural == "secrets" and old is not None and new["type"] != old["type"]:
        found.append(wrong("type", new["type"], "field is immutable"))
    if found:
        raise invalid(resource.group, resource.kind, name, found)


def _name_faults(resource: Resource, name: str) -> list[FieldError]:
    if resource.any_name:
        if name in (".", ".."):
            return [wrong("metadata.name", name, f"may not be '{name}'")]
        return [wrong("metadata.name", name, f"may not contain '{char}'") for char in "/%" if char in name]
    if len(name) > 253:
        return [wrong("metadata.name", name, "must be no more than 253 bytes")]
    return [] if re.fullmatch(_SUBDOMAIN, name) else [wrong("metadata.name", name, _SUBDOMAIN_FAULT)]


def _secret(new: dict[str, Any]) -> dict[str, Any]:
    texts = new.get("stringData") or {}
    encoded = {key: base64.b64encode(text.encode()).decode() for key, text in texts.items()}
    kept = {name: value for name, value in new.items() if name != "stringData"}
    return {**kept, "data": {**(new.get("data") or {}), **encoded}} if encoded else kept


def _namespace(new: dict[str, Any]) -> dict[str, Any]:
    metadata = new["metadata"]
    labels = {**(metadata.get("labels") or {}), "kubernetes.io/metadata.name": metadata["name"]}
    return {
        **new,
        "metadata": {**metadata, "labels": labels},
        "spec": {"finalizers": ["kubernetes"]},
        "status": {"phase": "Active"},
    }


def _established(definition: dict[str, Any]) -> dict[str, Any]:
    reasons = {"NamesAccepted": "NoConflicts", "Established": "InitialNamesAccepted"}
    conditions = [
        {"type": kind, "status": "True", "reason": reason, "message": "", "lastTransitionTime": now()}
        for kind, reason in reasons.items()
    ]
    stored = [version["name"] for version in definition["spec"]["versions"] if version.get("storage")]
    names = definition["spec"]["names"]
    return {"conditions": conditions, "acceptedNames": names, "storedVersions": stored}
