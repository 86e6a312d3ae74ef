"""The serving certificate that a kubelet without another makes for itself.

Source: cmd/kubelet/app/server.go, InitializeTLS, and client-go util/cert, GenerateSelfSignedCertKey.
"""

from __future__ import annotations

import ipaddress
import os
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from lab.component import klog

_LIFETIME = timedelta(days=365)


def ensure(directory: Path, host: str) -> tuple[Path, Path]:
    """Return kubelet.crt and kubelet.key of ``directory``; make them for ``host`` when they are not there."""
    certificate, key = directory / "kubelet.crt", directory / "kubelet.key"
    if certificate.exists() and key.exists():
        return certificate, key
    directory.mkdir(mode=0o755, parents=True, exist_ok=True)
    private = rsa.generate_private_key(65537, 2048)
    form = serialization.PrivateFormat.TraditionalOpenSSL
    pem = private.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
    with open(key, "wb", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        file.write(pem)
    certificate.write_bytes(_sign(private, host).public_bytes(serialization.Encoding.PEM))
    klog.info(
        "server.go:1172",
        "Using self-signed cert",
        4,
        TLSCertFile=str(certificate),
        TLSPrivateKeyFile=str(key),
    )
    return certificate, key


def _sign(key: rsa.RSAPrivateKey, host: str) -> x509.Certificate:
    moment = int(time.time())
    subject, issuer = (
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"{host}{mark}@{moment}")]) for mark in ("", "-ca")
    )
    start = datetime.fromtimestamp(moment, timezone.utc) - timedelta(hours=1)
    return (
        x509.CertificateBuilder(issuer, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + _LIFETIME)
        .add_extension(x509.SubjectAlternativeName([_name(host)]), critical=False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )


def _name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)
