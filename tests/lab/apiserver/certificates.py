"""CertificateSigningRequests: what a client may write of them, and what the server writes itself.

Sources: `pkg/registry/certificates/certificates/strategy.go`,
`pkg/apis/certificates/{validation/validation,v1beta1/defaults}.go`.
"""

from __future__ import annotations

import base64
from typing import Any

from cryptography import x509

from . import pkcs10
from .bodies import base64_fault
from .clock import now
from .request import User
from .status import FieldError, bad_request, duplicate, prohibited, required, unsupported, wrong

_SIGNER_NAME_SINCE = 18
_EXPIRATION_SINCE = 22
_DECIDED = ("Approved", "Denied", "Failed")
_USAGES = (
    "any", "cert sign", "client auth", "code signing", "content commitment", "crl sign",
    "data encipherment", "decipher only", "digital signature", "email protection", "encipher only",
    "ipsec end system", "ipsec tunnel", "ipsec user", "key agreement", "key encipherment", "microsoft sgc",
    "netscape sgc", "ocsp signing", "s/mime", "server auth", "signing", "timestamping",
)  # fmt: skip


def decode(body: dict[str, Any], version: str, minor: int) -> dict[str, Any]:
    """Return a client's object with typed, known fields only, as Go's decoder leaves it, and defaults set.

    Raises ApiError 400 for a field of the wrong type.
    """
    given, status = _part(body, "spec"), _part(body, "status")
    spec = {
        "request": _bytes(given.get("request"), "CertificateSigningRequestSpec.spec.request"),
        "signerName": _typed(given, "signerName", str, "string"),
        "expirationSeconds": _typed(given, "expirationSeconds", int, "int32"),
        "usages": _typed(given, "usages", list, "[]v1.KeyUsage"),
    }
    if any(not isinstance(usage, str) for usage in spec["usages"] or ()):
        raise _unmarshal("number", "CertificateSigningRequestSpec.spec.usages", "v1.KeyUsage")
    conditions = status.get("conditions") or []
    if not isinstance(conditions, list) or not all(map(_is_condition, conditions)):
        raise _unmarshal("object", "CertificateSigningRequestStatus.status.conditions", "[]v1.Condition")
    certificate = _bytes(status.get("certificate"), "CertificateSigningRequestStatus.status.certificate")
    if version == "v1beta1":
        spec["usages"] = spec["usages"] or ["digital signature", "key encipherment"]
        spec["signerName"] = spec["signerName"] or _signer_from_content(spec, minor)
        conditions = [{"status": "True", **one} for one in conditions]
    if minor < _EXPIRATION_SINCE:
        spec["expirationSeconds"] = None
    if minor < _SIGNER_NAME_SINCE:
        spec["signerName"] = None
    found = {"conditions": conditions, "certificate": certificate}
    return {"metadata": body["metadata"], "spec": _set(spec), "status": _set(found)}


def on_create(new: dict[str, Any], user: User) -> dict[str, Any]:
    """Return the object with the requestor that the server saw, whatever the client wrote, and undecided."""
    requestor = {"username": user.name, "uid": user.uid, "groups": list(user.groups), "extra": user.extra}
    return {**new, "spec": {**new["spec"], **_set(requestor)}, "status": {}}


def on_update(new: dict[str, Any], old: dict[str, Any], subresource: str) -> dict[str, Any]:
    """Return the object with everything that this subresource may not change taken from the stored one."""
    conditions = new["status"].get("conditions", [])
    if subresource == "approval":
        status = {**old["status"], "conditions": _with_times(conditions, old)}
    elif subresource == "status":
        status = {**new["status"], "conditions": _with_times(_keep_decisions(conditions, old), old)}
    else:
        status = old["status"]
    return {**new, "spec": old["spec"], "status": _set(status)}


def faults(new: dict[str, Any], version: str, minor: int) -> list[FieldError]:
    """Return everything that is wrong with a new object. Later its spec is the stored one, and right."""
    spec, lenient = new["spec"], version == "v1beta1"
    found = _request_faults(spec) + _usage_faults(spec, lenient)
    if minor >= _SIGNER_NAME_SINCE:
        found += _signer_faults(spec.get("signerName", ""), lenient)
    if (seconds := spec.get("expirationSeconds", 600)) < 600:
        detail = "may not specify a duration less than 600 seconds (10 minutes)"
        found.append(wrong("spec.expirationSeconds", seconds, detail))
    return found


def subject_refusal(spec: dict[str, Any]) -> str | None:
    """Return why the admission plugin CertificateSubjectRestriction refuses a new request, or None."""
    signer = spec.get("signerName")
    if signer != pkcs10.API_CLIENT_SIGNER:
        return None
    masters = "system:masters" in pkcs10.organisations(pkcs10.parse(spec["request"]))
    return f"use of {signer} signer with system:masters group is not allowed" if masters else None


def update_faults(
    new: dict[str, Any], old: dict[str, Any], subresource: str, version: str
) -> list[FieldError]:
    """Return what is wrong with a change: conditions, decisions taken back or made outside /approval."""
    found = _condition_faults(new["status"].get("conditions", ()), lenient=version == "v1beta1")
    for kind in _DECIDED:
        before, after = _of_type(old, kind), _of_type(new, kind)
        if len(after) < len(before):
            text = f'updates may not remove a condition of type "{kind}"'
            found.append(prohibited("status.conditions", text))
        elif len(after) > len(before) and subresource != "approval" and kind != "Failed":
            text = f'updates may not add a condition of type "{kind}"'
            found.append(prohibited("status.conditions", text))
    before, after = old["status"].get("certificate"), new["status"].get("certificate")
    if before and after != before:
        found.append(prohibited("status.certificate", "updates may not modify existing certificate content"))
    if after != before and (fault := _certificate_fault(after)):
        found.append(wrong("status.certificate", "<certificate data>", fault))
    return found


