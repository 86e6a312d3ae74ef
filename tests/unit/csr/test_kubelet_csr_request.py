"""A request says the same to us and to cryptography, and is written again as it was read."""

from __future__ import annotations

import base64
from typing import Any

import kubelet_csr_request as csr_request
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st
from kubelet_csr_der import Unreadable

from unit.csr import corpus, der, keys
from unit.csr.samples import ALL, SERVING, SUBJECT, TOKEN, sample

HONEST = {flow: sample("honest", "", flow) for flow in ALL}


def pem_of(csr: dict[str, Any]) -> bytes:
    return base64.b64decode(csr["spec"]["request"])


@pytest.mark.filterwarnings("ignore:Attribute's length must be:UserWarning")  # longer names than X.520's
@pytest.mark.parametrize("one", corpus.honest_ones(), ids=lambda one: one.name)
def test_an_honest_request_reads_as_cryptography_reads_it(one: Any) -> None:
    theirs = x509.load_pem_x509_csr(pem_of(one.csr))
    ours = csr_request.read(theirs.public_bytes(Encoding.DER))
    assert [item.value.encode() for item in theirs.subject] == [
        item.value for rdn in ours.subject for item in rdn
    ]
    assert ours.signed == theirs.tbs_certrequest_bytes
    assert ours.signature == theirs.signature
    assert len(ours.extensions) == len(theirs.extensions)
    assert ours.is_signed_by_its_key


def test_names_read_as_cryptography_reads_them() -> None:
    theirs = x509.load_pem_x509_csr(pem_of(HONEST[SERVING].csr))
    names = theirs.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    ours = csr_request.read(theirs.public_bytes(Encoding.DER)).names
    assert [name.value for name in ours if name.tag == csr_request.DNS_NAME] == [
        name.encode() for name in names.get_values_for_type(x509.DNSName)
    ]
    assert [name.value for name in ours if name.tag == csr_request.IP_ADDRESS] == [
        address.packed for address in names.get_values_for_type(x509.IPAddress)
    ]


@given(data=st.binary(max_size=300))
def test_any_bytes_are_read_or_said_to_be_unreadable(data: bytes) -> None:
    with pytest.raises(Unreadable):
        csr_request.read(data)


@given(at=st.integers(0, 10**6), byte=st.integers(0, 255))
def test_a_request_with_a_byte_changed_is_read_or_said_to_be_unreadable(at: int, byte: int) -> None:
    data = bytearray(der.request(keys.curve("P-256"), SUBJECT))
    data[at % len(data)] = byte
    try:
        request = csr_request.read(bytes(data))
    except Unreadable:
        return
    csr_request.not_canonical(request, bytes(data))


def test_the_digest_is_of_the_whole_key() -> None:
    key = keys.curve("P-256")
    request = csr_request.read(der.request(key, SUBJECT))
    assert request.spki == der.spki(key)
    assert len(request.spki_sha256) == 64


def test_the_digested_name_is_the_kubelets() -> None:
    """The name that bootstrap.go's own algorithm gives, worked out by hand in `der`."""
    key, usages = keys.curve("P-256"), ["digital signature", "key encipherment", "client auth"]
    request = csr_request.read(der.request(key, SUBJECT))
    assert csr_request.digested_name(request, usages) == der.digested_name(der.spki(key), "worker-1", usages)


def test_an_outline_names_the_node_and_the_key() -> None:
    outline = csr_request.outline(HONEST[TOKEN].csr)
    assert outline.node == "worker-1"
    assert outline.spki_sha256 == csr_request.read(der.request(keys.curve("P-256"), SUBJECT)).spki_sha256


@pytest.mark.parametrize("name", ["worker-1", "system:nodes:worker-1", ""])
def test_an_outline_of_no_node_has_a_key_alone(name: str) -> None:
    outline = csr_request.outline(sample("x", "", subject=der.node_subject(name)).csr)
    assert outline.node is None
    assert outline.spki_sha256 is not None


@pytest.mark.parametrize(
    "csr", [None, [], {}, {"spec": None}, {"spec": {"request": 7}}, {"spec": {"request": "A" * 10**7}}]
)
def test_an_outline_of_nothing_is_nothing(csr: Any) -> None:
    assert csr_request.outline(csr) == (None, None)


def test_an_outline_of_bytes_that_are_no_text_is_safe_to_use() -> None:
    outline = csr_request.outline(sample("x", "", subject=der.node_subject(b"system:node:\xff\0")).csr)
    assert outline.node == "\ufffd\0"
