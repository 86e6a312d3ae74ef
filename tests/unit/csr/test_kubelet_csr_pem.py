"""One PEM block in one base64 text: what Go and OpenSSL write, and nothing else, comes out as it went in."""

from __future__ import annotations

import base64
from contextlib import suppress

import kubelet_csr_pem as pem
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kubelet_csr_der import Unreadable

from unit.csr import der


@given(data=st.binary(min_size=1, max_size=5000))
def test_a_block_that_was_written_is_read_again(data: bytes) -> None:
    assert pem.from_pem(pem.to_pem(data)) == data
    assert pem.to_pem(data) == der.pem(data).encode()


@given(data=st.binary(max_size=5000))
def test_base64_that_was_written_is_read_again(data: bytes) -> None:
    assert pem.from_base64(pem.to_base64(data)) == data


@given(data=st.binary(max_size=5000))
def test_the_size_is_told_before_anything_is_decoded(data: bytes) -> None:
    assert pem.decoded_size(base64.b64encode(data).decode()) == len(data)


@given(text=st.text(st.characters()))
def test_any_text_is_decoded_or_said_to_be_unreadable(text: str) -> None:
    with suppress(Unreadable):
        pem.from_base64(text)


@given(data=st.binary())
def test_any_bytes_are_a_block_or_said_to_be_none(data: bytes) -> None:
    with pytest.raises(Unreadable, match="no PEM block CERTIFICATE REQUEST"):
        pem.from_pem(data)


def test_the_first_of_two_blocks_is_read() -> None:
    assert pem.from_pem(pem.to_pem(b"first") + pem.to_pem(b"second")) == b"first"
