"""The two controllers of kube-controller-manager that act on CSRs: the built-in approver and the signer.

Sources: `pkg/controller/certificates/approver/sarapprove.go`,
`pkg/controller/certificates/signer/signer.go`,
`pkg/controller/certificates/authority/{authority,policies}.go`. These act at once, the real ones about
20 times a second.
"""

from __future__ import annotations

import base64
import logging
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from . import pkcs10
from .authorization import Authorizer
from .clock import now
from .request import Attributes, User
from .resources import Resource
from .store import Key, Store

log = logging.getLogger(__name__)
_BACKDATE = timedelta(minutes=5)
_SHORT = timedelta(hours=8)
_SIGNER_NAME_SINCE = 18
_FAILED_SINCE = 19
# Up to here the end of every certificate is put back, from here on of one that lives for 8 h or more.
_SHORT_SINCE = 22
_KEY_USAGES = {
    "signing": "digital_signature", "digital signature": "digital_signature",
    "content commitment": "content_commitment", "key encipherment": "key_encipherment",
    "key agreement": "key_agreement", "data encipherment": "data_encipherment", "cert sign": "key_cert_sign",
    "crl sign": "crl_sign", "encipher only": "encipher_only", "decipher only": "decipher_only",
}  # fmt: skip
_EXTENDED = {
    "any": ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE, "server auth": ExtendedKeyUsageOID.SERVER_AUTH,
    "client auth": ExtendedKeyUsageOID.CLIENT_AUTH, "code signing": ExtendedKeyUsageOID.CODE_SIGNING,
    "email protection": ExtendedKeyUsageOID.EMAIL_PROTECTION, "s/mime": ExtendedKeyUsageOID.EMAIL_PROTECTION,
    "timestamping": ExtendedKeyUsageOID.TIME_STAMPING, "ocsp signing": ExtendedKeyUsageOID.OCSP_SIGNING,
}  # fmt: skip


@dataclass(frozen=True)
class Authority:
    """The cluster's signing certificate and key, and how long what it signs is valid at most."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey
    lifetime: timedelta

    @classmethod
    def load(cls, certificate: Path, key: Path, lifetime: timedelta) -> Authority:
        """Read the two PEM files."""
        private = serialization.load_pem_private_key(key.read_bytes(), None)
        return cls(x509.load_pem_x509_certificate(certificate.read_bytes()), private, lifetime)

    def sign(
        self, parsed: x509.CertificateSigningRequest, usages: list[str], seconds: int | None, minor: int
    ) -> bytes:
        """Return a certificate (PEM) with the request's subject, key and names, and these usages."""
        start = datetime.now(timezone.utc)
        lifetime = self._lifetime(seconds)
        short = lifetime < _SHORT and minor >= _SHORT_SINCE
        end = start + lifetime if short else start + lifetime - _BACKDATE
        builder = (
            x509.CertificateBuilder()
            .subject_name(parsed.subject)
            .issuer_name(self.certificate.subject)
            .public_key(parsed.public_key())
            .serial_number(secrets.randbits(127) | 1)
            .not_valid_before(start - _BACKDATE)
            .not_valid_after(min(end, self.certificate.not_valid_after_utc))
        )
        for extension, critical in self._extensions(parsed, usages):
            builder = builder.add_extension(extension, critical)
        digest = None if isinstance(self.key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
        return builder.sign(self.key, digest).public_bytes(serialization.Encoding.PEM)

    def _lifetime(self, seconds: int | None) -> timedelta:
        if seconds is None or timedelta(seconds=seconds) > self.lifetime:
            return self.lifetime
        return max(timedelta(seconds=seconds), 2 * _BACKDATE)

    def _extensions(
        self, parsed: x509.CertificateSigningRequest, usages: list[str]
    ) -> list[tuple[x509.ExtensionType, bool]]:
        bits = {_KEY_USAGES[usage] for usage in usages if usage in _KEY_USAGES}
        extended = list(dict.fromkeys(_EXTENDED[usage] for usage in usages if usage in _EXTENDED))
        found: list[tuple[x509.ExtensionType, bool]] = []
        if bits:
            found.append((x509.KeyUsage(**{bit: bit in bits for bit in set(_KEY_USAGES.values())}), True))
        if extended:
            found.append((x509.ExtendedKeyUsage(extended), False))
        found.append((x509.BasicConstraints(ca=False, path_length=None), True))
        found.append((self._identifier(), False))
        names = _names(parsed)
        if names:
            found.append((x509.SubjectAlternativeName(names), not parsed.subject))
        return found

    def _identifier(self) -> x509.AuthorityKeyIdentifier:
        try:
            own = self.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
        except x509.ExtensionNotFound:
            return x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key())
        return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(own.value)


