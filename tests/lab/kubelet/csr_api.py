"""Certificate requests at the API server: posted or taken over, and waited for by a watch.

Source: client-go util/certificate/csr/csr.go.
"""

from __future__ import annotations

import base64
import time
from dataclasses import dataclass
from typing import Any

from cryptography import x509

from lab.component import clock, klog
from lab.component.api import ApiError, Client, Unreachable
from lab.component.claim import Claim
from lab.component.klog import quote

from .certificate_request import Key, Template, request_pem

_RESOURCE = "certificatesigningrequests"


class RequestFailed(Exception):
    """A request that was not made or brought no certificate; the message is the kubelet's."""


@dataclass(frozen=True)
class Posted:
    """A request that the API server holds."""

    name: str
    uid: str
    api: str


def post(client: Client, claim: Claim, template: Template, key: Key, name: str, asked: list[str]) -> Posted:
    """Create a request, under ``name`` or, when that is empty, a name that the API server makes of ``csr-``.

    A request of that name that is there already is taken over when it fits the key.

    Raises:
        RequestFailed: with the kubelet's message; its cause is the API server's answer.
    """
    pem = request_pem(template, key)
    spec: dict[str, Any] = {"request": base64.b64encode(pem).decode(), "usages": asked}
    if claim.holds("csr_signer_name"):
        spec["signerName"] = template.signer
    metadata = {"name": name} if name else {"generateName": "csr-"}
    try:
        posted = _create(client, claim, {"metadata": metadata, "spec": spec})
    except ApiError as fault:
        if fault.reason != "AlreadyExists" or not name:
            raise RequestFailed(f"cannot create certificate signing request: {fault}") from fault
        return _take_over(client, claim, name, template, key)
    except Unreachable as fault:
        raise RequestFailed(f"cannot create certificate signing request: {fault}") from fault
    klog.info("csr.go:83", "Certificate signing request created", 2, csr=posted.name)
    return posted


def wait(client: Client, posted: Posted, seconds: float) -> bytes:
    """Wait by a watch until the request is issued, ``seconds`` at most; return the certificate in PEM.

    Raises RequestFailed when it is denied, fails, is deleted, becomes another one, or time is up.
    """
    deadline = time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0:
        try:
            certificate = _follow(client, posted, left)
        except (ApiError, Unreachable) as fault:
            klog.info("csr.go:214", "Error fetching v1 certificate signing request", 2, err=str(fault))
            clock.sleep(1)
            continue
        if certificate:
            return certificate
    raise RequestFailed("timed out waiting for the condition")


def _apis(claim: Claim) -> list[str]:
    """The API versions that a kubelet of this minor tries, in order."""
    v1 = ["/apis/certificates.k8s.io/v1"] if claim.holds("csr_v1") else []
    # From 1.19 clients keep the old version as a way back, also in minors that no longer serve it.
    return [*v1, "/apis/certificates.k8s.io/v1beta1"]


def _create(client: Client, claim: Claim, request: dict[str, Any]) -> Posted:
    missing: ApiError | None = None
    for api in _apis(claim):
        version = api.removeprefix("/apis/")
        body = {"apiVersion": version, "kind": "CertificateSigningRequest", **request}
        try:
            created = client.post(f"{api}/{_RESOURCE}", body)
        except ApiError as fault:
            if fault.code != 404:
                raise
            missing = fault
            continue
        return Posted(created["metadata"]["name"], created["metadata"]["uid"], api)
    raise missing or AssertionError("a kubelet knows at least one version")


def _take_over(client: Client, claim: Claim, name: str, template: Template, key: Key) -> Posted:
    klog.info("csr.go:87", "csr for this node already exists, reusing")
    api = _apis(claim)[0]
    try:
        held = client.get(f"{api}/{_RESOURCE}/{name}")
    except (ApiError, Unreachable) as fault:
        raise RequestFailed(f"cannot retrieve certificate signing request: {fault}") from fault
    fault = _incompatible(held, template, key)
    if fault:
        raise RequestFailed(f"retrieved csr is not compatible: {fault}")
    klog.info("csr.go:95", "csr for this node is still valid")
    return Posted(held["metadata"]["name"], held["metadata"]["uid"], api)


def _incompatible(held: dict[str, Any], template: Template, key: Key) -> str | None:
    """Why a request of the same name is not the one that would be made now: ensureCompatible."""
    old = x509.load_pem_x509_csr(base64.b64decode(held["spec"]["request"]))
    if old.subject != x509.load_pem_x509_csr(request_pem(template, key)).subject:
        return f"csr subjects differ: new: {old.subject.rfc4514_string()}, orig: {template.common_name}"
    signer = held["spec"].get("signerName")
    if signer and signer != template.signer:
        return f"csr signerNames differ: new {quote(signer)}, orig: {quote(template.signer)}"
    if old.public_key() != key.public_key() or not old.is_signature_valid:
        return "error validating signature new CSR against old key: x509: ECDSA verification failure"
    issued = (held.get("status") or {}).get("certificate")
    if issued:
        expiry = _expiry(base64.b64decode(issued))
        if time.time() > expiry:
            return f"one of the certificates for the CSR has expired: {time.ctime(expiry)}"
    return None


def _expiry(pem: bytes) -> float:
    return min(each.not_valid_after_utc.timestamp() for each in x509.load_pem_x509_certificates(pem))


def _follow(client: Client, posted: Posted, seconds: float) -> bytes | None:
    """List and watch the request once, until it is decided or the watch ends."""
    path, selector = f"{posted.api}/{_RESOURCE}", f"metadata.name={posted.name}"
    held = client.get(path, fieldSelector=selector)
    for item in held.get("items") or ():
        if certificate := _issued(item, posted):
            return certificate
    version = held["metadata"].get("resourceVersion", "")
    # As client-go's reflector: five to ten minutes, so that not all watches end at once.
    seconds = min(seconds, clock.jittered(300, 1))
    for event in client.watch(path, seconds, fieldSelector=selector, resourceVersion=version):
        if event["type"] == "DELETED":
            raise RequestFailed(_watching(f"csr {quote(posted.name)} was deleted"))
        if event["type"] in ("ADDED", "MODIFIED") and (certificate := _issued(event["object"], posted)):
            return certificate
    return None


def _issued(item: dict[str, Any], posted: Posted) -> bytes | None:
    if item["metadata"]["uid"] != posted.uid:
        raise RequestFailed(_watching(f"csr {quote(posted.name)} changed UIDs"))
    status = item.get("status") or {}
    conditions = {condition["type"]: condition for condition in status.get("conditions") or ()}
    for kind, what in (("Denied", "is denied"), ("Failed", "failed")):
        if kind in conditions:
            reason, message = conditions[kind].get("reason", ""), conditions[kind].get("message", "")
            text = f"certificate signing request {what}, reason: {reason}, message: {message}"
            raise RequestFailed(_watching(text))
    if "Approved" not in conditions:
        return None
    if status.get("certificate"):
        klog.info("csr.go:283", "Certificate signing request is issued", 2, csr=posted.name)
        return base64.b64decode(status["certificate"])
    klog.info(
        "csr.go:287", "Certificate signing request is approved, waiting to be issued", 2, csr=posted.name
    )
    return None


def _watching(fault: str) -> str:
    return f"cannot watch on the certificate signing request: {fault}"
