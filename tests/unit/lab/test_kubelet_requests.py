"""The kubelet double forms and names its certificate requests as the kubelet of its minor does."""

from __future__ import annotations

import base64
import hashlib

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from lab.kubelet.certificate_request import (
    CLIENT_SIGNER,
    SERVING_SIGNER,
    Template,
    digested_name,
    key_pem,
    new_key,
    request_pem,
    usages,
)

from unit.lab.doubles import claim

KEY = new_key()
CLIENT = Template("n1", CLIENT_SIGNER)


def digest(*items: bytes) -> str:
    """The name by its definition, with Python's own hash."""
    stream = b"".join(base64.urlsafe_b64encode(item).rstrip(b"=") + b"|" for item in items)
    return base64.urlsafe_b64encode(hashlib.new("sha512_256", stream).digest()).rstrip(b"=").decode()


def test_a_client_request_has_its_subject_and_nothing_else():
    found = x509.load_pem_x509_csr(request_pem(CLIENT, KEY))
    assert found.subject.rfc4514_string() == "CN=system:node:n1,O=system:nodes"
    assert (list(found.extensions), list(found.attributes)) == ([], [])


def test_the_organisation_comes_before_the_name_and_both_are_printable_strings():
    found = x509.load_pem_x509_csr(request_pem(CLIENT, KEY)).subject.public_bytes()
    printable = b"\x13"
    assert found == (
        b"\x30\x30"
        + b"\x31\x15\x30\x13\x06\x03\x55\x04\x0a"
        + printable
        + b"\x0csystem:nodes"
        + b"\x31\x17\x30\x15\x06\x03\x55\x04\x03"
        + printable
        + b"\x0esystem:node:n1"
    )


def test_the_request_is_signed_with_a_fresh_p256_key_and_sha256():
    found = x509.load_pem_x509_csr(request_pem(CLIENT, new_key()))
    assert isinstance(found.public_key().curve, ec.SECP256R1)
    assert isinstance(found.signature_hash_algorithm, hashes.SHA256)
    assert found.is_signature_valid


def test_a_serving_request_names_the_nodes_addresses():
    template = Template("n1", SERVING_SIGNER, ("n1",), ("10.0.0.1",))
    found = x509.load_pem_x509_csr(request_pem(template, KEY))
    names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    assert not names.critical
    assert [str(name.value) for name in names.value] == ["n1", "10.0.0.1"]


@pytest.mark.parametrize("minor", ["1.9", "1.18", "1.26"])
def test_up_to_1_26_key_encipherment_is_always_asked_for(minor):
    assert usages(claim(minor), CLIENT_SIGNER, KEY) == [
        "digital signature",
        "key encipherment",
        "client auth",
    ]
    assert usages(claim(minor), SERVING_SIGNER, KEY) == [
        "digital signature",
        "key encipherment",
        "server auth",
    ]


def test_from_1_27_only_rsa_keys_ask_for_key_encipherment():
    key = rsa.generate_private_key(65537, 2048)
    assert usages(claim("1.27"), CLIENT_SIGNER, KEY) == ["digital signature", "client auth"]
    assert usages(claim("1.27"), SERVING_SIGNER, KEY) == ["digital signature", "server auth"]
    whole = ["digital signature", "client auth", "key encipherment"]
    assert usages(claim("1.27"), CLIENT_SIGNER, key, appended=True) == whole


def test_up_to_1_15_the_name_is_a_digest_over_the_private_key():
    asked = ["digital signature", "key encipherment", "client auth"]
    expected = digest(key_pem(KEY), b"system:node:n1", b"system:nodes", *(usage.encode() for usage in asked))
    assert digested_name(claim("1.15"), CLIENT, KEY, asked) == f"node-csr-{expected}"


def test_from_1_16_the_name_is_a_digest_over_the_public_key():
    asked = ["digital signature", "client auth"]
    public = KEY.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    expected = digest(public, b"system:node:n1", b"system:nodes", b"digital signature", b"client auth")
    assert digested_name(claim("1.36"), CLIENT, KEY, asked) == f"node-csr-{expected}"


def test_the_key_is_written_as_client_go_writes_it():
    assert key_pem(KEY).startswith(b"-----BEGIN EC PRIVATE KEY-----\n")
