"""The little DER that a certificate request is made of: read elements, write elements.

The reader is forgiving on purpose (a length in the long form, bytes left over), the writer knows only DER's
one way. Whoever reads a request writes what was read again and compares the bytes: what a parser overlooked,
and two parsers would see differently, shows itself there.

Source: ITU-T X.690 (DER), RFC 2986 (PKCS #10).
"""

from __future__ import annotations

from typing import NamedTuple

BOOLEAN = 0x01
INTEGER = 0x02
BIT_STRING = 0x03
OCTET_STRING = 0x04
OBJECT_IDENTIFIER = 0x06
UTF8_STRING = 0x0C
PRINTABLE_STRING = 0x13
SEQUENCE = 0x30
SET = 0x31
CONTEXT_0 = 0xA0

# Four bytes of length say 4 GiB, far above any request that is looked at.
_LENGTH_BYTES = 4


class Unreadable(ValueError):
    """The bytes are not what they should be; the text says what was found."""


class Element(NamedTuple):
    """One element: its tag (the identifier's first byte), its content, and all of its bytes."""

    tag: int
    content: bytes
    raw: bytes


def first(data: bytes, at: int = 0) -> Element:
    """Read the element that starts at this offset; bytes after it are not looked at.

    Raises:
        Unreadable: the element is cut short or its length is indefinite.
    """
    start = at + 2
    if len(data) < start:
        raise Unreadable("an element without a tag and a length")
    length = data[at + 1]
    if length >= 0x80:
        count = length & 0x7F
        start += count
        if not 1 <= count <= _LENGTH_BYTES or len(data) < start:
            raise Unreadable("an element whose length is indefinite or cut short")
        length = int.from_bytes(data[at + 2 : start], "big")
    end = start + length
    if len(data) < end:
        raise Unreadable("an element that is longer than the bytes around it")
    return Element(data[at], data[start:end], data[at:end])


def children(element: Element, tag: int, least: int = 0) -> list[Element]:
    """The elements within an element that must have this tag and at least so many children.

    Raises:
        Unreadable: another tag, too few children, or one that can't be read.
    """
    data = content(element, tag)
    found, at = [], 0
    while at < len(data):
        child = first(data, at)
        found.append(child)
        at += len(child.raw)
    if len(found) < least:
        raise Unreadable(f"{len(found)} elements where {least} belong")
    return found


def content(element: Element, tag: int) -> bytes:
    """The content of an element that must have this tag.

    Raises:
        Unreadable: it has another one.
    """
    if element.tag != tag:
        raise Unreadable(f"an element with tag 0x{element.tag:02x} where 0x{tag:02x} belongs")
    return element.content


def integer(element: Element) -> int:
    """The value of an INTEGER.

    Raises:
        Unreadable: the element is none.
    """
    return int.from_bytes(content(element, INTEGER), "big", signed=True)


def bits(element: Element) -> bytes:
    """The bytes of a BIT STRING; that no bit is unused shows when they are written again.

    Raises:
        Unreadable: the element is none.
    """
    return content(element, BIT_STRING)[1:]


def write(tag: int, *parts: bytes) -> bytes:
    """An element of this tag around the parts, in DER."""
    body = b"".join(parts)
    if len(body) < 0x80:
        return bytes((tag, len(body))) + body
    length = len(body).to_bytes((len(body).bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(length))) + length + body


def write_integer(value: int) -> bytes:
    """An INTEGER in DER: the fewest bytes that hold the value and its sign."""
    size = (value if value >= 0 else ~value).bit_length() // 8 + 1
    return write(INTEGER, value.to_bytes(size, "big", signed=True))


def write_bits(value: bytes) -> bytes:
    """A BIT STRING of whole bytes in DER."""
    return write(BIT_STRING, b"\0", value)
