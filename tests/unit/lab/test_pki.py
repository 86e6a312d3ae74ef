"""The lab's certificates are what an API server and its clients take them for."""

from __future__ import annotations

import ipaddress
from pathlib import Path

import pytest
import yaml
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from lab import pki


@pytest.fixture
def ca(tmp_path: Path) -> pki.Pair:
    return pki.authority(tmp_path)


def read(pair: pki.Pair) -> x509.Certificate:
    return x509.load_pem_x509_certificate(pair.certificate.read_bytes())


def names(certificate: x509.Certificate, oid: x509.ObjectIdentifier) -> list[str]:
    return [attribute.value for attribute in certificate.subject.get_attributes_for_oid(oid)]


def purposes(certificate: x509.Certificate) -> list[x509.ObjectIdentifier]:
    return list(certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value)


def test_an_authority_signs_certificates(ca):
    assert read(ca).extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert read(ca).extensions.get_extension_for_class(x509.KeyUsage).value.key_cert_sign


def test_an_authority_that_is_there_already_is_kept(ca, tmp_path):
    before = ca.certificate.read_bytes(), ca.key.read_bytes()
    assert pki.authority(tmp_path) == ca
    assert (ca.certificate.read_bytes(), ca.key.read_bytes()) == before


def test_a_client_certificate_names_its_user_and_groups(ca, tmp_path):
    certificate = read(pki.client(ca, tmp_path, "node", "system:node:a", ["system:nodes", "more"]))
    assert names(certificate, NameOID.COMMON_NAME) == ["system:node:a"]
    assert names(certificate, NameOID.ORGANIZATION_NAME) == ["system:nodes", "more"]
    assert purposes(certificate) == [ExtendedKeyUsageOID.CLIENT_AUTH]


def test_a_client_certificate_is_signed_by_its_authority(ca, tmp_path):
    read(pki.client(ca, tmp_path, "user", "user")).verify_directly_issued_by(read(ca))


def test_a_serving_certificate_carries_addresses_as_addresses_and_names_as_names(ca, tmp_path):
    certificate = read(pki.server(ca, tmp_path, "api", ["10.68.0.1", "::1", "kubernetes.default.svc"]))
    hosts = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    addresses = [ipaddress.ip_address("10.68.0.1"), ipaddress.ip_address("::1")]
    assert hosts.get_values_for_type(x509.IPAddress) == addresses
    assert hosts.get_values_for_type(x509.DNSName) == ["kubernetes.default.svc"]
    assert purposes(certificate) == [ExtendedKeyUsageOID.SERVER_AUTH]


def test_a_certificate_is_already_valid_on_a_machine_whose_clock_is_late(ca, tmp_path):
    certificate = read(pki.client(ca, tmp_path, "user", "user"))
    assert certificate.not_valid_after_utc - certificate.not_valid_before_utc == pki.LIFETIME + pki.CLOCK_SKEW


def test_a_key_is_for_its_owner_alone(ca, tmp_path):
    pair = pki.client(ca, tmp_path, "user", "user")
    assert [path.stat().st_mode & 0o777 for path in (ca.key, pair.key)] == [0o600, 0o600]


def test_a_kubeconfig_carries_all_that_a_client_needs(ca, tmp_path):
    pair = pki.client(ca, tmp_path, "user", "user")
    path = pki.kubeconfig(tmp_path / "user.kubeconfig", "https://10.0.0.1:6443", ca, pair)
    content = yaml.safe_load(path.read_text())
    assert content["clusters"][0]["cluster"]["server"] == "https://10.0.0.1:6443"
    assert set(content["users"][0]["user"]) == {"client-certificate-data", "client-key-data"}
    assert path.stat().st_mode & 0o777 == 0o600
