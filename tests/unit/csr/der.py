"""Hand-made DER, and hand-made requests: everything that cryptography refuses to write.

Nothing here is shared with the code under test, so that a fault of one is not a fault of both.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterable

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, padding
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

NULL = b"\x05\x00"
Parts = Iterable[bytes]


def length(size: int, extra: int = 0) -> bytes:
    """The length bytes of DER, or with `extra` more leading zero bytes than DER allows."""
    if size < 0x80 and not extra:
        return bytes((size,))
    digits = size.to_bytes(max(1, (size.bit_length() + 7) // 8) + max(0, extra - (size < 0x80)), "big")
    return bytes((0x80 | len(digits),)) + digits


def tlv(tag: int, *parts: bytes, extra: int = 0) -> bytes:
    body = b"".join(parts)
    return bytes((tag,)) + length(len(body), extra) + body


def seq(*parts: bytes, extra: int = 0) -> bytes:
    return tlv(0x30, *parts, extra=extra)


def set_of(*parts: bytes) -> bytes:
    return tlv(0x31, *parts)


def integer(value: int) -> bytes:
    return tlv(0x02, value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True))


def octets(value: bytes) -> bytes:
    return tlv(0x04, value)


def bits(value: bytes, unused: int = 0) -> bytes:
    return tlv(0x03, bytes((unused,)), value)


def oid(dotted: str) -> bytes:
    first, second, *rest = map(int, dotted.split("."))
    out = bytearray((first * 40 + second,))
    for arc in rest:
        digits = [arc & 0x7F]
        while arc := arc >> 7:
            digits.append(arc & 0x7F | 0x80)
        out += bytes(reversed(digits))
    return tlv(0x06, bytes(out))


O = oid("2.5.4.10")  # noqa: E741
CN = oid("2.5.4.3")
OU = oid("2.5.4.11")
EMAIL = oid("1.2.840.113549.1.9.1")
EXTENSION_REQUEST = oid("1.2.840.113549.1.9.14")
MICROSOFT_EXTENSIONS = oid("1.3.6.1.4.1.311.2.1.14")
CHALLENGE_PASSWORD = oid("1.2.840.113549.1.9.7")
SAN = oid("2.5.29.17")
BASIC_CONSTRAINTS = oid("2.5.29.19")
KEY_USAGE = oid("2.5.29.15")

UTF8, PRINTABLE, TELETEX, IA5, UNIVERSAL, BMP = 0x0C, 0x13, 0x14, 0x16, 0x1C, 0x1E


def attribute(kind: bytes, value: bytes | str, tag: int = UTF8) -> bytes:
    """One attribute of a subject."""
    return seq(kind, tlv(tag, value.encode() if isinstance(value, str) else value))


def subject(*rdns: bytes) -> bytes:
    """A subject of RDNs of one attribute each."""
    return seq(*(set_of(rdn) for rdn in rdns))


def node_subject(name: bytes | str, tag: int = UTF8) -> bytes:
    """The subject of a node, with the strings of this type."""
    return subject(attribute(O, "system:nodes", tag), attribute(CN, name, tag))


ECDSA = {
    "sha1": seq(oid("1.2.840.10045.4.1")),
    "sha224": seq(oid("1.2.840.10045.4.3.1")),
    "sha256": seq(oid("1.2.840.10045.4.3.2")),
    "sha384": seq(oid("1.2.840.10045.4.3.3")),
    "sha512": seq(oid("1.2.840.10045.4.3.4")),
}
RSA = {
    "md5": seq(oid("1.2.840.113549.1.1.4"), NULL),
    "sha1": seq(oid("1.2.840.113549.1.1.5"), NULL),
    "sha224": seq(oid("1.2.840.113549.1.1.14"), NULL),
    "sha256": seq(oid("1.2.840.113549.1.1.11"), NULL),
    "sha384": seq(oid("1.2.840.113549.1.1.12"), NULL),
    "sha512": seq(oid("1.2.840.113549.1.1.13"), NULL),
}
RSA_ENCRYPTION = seq(oid("1.2.840.113549.1.1.1"), NULL)
RSA_PSS = oid("1.2.840.113549.1.1.10")
_HASH = {
    "md5": hashes.MD5,
    "sha1": hashes.SHA1,
    "sha224": hashes.SHA224,
    "sha256": hashes.SHA256,
    "sha384": hashes.SHA384,
    "sha512": hashes.SHA512,
}


def spki(key: PrivateKeyTypes) -> bytes:
    """The key's SubjectPublicKeyInfo."""
    if hasattr(key, "spki"):
        return key.spki
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def sign(key: PrivateKeyTypes, data: bytes, hash_name: str = "sha256") -> tuple[bytes, bytes]:
    """The signature's AlgorithmIdentifier and the signature."""
    algorithm = _HASH[hash_name]()
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return ECDSA[hash_name], key.sign(data, ec.ECDSA(algorithm))
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return seq(oid("1.3.101.112")), key.sign(data)
    if isinstance(key, ed448.Ed448PrivateKey):
        return seq(oid("1.3.101.113")), key.sign(data)
    return RSA[hash_name], key.sign(data, padding.PKCS1v15(), algorithm)


def request(
    key: PrivateKeyTypes,
    subject: bytes,
    attributes: Parts = (),
    *,
    version: bytes = integer(0),
    key_info: bytes | None = None,
    info: Callable[..., bytes] = seq,
    hash_name: str = "sha256",
    algorithm: bytes | None = None,
    signature: Callable[[bytes], bytes] = bytes,
    outer: Callable[..., bytes] = seq,
) -> bytes:
    """A signed request of these parts; `info` and `outer` write its sequences, `signature` may change it."""
    parts = (version, subject, key_info or spki(key), tlv(0xA0, *attributes))
    signed = info(*parts)
    named, value = sign(key, signed, hash_name)
    return outer(signed, algorithm or named, bits(signature(value)))


def extension(kind: bytes, value: bytes, critical: bytes = b"") -> bytes:
    return seq(kind, critical, octets(value))


def extension_request(*extensions: bytes, kind: bytes = EXTENSION_REQUEST) -> bytes:
    """The attribute that asks for extensions."""
    return seq(kind, set_of(seq(*extensions)))


def dns(name: bytes | str) -> bytes:
    return tlv(0x82, name.encode() if isinstance(name, str) else name)


def ip(value: bytes) -> bytes:
    return tlv(0x87, value)


def names(*items: bytes, critical: bytes = b"") -> bytes:
    """The subject alternative name extension."""
    return extension(SAN, seq(*items), critical)


def pem(
    data: bytes,
    label: str = "CERTIFICATE REQUEST",
    *,
    columns: int = 64,
    eol: str = "\n",
    headers: str = "",
) -> str:
    body = base64.b64encode(data).decode()
    lines = [body[at : at + columns] for at in range(0, len(body), columns)]
    return f"-----BEGIN {label}-----{eol}{headers}{eol.join(lines)}{eol}-----END {label}-----{eol}"


def b64(text: str | bytes) -> str:
    return base64.b64encode(text.encode() if isinstance(text, str) else text).decode()


def digested_name(key_info: bytes, node: str, usages: Iterable[str]) -> str:
    """The name of a kubelet's first request, as bootstrap.go makes it."""
    items = [key_info, f"system:node:{node}".encode(), b"system:nodes", *(usage.encode() for usage in usages)]
    stream = b"".join(base64.urlsafe_b64encode(item).rstrip(b"=") + b"|" for item in items)
    digest = hashlib.new("sha512_256", stream).digest()
    return "node-csr-" + base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
