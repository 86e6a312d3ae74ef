"""The master's authority: whether a minion's request is the one that its pillar stands for, and the signing.

Pure: no Salt, no I/O. The certificate is built from the pillar; a request gives its public key and nothing
else. It is compared all the same, so that what asks for more is refused, in words for the audit log.
"""

from __future__ import annotations

import base64
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import kube_node_static as static
import kubelet_csr_content as content
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from kubelet_csr_case import DENY, Case, Finding, check, show
from kubelet_csr_der import Unreadable

# A machine whose clock is a little late still takes a certificate made this second.
CLOCK_SKEW = timedelta(minutes=5)


class Authority(NamedTuple):
    """A cluster's CA certificate and its private key."""

    certificate: x509.Certificate
    key: Any


def authority(certificate: bytes, key: bytes) -> Authority:
    """Return a cluster's authority.

    Args:
        certificate: PEM; the first one counts.
        key: PEM, not encrypted.

    Raises:
        ValueError: one of them cannot be read, they do not belong together, or it is no CA.
    """
    found = x509.load_pem_x509_certificates(certificate)[0]
    secret = serialization.load_pem_private_key(key, password=None)
    if secret.public_key() != found.public_key():
        raise ValueError("the key is not that of the certificate")
    constraints = found.extensions.get_extension_for_class(x509.BasicConstraints).value
    if not constraints.ca:
        raise ValueError("the certificate is none of a CA")
    return Authority(found, secret)


def judge(request: str, one: dict[str, Any], policy: dict[str, Any]) -> tuple[Case, str | None, str]:
    """Judge a minion's request for a certificate of its node's.

    Args:
        request: PEM as the minion sent it; any text.
        one: what the pillar stands for, as `kube_node_static.wanted` returns it.
        policy: of `kubelet_csr_policy.decide`, for its rules on keys.

    Returns:
        The request as a case, the rule by which it is refused or None, and a sentence.
    """
    spec = {"request": base64.b64encode(request.encode("utf-8", "replace")).decode()}
    case = Case({"spec": spec}, {}, policy)
    for rule in RULES:
        try:
            finding = rule(case, one) if rule in OWN else rule(case)
        except (Unreadable, ValueError) as error:
            finding = Finding("a certificate request", f"what can't be read ({show(str(error))})", DENY)
        if finding.verdict:
            return case, rule.__name__, finding.message
    return case, None, f"The request is for {show(static.subject(one).rfc4514_string())}, as the pillar says."


def subject(case: Case, one: dict[str, Any]) -> Finding:
    """The subject is the pillar's, byte by byte. Threat: system:masters, another node."""
    wanted, found = static.subject(one), _read(case).subject
    right = wanted.public_bytes() == found.public_bytes()
    return check(right, DENY, show(wanted.rfc4514_string()), show(found.rfc4514_string()), _TODO)


def names(case: Case, one: dict[str, Any]) -> Finding:
    """The names are those that the pillar stands for, and no other extension is asked for."""
    extensions, wanted = list(_read(case).extensions), static.alternative_names(one)
    values = [extension.value for extension in extensions]
    right = values == ([wanted] if wanted else [])
    found = ", ".join(map(_shown, values[:5])) or "none"
    return check(right, DENY, f"the names {', '.join(one['hosts']) or 'none'}", found, _TODO)


def sign(case: Case, one: dict[str, Any], by: Authority, now: datetime) -> str:
    """Return a certificate, as PEM, of the request's public key and of nothing else that it says.

    Args:
        case: as `judge` returns it.
        one: what the pillar stands for.
        by: who signs.
        now: with a time zone.
    """
    key, issuer = _read(case).public_key(), by.certificate
    builder = (
        x509.CertificateBuilder(
            issuer_name=issuer.subject,
            subject_name=static.subject(one),
            public_key=key,
            serial_number=x509.random_serial_number(),
            not_valid_before=now - CLOCK_SKEW,
            not_valid_after=min(now + timedelta(days=one["days"]), issuer.not_valid_after_utc),
        )
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(), critical=True)
        .add_extension(static.purposes(one), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.public_key()), critical=False
        )
    )
    if wanted := static.alternative_names(one):
        builder = builder.add_extension(wanted, critical=False)
    return builder.sign(by.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()


def _usage() -> x509.KeyUsage:
    given = ("digital_signature", "key_encipherment")
    others = ("content_commitment", "data_encipherment", "key_agreement", "key_cert_sign", "crl_sign")
    only = ("encipher_only", "decipher_only")
    return x509.KeyUsage(**dict.fromkeys(given, True), **dict.fromkeys((*others, *only), False))


def _read(case: Case) -> x509.CertificateSigningRequest:
    return x509.load_der_x509_csr(case.der)


def _shown(value: Any) -> str:
    if isinstance(value, x509.SubjectAlternativeName):
        return show(", ".join(static.hosts_of(value)))
    return "another extension"


_TODO = "if the minion is honest its pillar is an old one: saltutil.refresh_pillar there"
OWN = (subject, names)
RULES = (
    content.request_size,
    content.request_pem,
    content.request_der,
    content.request_version,
    content.key_algorithm,
    content.ec_point,
    content.rsa_size,
    content.rsa_exponent,
    content.signature_algorithm,
    content.proof_of_possession,
    *OWN,
)
