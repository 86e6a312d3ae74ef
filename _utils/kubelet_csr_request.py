"""What a kubelet's certificate request (spec.request) says, read byte by byte.

Python's and Go's parsers disagree on one hostile request in twenty, and what one of them overlooks the
signer may put into a certificate. So the request is read here, and `not_canonical` writes what was read
again: only a request that gives the same bytes has one meaning for everybody.

Source: RFC 2986 (PKCS #10), RFC 5280 §4.2.1.6 (names), RFC 8017 §A.1.1 (RSA keys).
"""

import hashlib
from base64 import urlsafe_b64encode
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, NamedTuple

import kubelet_csr_der as der
import kubelet_csr_keys as keys
import kubelet_csr_pem as pem
from cryptography.hazmat.primitives import hashes

ORGANIZATION = keys.oid("55040a")
COMMON_NAME = keys.oid("550403")
EXTENSION_REQUEST = keys.oid("2a864886f70d01090e")
SUBJECT_ALT_NAME = keys.oid("551d11")
DNS_NAME = 0x82
IP_ADDRESS = 0x87

# `outline` reads a request before any policy is at hand.
_OUTLINE_BYTES = 16384


_USUAL_BYTES = 1024


class Attribute(NamedTuple):
    """One attribute of a subject: its type, the tag of its string type, and the string's bytes."""

    oid: bytes
    tag: int
    value: bytes


class Extension(NamedTuple):
    """One X.509 extension that is asked for."""

    oid: bytes
    critical: bool
    value: bytes


class Name(NamedTuple):
    """One GeneralName: its tag says the type (DNS_NAME, IP_ADDRESS, others)."""

    tag: int
    value: bytes


@dataclass(frozen=True)
class Request:
    """A certificate request as it was read; algorithms and attribute values keep their DER."""

    version: int
    subject: tuple[tuple[Attribute, ...], ...]
    key_algorithm: bytes
    key: bytes
    attributes: tuple[tuple[bytes, tuple[bytes, ...]], ...]
    signed: bytes
    signature_algorithm: bytes
    signature: bytes
    rsa: tuple[int, int] | None
    extensions: tuple[Extension, ...]
    names: tuple[Name, ...]

    @property
    def key_kind(self) -> str:
        """EC, RSA or other, by the key's algorithm."""
        return keys.kind(self.key_algorithm)

    @property
    def spki(self) -> bytes:
        """The key's SubjectPublicKeyInfo in DER."""
        return der.write(der.SEQUENCE, self.key_algorithm, der.write_bits(self.key))

    @cached_property
    def spki_sha256(self) -> str:
        """The SubjectPublicKeyInfo's SHA-256 in hex: what a minion attests."""
        return hashlib.sha256(self.spki).hexdigest()

    @property
    def is_signed_by_its_key(self) -> bool:
        """Whether the signature over the request is the key's own: proof of possession."""
        return keys.is_signed_by(self.spki, self.signed, self.signature_algorithm, self.signature)

    def first(self, oid: bytes) -> bytes | None:
        """The bytes of the subject's first attribute of this type."""
        return next((item.value for rdn in self.subject for item in rdn if item.oid == oid), None)


def read(data: bytes) -> Request:
    """Read a CertificationRequest (RFC 2986 §4).

    An `outline` of it comes before its judge, so one of usual size is kept for him.

    Raises:
        Unreadable: an element is missing, of another type or cut short.
    """
    return _read_usual(data) if len(data) <= _USUAL_BYTES else _read(data)


def _read(data: bytes) -> Request:
    info, signature_algorithm, signature, *_ = der.children(der.first(data), der.SEQUENCE, 3)
    version, subject, spki, attributes, *_ = der.children(info, der.SEQUENCE, 4)
    key_algorithm, key, *_ = der.children(spki, der.SEQUENCE, 2)
    wanted = tuple(_read_attribute(item) for item in der.children(attributes, der.CONTEXT_0))
    extensions = _read_extensions(wanted)
    return Request(
        version=der.integer(version),
        subject=tuple(_read_rdn(rdn) for rdn in der.children(subject, der.SEQUENCE)),
        key_algorithm=key_algorithm.raw,
        key=der.bits(key),
        attributes=wanted,
        signed=info.raw,
        signature_algorithm=signature_algorithm.raw,
        signature=der.bits(signature),
        rsa=_read_rsa(der.bits(key)) if key_algorithm.raw == keys.RSA else None,
        extensions=extensions,
        names=_read_names(extensions),
    )


def _read_rdn(rdn: der.Element) -> tuple[Attribute, ...]:
    pairs = (der.children(item, der.SEQUENCE, 2) for item in der.children(rdn, der.SET))
    return tuple(Attribute(oid.raw, value.tag, value.content) for oid, value, *_ in pairs)


def _read_attribute(attribute: der.Element) -> tuple[bytes, tuple[bytes, ...]]:
    oid, values, *_ = der.children(attribute, der.SEQUENCE, 2)
    return oid.raw, tuple(value.raw for value in der.children(values, der.SET))


def _extension_request(attributes: Iterable[tuple[bytes, tuple[bytes, ...]]]) -> bytes | None:
    return next((values[0] for oid, values in attributes if oid == EXTENSION_REQUEST and values), None)


