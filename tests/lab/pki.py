"""Certificates for a lab's control plane: one authority, what it signs, and the kubeconfigs that carry it.

Keys are elliptic (P-256): made in a millisecond, and every Kubernetes since 1.9 takes them. An authority and
its keys are kept when they are there already, so a control plane that is started again still knows its nodes.
"""

from __future__ import annotations

import base64
import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path

import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

LIFETIME = timedelta(days=365)
# A cluster is older than its nodes: a machine whose clock is minutes late takes its certificates.
CLOCK_SKEW = timedelta(hours=1)


@dataclass(frozen=True)
class Pair:
    """A certificate and its private key, each a PEM file."""

    certificate: Path
    key: Path


def private_key(path: Path) -> ec.EllipticCurvePrivateKey:
    """Return the key in the PEM file `path`; make and write it (mode 0600) when it is not there yet."""
    if path.exists():
        return serialization.load_pem_private_key(path.read_bytes(), password=None)
    key = ec.generate_private_key(ec.SECP256R1())
    path.touch(mode=0o600)
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption(),
        )
    )
    return key


def authority(directory: Path, name: str = "ca", common_name: str = "kubernetes") -> Pair:
    """Return the authority `name`.crt and `name`.key of `directory`; make it when it is not there yet."""
    pair = _pair(directory, name)
    if pair.certificate.exists():
        return pair
    key = private_key(pair.key)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    builder = (
        _builder(subject, subject, key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(_signs_certificates(), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    _write(pair.certificate, builder.sign(key, hashes.SHA256()))
    return pair


def server(ca: Pair, directory: Path, name: str, hosts: Iterable[str]) -> Pair:
    """Sign a serving certificate for `hosts` (DNS names and IP addresses as text); return its files."""
    names = x509.SubjectAlternativeName([_host(host) for host in hosts])
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    return _sign(ca, _pair(directory, name), subject, [_purpose(ExtendedKeyUsageOID.SERVER_AUTH), names])


def client(ca: Pair, directory: Path, name: str, user: str, groups: Iterable[str] = ()) -> Pair:
    """Sign a client certificate, to an API server `user` (CN) of `groups` (O); return its files."""
    organisations = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in groups]
    subject = x509.Name([*organisations, x509.NameAttribute(NameOID.COMMON_NAME, user)])
    return _sign(ca, _pair(directory, name), subject, [_purpose(ExtendedKeyUsageOID.CLIENT_AUTH)])


def kubeconfig(path: Path, url: str, ca: Pair, user: Pair) -> Path:
    """Write a kubeconfig (mode 0600) for the API server at `url`, certificates inside; return `path`."""
    credentials = {"client-certificate-data": _data(user.certificate), "client-key-data": _data(user.key)}
    cluster = {"server": url, "certificate-authority-data": _data(ca.certificate)}
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "lab", "cluster": cluster}],
        "users": [{"name": path.stem, "user": credentials}],
        "contexts": [{"name": "lab", "context": {"cluster": "lab", "user": path.stem}}],
        "current-context": "lab",
    }
    path.touch(mode=0o600)
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    return path


def _sign(ca: Pair, pair: Pair, subject: x509.Name, extensions: list[x509.ExtensionType]) -> Pair:
    issuer = x509.load_pem_x509_certificate(ca.certificate.read_bytes())
    # Python 3.13 and later refuse a chain without it.
    issued_by = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.public_key())
    builder = _builder(subject, issuer.subject, private_key(pair.key).public_key())
    for extension in [*extensions, issued_by]:
        builder = builder.add_extension(extension, critical=False)
    _write(pair.certificate, builder.sign(private_key(ca.key), hashes.SHA256()))
    return pair


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey
) -> x509.CertificateBuilder:
    now = datetime.now(timezone.utc)
    return (
        x509.CertificateBuilder(subject_name=subject, issuer_name=issuer, public_key=key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - CLOCK_SKEW)
        .not_valid_after(now + LIFETIME)
    )


def _signs_certificates() -> x509.KeyUsage:
    usages = ("digital_signature", "key_cert_sign", "crl_sign")
    others = ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement")
    only = ("encipher_only", "decipher_only")
    return x509.KeyUsage(**dict.fromkeys(usages, True), **dict.fromkeys(others + only, False))


def _purpose(usage: x509.ObjectIdentifier) -> x509.ExtendedKeyUsage:
    return x509.ExtendedKeyUsage([usage])


def _host(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _pair(directory: Path, name: str) -> Pair:
    return Pair(directory / f"{name}.crt", directory / f"{name}.key")


def _write(path: Path, certificate: x509.Certificate) -> None:
    path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))


def _data(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()
