"""A signature is the key's own, or it is not: whatever the algorithm says and whatever the bytes are."""

from __future__ import annotations

from typing import Any

import kubelet_csr_keys as csr_keys
import pytest

from unit.csr import der, keys

HONEST = [keys.curve("P-256"), keys.curve("P-384"), keys.curve("P-521"), keys.real_rsa(), keys.rsa_of(5)]


@pytest.mark.parametrize("key", HONEST)
@pytest.mark.parametrize("name", ["sha224", "sha256", "sha384", "sha512"])
def test_a_signature_of_the_key_verifies(key: Any, name: str) -> None:
    algorithm, signature = der.sign(key, b"signed", name)
    assert csr_keys.is_signed_by(der.spki(key), b"signed", algorithm, signature)
    assert not csr_keys.is_signed_by(der.spki(key), b"other", algorithm, signature)


@pytest.mark.parametrize("key", [keys.curve("P-256"), keys.rsa_of(5)])
def test_a_signature_with_sha1_is_not_even_looked_at(key: Any) -> None:
    assert not csr_keys.is_signed_by(der.spki(key), b"signed", *der.sign(key, b"signed", "sha1"))


@pytest.mark.parametrize("key", [keys.edwards("Ed25519"), keys.edwards("Ed448")])
def test_another_kind_of_key_signs_nothing(key: Any) -> None:
    assert not csr_keys.is_signed_by(der.spki(key), b"signed", *der.sign(key, b"signed"))


@pytest.mark.parametrize(
    "spki", [b"", b"\0", b"\x30\0", der.spki(keys.curve("P-256"))[:-1]], ids=["none", "zero", "empty", "cut"]
)
def test_what_is_no_key_signs_nothing(spki: bytes) -> None:
    assert not csr_keys.is_signed_by(spki, b"signed", *der.sign(keys.curve("P-256"), b"signed"))


def test_a_key_is_known_by_the_whole_of_its_algorithm() -> None:
    assert csr_keys.kind(der.RSA_ENCRYPTION) == "RSA"
    assert csr_keys.kind(der.seq(der.oid("1.2.840.113549.1.1.1"))) == "other"
    assert csr_keys.kind(der.seq(der.oid("1.2.840.10045.2.1"), der.oid("1.2.3"))) == "EC"
    assert csr_keys.kind(b"") == "other"


def test_the_curves_are_those_of_their_names() -> None:
    for name in ("P-256", "P-384", "P-521"):
        info = der.spki(keys.curve(name))
        assert [curve for algorithm, curve in csr_keys.CURVES.items() if algorithm in info] == [name]