def _is_condition(found: Any) -> bool:
    return isinstance(found, dict) and all(isinstance(value, str | None) for value in found.values())


def _part(body: dict[str, Any], name: str) -> dict[str, Any]:
    part = body.get(name) or {}
    if not isinstance(part, dict):
        raise _unmarshal(
            "string", f"CertificateSigningRequest.{name}", f"v1.CertificateSigningRequest{name.title()}"
        )
    return part


def _typed(spec: dict[str, Any], name: str, kind: type, go_type: str) -> Any:
    value = spec.get(name)
    if value is None or (isinstance(value, kind) and not isinstance(value, bool)):
        return value
    names = {bool: "bool", str: "string", int: "number", float: "number", list: "array", dict: "object"}
    raise _unmarshal(names[type(value)], f"CertificateSigningRequestSpec.spec.{name}", go_type)


def _bytes(value: Any, field: str) -> str | None:
    """Return base64 text in its canonical form, as Go's []byte comes out again."""
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise _unmarshal("number", field, "[]uint8")
    text = value.translate({10: None, 13: None})
    if fault := base64_fault(text):
        raise _cannot_be_handled(fault)
    return base64.b64encode(base64.b64decode(text)).decode()


def _unmarshal(found: str, field: str, go_type: str) -> Exception:
    return _cannot_be_handled(
        f"json: cannot unmarshal {found} into Go struct field {field} of type {go_type}"
    )


def _cannot_be_handled(fault: str) -> Exception:
    kind = "CertificateSigningRequest"
    return bad_request(f'{kind} in version "v1" cannot be handled as a {kind}: {fault}')


def _set(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value not in (None, "", [], {})}


def _signer_from_content(spec: dict[str, Any], minor: int) -> str:
    try:
        parsed = pkcs10.parse(spec["request"] or "")
    except ValueError:
        return pkcs10.LEGACY_SIGNER
    for signer in (pkcs10.CLIENT_SIGNER, pkcs10.SERVING_SIGNER):
        if pkcs10.kubelet_fault(parsed, spec["usages"], signer, minor) is None:
            return signer
    return pkcs10.LEGACY_SIGNER


def _request_faults(spec: dict[str, Any]) -> list[FieldError]:
    try:
        pkcs10.check_signature(pkcs10.parse(spec.get("request", "")))
    except ValueError as fault:
        return [wrong("spec.request", spec.get("request", ""), str(fault))]
    return []


def _usage_faults(spec: dict[str, Any], lenient: bool) -> list[FieldError]:
    usages = spec.get("usages", [])
    if not usages:
        return [required("spec.usages")]
    if lenient:
        return []
    found = [
        unsupported(f"spec.usages[{index}]", usage, _USAGES)
        for index, usage in enumerate(usages)
        if usage not in _USAGES
    ]
    return found + [
        duplicate(f"spec.usages[{index}]", usage)
        for index, usage in enumerate(usages)
        if usage in usages[:index]
    ]


def _signer_faults(signer: str, lenient: bool) -> list[FieldError]:
    if not signer:
        return [required("spec.signerName")]
    if signer == pkcs10.LEGACY_SIGNER:
        detail = "the legacy signerName is not allowed via this API version"
        return [] if lenient else [wrong("spec.signerName", signer, detail)]
    if len(signer.split("/")) != 2 or "" in signer.split("/"):
        detail = "must be a fully qualified domain and path of the form 'example.com/signer-name'"
        return [wrong("spec.signerName", signer, detail)]
    return []


def _condition_faults(conditions: Any, lenient: bool) -> list[FieldError]:
    found, seen = [], []
    for index, condition in enumerate(conditions):
        path, kind, status = f"status.conditions[{index}]", condition.get("type"), condition.get("status")
        allowed = ("True",) if kind in _DECIDED else ("False", "True", "Unknown")
        if not kind and not lenient:
            found.append(required(f"{path}.type"))
        if not status:
            found.append(required(f"{path}.status"))
        elif status not in allowed:
            found.append(unsupported(f"{path}.status", status, allowed))
        if {"Approved": "Denied", "Denied": "Approved"}.get(str(kind)) in seen:
            exclusive = "Approved and Denied conditions are mutually exclusive"
            found.append(wrong("status.conditions", kind, exclusive))
        if kind in seen and not lenient:
            found.append(duplicate(f"{path}.type", kind))
        seen.append(kind)
    return found


def _certificate_fault(certificate: str | None) -> str | None:
    if not certificate:
        return None
    try:
        x509.load_pem_x509_certificates(base64.b64decode(certificate))
    except ValueError as fault:
        return str(fault)
    return None


def _of_type(csr: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [one for one in csr["status"].get("conditions", ()) if one.get("type") == kind]


def _keep_decisions(conditions: list[dict[str, Any]], old: dict[str, Any]) -> list[dict[str, Any]]:
    stored = {kind: _of_type(old, kind) for kind in ("Approved", "Denied")}
    return [
        stored[one["type"]][0] if one.get("type") in stored and len(stored[one["type"]]) == 1 else one
        for one in conditions
    ]


def _with_times(conditions: list[dict[str, Any]], old: dict[str, Any]) -> list[dict[str, Any]]:
    stamped = []
    for one in conditions:
        since = [
            before.get("lastTransitionTime")
            for before in _of_type(old, one.get("type", ""))
            if before.get("status") == one.get("status")
        ]
        times = {
            "lastUpdateTime": one.get("lastUpdateTime") or now(),
            "lastTransitionTime": one.get("lastTransitionTime") or next(filter(None, since), now()),
        }
        stamped.append({**one, **times})
    return stamped