class Controllers:
    """Watches the CSRs and acts on them.

    Args:
        store: where they are.
        resource: the kind CertificateSigningRequest.
        authorizer: asked whether the requestor may have its request approved by the built-in approver.
        authority: signs what is approved.
        minor: the Kubernetes minor served.
    """

    def __init__(
        self, store: Store, resource: Resource, authorizer: Authorizer, authority: Authority, minor: int
    ) -> None:
        self._store = store
        self._resource = resource
        self._authorizer = authorizer
        self._authority = authority
        self._minor = minor

    async def run(self) -> None:
        """Act on every change until cancelled; a request that cannot be signed is logged and left."""
        events = self._store.subscribe(self._resource)
        while True:
            event = await events.get()
            entry = self._store.find(self._resource, event.key)
            if entry is None or entry.version != event.version:
                continue
            try:
                self._act(event.key, entry.object)
            except (ValueError, TypeError, UnsupportedAlgorithm):
                log.exception("error signing csr %r", event.key[1])

    def _act(self, key: Key, csr: dict[str, Any]) -> None:
        decided = {one["type"] for one in csr["status"].get("conditions", ())}
        if not decided and (message := self._recognised(csr)):
            self._condition(key, csr, "Approved", "AutoApproved", message)
        if "Approved" in decided and "Failed" not in decided and "certificate" not in csr["status"]:
            self._sign(key, csr)

    def _recognised(self, csr: dict[str, Any]) -> str | None:
        """Return why the built-in approver approves a request, None if it does not."""
        spec = csr["spec"]
        if spec.get("signerName", pkcs10.CLIENT_SIGNER) != pkcs10.CLIENT_SIGNER:
            return None
        parsed = pkcs10.parse(spec["request"])
        if pkcs10.kubelet_fault(parsed, spec["usages"], pkcs10.CLIENT_SIGNER, self._minor):
            return None
        user = User(spec["username"], tuple(spec.get("groups", ())), extra=spec.get("extra", {}))
        own = pkcs10.common_name(spec["request"]) == user.name
        kinds = {"selfnodeclient": "self kubelet client", "nodeclient": "kubelet client"}
        group, plural = self._resource.key
        for permission, kind in list(kinds.items())[not own :]:
            wanted = Attributes(user, "create", "", group, "*", plural, permission)
            if self._authorizer.refusal(wanted) is None:
                return f"Auto approving {kind} certificate after SubjectAccessReview."
        return None

    def _sign(self, key: Key, csr: dict[str, Any]) -> None:
        spec = csr["spec"]
        signer = spec.get("signerName") if self._minor >= _SIGNER_NAME_SINCE else pkcs10.LEGACY_SIGNER
        known = (pkcs10.CLIENT_SIGNER, pkcs10.SERVING_SIGNER, pkcs10.API_CLIENT_SIGNER, pkcs10.LEGACY_SIGNER)
        if signer not in known:
            return
        parsed = pkcs10.parse(spec["request"])
        fault = _fault(parsed, spec["usages"], signer, self._minor)
        if fault is None:
            seconds = spec.get("expirationSeconds")
            pem = self._authority.sign(parsed, spec["usages"], seconds, self._minor)
            status = {**csr["status"], "certificate": base64.b64encode(pem).decode()}
            self._store.replace(self._resource, key, {**csr, "status": status})
        elif self._minor >= _FAILED_SINCE:
            self._condition(key, csr, "Failed", "SignerValidationFailure", fault)

    def _condition(self, key: Key, csr: dict[str, Any], kind: str, reason: str, message: str) -> None:
        condition = {
            "type": kind, "status": "True", "reason": reason, "message": message,
            "lastUpdateTime": now(), "lastTransitionTime": now(),
        }  # fmt: skip
        status = {**csr["status"], "conditions": [*csr["status"].get("conditions", ()), condition]}
        self._store.replace(self._resource, key, {**csr, "status": status})


def _names(parsed: x509.CertificateSigningRequest) -> list[x509.GeneralName]:
    kinds = {
        "DNS": x509.DNSName, "Email": x509.RFC822Name, "IP": x509.IPAddress,
        "URI": x509.UniformResourceIdentifier,
    }  # fmt: skip
    found = pkcs10.alternative_names(parsed)
    return [kinds[kind](value) for kind in kinds for value in found[kind]]


def _fault(parsed: x509.CertificateSigningRequest, usages: list[str], signer: str, minor: int) -> str | None:
    if signer in (pkcs10.CLIENT_SIGNER, pkcs10.SERVING_SIGNER):
        return pkcs10.kubelet_fault(parsed, usages, signer, minor)
    if signer == pkcs10.LEGACY_SIGNER:
        return None
    for usage in usages:
        if usage not in ("digital signature", "key encipherment", "client auth"):
            return f"invalid usage for client certificate: {usage}"
    return None if "client auth" in usages else "missing required usage for client certificate: client auth"
