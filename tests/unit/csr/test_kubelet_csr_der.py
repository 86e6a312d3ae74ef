"""The reader takes what DER forbids, the writer knows DER alone: so the two find each other's slips."""

from __future__ import annotations

import kubelet_csr_der as der
import pytest
from hypothesis import given
from hypothesis import strategies as st


@given(tag=st.integers(0, 255), body=st.binary(max_size=70_000))
def test_what_was_written_is_read_again(tag: int, body: bytes) -> None:
    written = der.write(tag, body)
    assert der.first(written + b"more") == (tag, body, written)


@given(value=st.integers())
def test_a_number_that_was_written_is_read_again(value: int) -> None:
    assert der.integer(der.first(der.write_integer(value))) == value


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0, "020100"), (127, "02017f"), (128, "02020080"), (-1, "0201ff"), (-128, "020180"), (-129, "0202ff7f")],
)
def test_a_number_takes_the_fewest_bytes(value: int, expected: str) -> None:
    assert der.write_integer(value).hex() == expected


def test_a_number_in_more_bytes_is_read_and_written_in_fewer() -> None:
    long = der.first(bytes.fromhex("0203000001"))
    assert der.write_integer(der.integer(long)).hex() == "020101"


@pytest.mark.parametrize(
    ("size", "head"), [(127, "307f"), (128, "308180"), (255, "3081ff"), (256, "30820100")]
)
def test_a_length_takes_the_fewest_bytes(size: int, head: str) -> None:
    assert der.write(der.SEQUENCE, bytes(size)).hex().startswith(head)
    assert der.first(der.write(der.SEQUENCE, bytes(size))).content == bytes(size)


@pytest.mark.parametrize("head", ["308101", "30820001", "3084000000017f"])
def test_a_length_in_more_bytes_is_read(head: str) -> None:
    assert der.first(bytes.fromhex(head) + b"\0").tag == der.SEQUENCE


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("", "an element without a tag and a length"),
        ("30", "an element without a tag and a length"),
        ("3080", "an element whose length is indefinite or cut short"),
        ("3082ff", "an element whose length is indefinite or cut short"),
        ("30850000000000", "an element whose length is indefinite or cut short"),
        ("30ff", "an element whose length is indefinite or cut short"),
        ("300100"[:4], "an element that is longer than the bytes around it"),
        ("3084ffffffff00", "an element that is longer than the bytes around it"),
    ],
)
def test_what_can_not_be_read_is_said(data: str, message: str) -> None:
    with pytest.raises(der.Unreadable) as caught:
        der.first(bytes.fromhex(data))
    assert str(caught.value) == message


def test_another_tag_is_said() -> None:
    with pytest.raises(der.Unreadable) as caught:
        der.children(der.first(b"\x31\0"), der.SEQUENCE)
    assert str(caught.value) == "an element with tag 0x31 where 0x30 belongs"


def test_too_few_elements_are_said() -> None:
    with pytest.raises(der.Unreadable) as caught:
        der.children(der.first(b"\x30\x02\x05\0"), der.SEQUENCE, 3)
    assert str(caught.value) == "1 elements where 3 belong"