def _read_extensions(attributes: Iterable[tuple[bytes, tuple[bytes, ...]]]) -> tuple[Extension, ...]:
    value = _extension_request(attributes)
    if value is None:
        return ()
    found = []
    for item in der.children(der.first(value), der.SEQUENCE):
        oid, *flag, octets = der.children(item, der.SEQUENCE, 2)[:3]
        critical = bool(flag) and der.content(flag[0], der.BOOLEAN) != b"\0"
        found.append(Extension(oid.raw, critical, der.content(octets, der.OCTET_STRING)))
    return tuple(found)


def _alt_names(extensions: Iterable[Extension]) -> bytes | None:
    return next((item.value for item in extensions if item.oid == SUBJECT_ALT_NAME), None)


def _read_names(extensions: Iterable[Extension]) -> tuple[Name, ...]:
    value = _alt_names(extensions)
    if value is None:
        return ()
    return tuple(Name(item.tag, item.content) for item in der.children(der.first(value), der.SEQUENCE))


def _read_rsa(key: bytes) -> tuple[int, int]:
    modulus, exponent, *_ = der.children(der.first(key), der.SEQUENCE, 2)
    return der.integer(modulus), der.integer(exponent)


def not_canonical(request: Request, data: bytes) -> str | None:
    """The part of a request that, written again in DER, gives other bytes than it was read from, or None."""
    written = {
        "request": (_write(request), data),
        "RSA key": (_write_rsa(request.rsa) if request.rsa else request.key, request.key),
        "extensions": (_write_extensions(request.extensions), _extension_request(request.attributes)),
        "alternative names": (_write_names(request.names), _alt_names(request.extensions)),
    }
    return next((part for part, (again, was) in written.items() if was not in (again, None)), None)


def _write(request: Request) -> bytes:
    subject = (der.write(der.SET, *map(_write_subject_attribute, rdn)) for rdn in request.subject)
    attributes = (
        der.write(der.SEQUENCE, oid, der.write(der.SET, *values)) for oid, values in request.attributes
    )
    info = der.write(
        der.SEQUENCE,
        der.write_integer(request.version),
        der.write(der.SEQUENCE, *subject),
        request.spki,
        der.write(der.CONTEXT_0, *attributes),
    )
    return der.write(der.SEQUENCE, info, request.signature_algorithm, der.write_bits(request.signature))


def _write_subject_attribute(attribute: Attribute) -> bytes:
    return der.write(der.SEQUENCE, attribute.oid, der.write(attribute.tag, attribute.value))


def _write_rsa(numbers: tuple[int, int]) -> bytes:
    return der.write(der.SEQUENCE, *map(der.write_integer, numbers))


def _write_extensions(extensions: Iterable[Extension]) -> bytes:
    flag = der.write(der.BOOLEAN, b"\xff")
    items = (
        der.write(der.SEQUENCE, oid, flag if critical else b"", der.write(der.OCTET_STRING, value))
        for oid, critical, value in extensions
    )
    return der.write(der.SEQUENCE, *items)


def _write_names(names: Iterable[Name]) -> bytes:
    return der.write(der.SEQUENCE, *(der.write(tag, value) for tag, value in names))


def digested_name(request: Request, usages: Iterable[str]) -> str:
    """The name that a kubelet since 1.16 gives its first client CSR when it does not rotate certificates.

    Up to 1.15 the digest is over the private key's PEM instead, which nobody but the kubelet can compute.
    Source: pkg/kubelet/certificate/bootstrap/bootstrap.go, digestedName.
    """
    organizations = [item.value for rdn in request.subject for item in rdn if item.oid == ORGANIZATION]
    digest = hashes.Hash(hashes.SHA512_256())
    for item in (request.spki, request.first(COMMON_NAME) or b"", *organizations, *map(str.encode, usages)):
        digest.update(_raw_url(item) + b"|")
    return "node-csr-" + _raw_url(digest.finalize()).decode("ascii")


def _raw_url(data: bytes) -> bytes:
    return urlsafe_b64encode(data).rstrip(b"=")


class Outline(NamedTuple):
    """What to gather facts by before anything is judged; each may be None."""

    node: str | None
    spki_sha256: str | None


@lru_cache(maxsize=1024)
def _read_usual(data: bytes) -> Request:
    return _read(data)


def outline(csr: Any) -> Outline:
    """Say for which node a CSR object is, and with which key; never raises, proves nothing.

    Args:
        csr: the API object as JSON gives it, nothing in it trusted.

    Returns:
        The node's name after `system:node:` and the SHA-256 of the key's SubjectPublicKeyInfo in hex.
    """
    spec = csr.get("spec") if isinstance(csr, dict) else None
    text = spec.get("request") if isinstance(spec, dict) else None
    if not isinstance(text, str) or pem.decoded_size(text) > _OUTLINE_BYTES:
        return Outline(None, None)
    try:
        request = read(pem.from_pem(pem.from_base64(text)))
    except der.Unreadable:
        return Outline(None, None)
    name = (request.first(COMMON_NAME) or b"").decode("ascii", "replace")
    node = name.removeprefix("system:node:")
    return Outline(node if node != name else None, request.spki_sha256)
