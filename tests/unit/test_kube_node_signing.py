"""What the master's authority takes, refuses and signs, without a master."""

from __future__ import annotations

from datetime import timedelta

import kube_node_signing as signing
import kube_node_static as static
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.x509.oid import ExtendedKeyUsageOID

from unit.authority import NOW, authority, pem, signed
from unit.nodes import compiled

SETTINGS = {"mode": "static", "kubelet": {"from": "master"}, "key": "ecdsa-256"}
[ONE] = compiled({"certificates": SETTINGS})["certificates"]["static"]
KEY = static.new_key(ONE)


def key_of(name: str) -> bytes:
    form = serialization.PrivateFormat.PKCS8
    return authority(name).key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())


def test_an_authority_is_a_ca_and_its_own_key():
    found = signing.authority(pem(authority("a").certificate).encode(), key_of("a"))
    assert found.certificate == authority("a").certificate


@pytest.mark.parametrize(
    ("certificate", "key", "fault"),
    [
        (lambda: pem(authority("a").certificate), lambda: key_of("b"), "not that of the certificate"),
        (lambda: signed(ONE, KEY), lambda: KEY.encode(), "none of a CA"),
        (lambda: "garbage", lambda: key_of("a"), "."),
        (lambda: pem(authority("a").certificate), lambda: b"garbage", "."),
    ],
)
def test_any_other_is_none(certificate, key, fault: str):
    with pytest.raises(ValueError, match=fault):
        signing.authority(certificate().encode(), key())


def test_what_is_signed_is_no_authority_and_for_client_and_server():
    found = x509.load_pem_x509_certificate(signed(ONE, KEY).encode()).extensions
    assert found.get_extension_for_class(x509.BasicConstraints).value.ca is False
    assert list(found.get_extension_for_class(x509.ExtendedKeyUsage).value) == [
        ExtendedKeyUsageOID.CLIENT_AUTH,
        ExtendedKeyUsageOID.SERVER_AUTH,
    ]


def test_two_certificates_of_one_request_have_different_numbers():
    first, second = (x509.load_pem_x509_certificate(signed(ONE, KEY).encode()) for _ in range(2))
    assert first.serial_number != second.serial_number
    assert first.not_valid_after_utc == NOW + timedelta(days=365)


@pytest.mark.parametrize("request_", ["", "x", "-----BEGIN CERTIFICATE REQUEST-----", "é" * 20_000, "\0"])
def test_garbage_is_refused_in_words(request_: str):
    _, rule, message = signing.judge(request_, ONE, {})
    assert rule
    assert message.startswith("Expected ")


def test_a_refusal_says_what_was_asked_for():
    asked = ONE | {"subject": {"O": "system:masters", "CN": "system:node:worker-1"}}
    _, rule, message = signing.judge(static.request(asked, KEY), ONE, {})
    assert (rule, message) == (
        "subject",
        "Expected 'CN=system:node:worker-1,O=system:nodes', "
        "but found 'CN=system:node:worker-1,O=system:masters'; "
        "if the minion is honest its pillar is an old one: saltutil.refresh_pillar there.",
    )
