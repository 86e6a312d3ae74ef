"""The wrapping of a certificate request in spec.request: base64 around one PEM block.

The readers are forgiving and the writers know one way only: a wrapping is right if writing what was read
gives the same again. Python takes a first block of another type or `NEW CERTIFICATE REQUEST`, Go takes base64
with newlines; neither is the one way.

Source: RFC 4648 §4 (base64), RFC 7468 §3 (PEM), Go's encoding/pem.
"""

from __future__ import annotations

import binascii
from base64 import b64encode

from kubelet_csr_der import Unreadable

_BEGIN = b"-----BEGIN CERTIFICATE REQUEST-----"
_END = b"-----END CERTIFICATE REQUEST-----"
_COLUMNS = 64


def decoded_size(text: str) -> int:
    """The number of bytes that base64 text stands for, told by its length alone."""
    return len(text) * 3 // 4 - text[-2:].count("=")


def from_base64(text: str) -> bytes:
    """Decode base64, skipping what does not belong; `to_base64` shows whether something was skipped.

    Raises:
        Unreadable: it can't be decoded at all.
    """
    return _decode(text.encode("ascii", "replace"))


def to_base64(data: bytes) -> str:
    """Canonical base64: one line, padded."""
    return b64encode(data).decode("ascii")


def from_pem(data: bytes) -> bytes:
    """The bytes of the first certificate request; `to_pem` shows whether that was all there is.

    Raises:
        Unreadable: there is none.
    """
    _, begin, rest = data.partition(_BEGIN)
    body, end, _ = rest.partition(_END)
    if not begin or not end:
        raise Unreadable("no PEM block CERTIFICATE REQUEST")
    return _decode(b"".join(line for line in body.splitlines() if b":" not in line))


def to_pem(data: bytes) -> bytes:
    """The one PEM block as Go's encoding/pem and OpenSSL write it: 64 columns, LF, no headers."""
    body = b64encode(data)
    lines = [body[at : at + _COLUMNS] for at in range(0, len(body), _COLUMNS)]
    return b"\n".join((_BEGIN, *lines, _END, b""))


def _decode(data: bytes) -> bytes:
    try:
        return binascii.a2b_base64(data)
    except binascii.Error as error:
        raise Unreadable(f"base64 that can't be decoded ({error})") from None
