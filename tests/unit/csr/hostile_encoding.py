"""Requests that two parsers may read differently, or that only one of them reads."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from functools import partial
from typing import Any

from unit.csr import der, keys
from unit.csr.der import attribute, integer, seq, set_of, tlv
from unit.csr.samples import NAMES, SERVING, TOKEN, Sample, sample

PEM = "CERTIFICATE REQUEST"


def sizes() -> Iterator[Sample]:
    padding = {"text": lambda data: der.b64(der.pem(data) + "\n" * 16384)}
    yield sample("16 KiB of empty lines", "request_size", **padding)
    yield sample("10 MB of one letter", "request_size", csr={"spec.request": "A" * 10_000_000})
    yield sample("more than the policy allows", "request_size", policy={"max_request_bytes": 300})
    many = [f"worker-1-{number}.example.com" for number in range(600)]
    names = [der.extension_request(der.names(*map(der.dns, many)))]
    yield sample(
        "600 names of the pillar", "request_size", SERVING, attributes=names, facts={"node.dns_names": many}
    )


def base64_forms() -> Iterator[Sample]:
    def text(name: str, change: Any, flow: str = TOKEN) -> Sample:
        return sample(name, "request_base64", flow, text=lambda data: change(der.b64(der.pem(data))))

    yield text("base64 with line breaks", lambda text: "\n".join((text[:76], text[76:])), SERVING)
    yield text("base64 with CRLF at its end", lambda text: text + "\r\n")
    yield text("base64 with a space before it", lambda text: " " + text)
    yield text("base64 with a NUL", lambda text: text[:8] + "\0" + text[8:])
    yield text("base64 with a surrogate", lambda text: text[:8] + "\ud800" + text[8:])
    yield text("base64 with another alphabet's letter", lambda text: text + "\u0430")
    yield text("base64 with an exclamation mark", lambda text: text[:4] + "!" + text[4:])
    yield text("base64 after its padding", lambda text: text.rstrip("=") + "====" + "QUJD")
    yield text("base64 without letters", lambda _: "====")
    yield text("base64 of one letter", lambda _: "A")
    loose = partial(_with_padding, change=lambda text: text[:-2] + chr(ord(text[-2]) + 1) + "=")
    yield sample("base64 with loose bits", "request_base64", text=loose)
    yield sample(
        "base64 without its padding",
        "request_base64",
        text=partial(_with_padding, change=lambda text: text[:-1]),
    )
    yield sample(
        "base64 with more padding",
        "request_base64",
        text=partial(_with_padding, change=lambda text: text + "="),
    )
    url = partial(
        _with_padding, change=lambda text: base64.urlsafe_b64encode(base64.b64decode(text)).decode() + "-_"
    )
    yield sample("URL-safe base64", "request_base64", text=url)


def _with_padding(data: bytes, change: Any) -> str:
    """The base64 of a PEM that leaves one byte to pad; a line break more does no harm to what is tested."""
    text = der.pem(data)
    return change(der.b64(text + "\n" * ((2 - len(text)) % 3)))


def pem_forms() -> Iterator[Sample]:
    def pem(name: str, change: Any, flow: str = TOKEN) -> Sample:
        return sample(name, "request_pem", flow, text=lambda data: der.b64(change(data)))

    other = der.request(keys.curve("P-256", 1), der.node_subject("system:node:worker-2"))
    yield pem("a second block", lambda data: der.pem(data) + der.pem(other), SERVING)
    yield pem("the same block twice", lambda data: der.pem(data) * 2)
    yield pem("a certificate before it", lambda data: der.pem(b"0\0", "CERTIFICATE") + der.pem(data))
    yield pem("a key after it", lambda data: der.pem(data) + der.pem(b"0\0", "EC PRIVATE KEY"))
    yield pem("text before it", lambda data: "subject=CN=worker-1\n" + der.pem(data))
    yield pem("text after it", lambda data: der.pem(data) + "x")
    yield pem("an empty line before it", lambda data: "\n" + der.pem(data))
    yield pem("an empty line after it", lambda data: der.pem(data) + "\n")
    yield pem("a byte order mark", lambda data: "\ufeff" + der.pem(data))
    yield pem("no line break at its end", lambda data: der.pem(data).rstrip())
    yield pem("CRLF", lambda data: der.pem(data, eol="\r\n"))
    yield pem("CR alone", lambda data: der.pem(data, eol="\r"))
    yield pem("lines of 76 columns", lambda data: der.pem(data, columns=76))
    yield pem("one long line", lambda data: der.pem(data, columns=10_000))
    yield pem("headers", lambda data: der.pem(data, headers="Proc-Type: 4,ENCRYPTED\n\n"))
    yield pem("an empty line within", lambda data: der.pem(data, headers="\n"))
    yield pem("spaces at the ends of lines", lambda data: der.pem(data, eol=" \n"))
    yield pem("NEW CERTIFICATE REQUEST", lambda data: der.pem(data, f"NEW {PEM}"))
    yield pem("a certificate's label", lambda data: der.pem(data, "CERTIFICATE"))
    yield pem("a label of lower case", lambda data: der.pem(data, PEM.lower()))
    yield pem("two labels", lambda data: der.pem(data).replace("END CERT", "END NEW CERT"))
    yield pem("no end", lambda data: der.pem(data).partition("-----END")[0])
    yield pem("loose bits within", lambda _: der.pem(b"").replace("\n-----END", "MB==\n-----END"))
    yield pem("no base64 within", lambda _: f"-----BEGIN {PEM}-----\nA\n-----END {PEM}-----\n")
    yield pem("DER without PEM", lambda data: data)
    yield pem("nothing", lambda _: b"")
    yield pem("an empty block", lambda _: der.pem(b""))
    yield sample("no request", "request_pem", csr={"spec.request": None})


def der_forms() -> Iterator[Sample]:
    def form(name: str, flow: str = TOKEN, **changes: Any) -> Sample:
        return sample(name, "request_der", flow, **changes)

    long = partial(seq, extra=1)
    yield form("a long length outside", outer=long)
    yield form("a length with two zeros outside", SERVING, outer=partial(seq, extra=2))
    yield form("a long length inside", info=long)
    yield form("a long length in the subject", subject=seq(*_rdns(), extra=1))
    yield form("a long version", version=b"\x02\x81\x01\x00")
    yield form("a version of two bytes", version=b"\x02\x02\x00\x00")
    yield form("an empty version", version=b"\x02\x00")
    yield form("an element after the request", outer=lambda *parts: seq(*parts) + der.NULL)
    yield form("a byte after the request", outer=lambda *parts: seq(*parts) + b"\0")
    yield form("an element after the signature", outer=lambda *parts: seq(*parts, der.NULL))
    yield form("an element after the attributes", SERVING, info=lambda *parts: seq(*parts, der.NULL))
    yield form("an element in the version's place too", info=lambda *parts: seq(*parts, integer(0)))
    yield form("an indefinite length", outer=lambda *parts: b"\x30\x80" + b"".join(parts) + b"\0\0")
    yield form("a length of five bytes", outer=lambda *parts: _five_bytes(b"".join(parts)))
    yield form("no attributes at all", info=lambda *parts: seq(*parts[:3]))
    yield form("attributes that are primitive", info=lambda *parts: seq(*parts[:3], tlv(0x80)))
    yield form("attributes as a SET", info=lambda *parts: seq(*parts[:3], set_of()))
    yield form("a request cut short", outer=lambda *parts: seq(*parts)[:-1])
    yield form("a request of two elements", outer=lambda *parts: seq(*parts[:2]))
    yield form("a SET as the request", outer=lambda *parts: set_of(*parts))
    yield form("a subject that is a SET", subject=set_of(*_rdns()))
    yield form("an RDN that is a SEQUENCE", subject=seq(*(seq(attribute(der.O, "system:nodes")),) * 2))
    yield form(
        "an element after the common name",
        subject=_subject(seq(der.CN, tlv(der.UTF8, b"system:node:worker-1"), der.NULL)),
    )
    yield form("an element after the key", key_info=_key_info(after=der.NULL))
    yield form("a key with unused bits", key_info=_key_info(unused=1))
    yield form("a key that is an OCTET STRING", key_info=seq(_algorithm(), der.octets(b"\4")))
    yield form(
        "a signature with unused bits",
        outer=lambda info, name, value: seq(info, name, value[:2] + b"\1" + value[3:]),
    )
    yield form("a long length in the attribute", SERVING, attributes=[_request(extra=1)])
    yield form("an element after the extension", SERVING, attributes=[_request(after=der.NULL)])
    yield form("a critical flag of false", SERVING, attributes=[_request(critical=b"\1\1\0")])
    yield form("a critical flag of 1", SERVING, attributes=[_request(critical=b"\1\1\1")])
    yield form("a critical flag that is a number", SERVING, attributes=[_request(critical=b"\2\1\0")])
    yield form("a long length in the names", SERVING, attributes=[_request(names=seq(*NAMES, extra=1))])
    yield form("a byte after the names", SERVING, attributes=[_request(names=seq(*NAMES) + b"\0")])
    yield form(
        "a long length in a name", SERVING, attributes=[_request(names=seq(tlv(0x82, b"worker-1", extra=1)))]
    )
    yield form("names that are a SET", SERVING, attributes=[_request(names=set_of(*NAMES))])
    yield form("names that are nothing", SERVING, attributes=[_request(names=b"")])
    yield form("an RSA modulus with a zero more", key=_long_rsa(), key_info=_long_rsa().spki)
    yield form(
        "a byte after the RSA key", key=keys.rsa_of(5), key_info=_rsa_key(seq(*_rsa_numbers()) + b"\0")
    )
    yield form(
        "an RSA key of three numbers", key=keys.rsa_of(5), key_info=_rsa_key(seq(*_rsa_numbers(), integer(0)))
    )
    yield form("an RSA key of one number", key=keys.rsa_of(5), key_info=_rsa_key(seq(_rsa_numbers()[0])))
    yield form("garbage", text=lambda _: der.b64(der.pem(bytes(range(256)))))
    yield form("zeros", text=lambda _: der.b64(der.pem(bytes(4000))))
    yield form("sequences within sequences", text=lambda _: der.b64(der.pem(_nested(2000))))


def versions() -> Iterator[Sample]:
    for version in (1, 2, 3, -1, 127, 128, 2**64, 2**4000):
        name = f"version of {version.bit_length()} bits" if version > 128 else f"version {version}"
        yield sample(name, "request_version", version=integer(version))
    yield sample("version 1 of a serving request", "request_version", SERVING, version=integer(1))


def _rdns() -> list[bytes]:
    return [set_of(attribute(der.O, "system:nodes")), set_of(attribute(der.CN, "system:node:worker-1"))]


def _subject(common_name: bytes) -> bytes:
    return der.subject(attribute(der.O, "system:nodes"), common_name)


def _five_bytes(body: bytes) -> bytes:
    return b"\x30\x85" + len(body).to_bytes(5, "big") + body


def _algorithm() -> bytes:
    return seq(der.oid("1.2.840.10045.2.1"), der.oid("1.2.840.10045.3.1.7"))


def _key_info(unused: int = 0, after: bytes = b"") -> bytes:
    numbers = keys.curve("P-256").public_key().public_numbers()
    point = b"\4" + numbers.x.to_bytes(32, "big") + numbers.y.to_bytes(32, "big")
    return seq(_algorithm(), der.bits(point, unused), after)


def _request(names: bytes | None = None, critical: bytes = b"", after: bytes = b"", extra: int = 0) -> bytes:
    """An extension request, each part of which may be wrong."""
    value = seq(*NAMES) if names is None else names
    return seq(
        der.EXTENSION_REQUEST, set_of(seq(seq(der.SAN, critical, der.octets(value), after), extra=extra))
    )


def _rsa_numbers() -> list[bytes]:
    return [integer(keys.rsa_of(5).modulus), integer(65537)]


def _rsa_key(key: bytes) -> bytes:
    return seq(der.RSA_ENCRYPTION, der.bits(key))


def _long_rsa() -> Any:
    return keys.LongRsa(keys.rsa_of(5).primes, 65537)


def _nested(depth: int) -> bytes:
    data = b""
    for _ in range(depth):
        data = seq(data)
    return data


def samples() -> Iterator[Sample]:
    yield from sizes()
    yield from base64_forms()
    yield from pem_forms()
    yield from der_forms()
    yield from versions()
