"""A kubelet's certificate file, valid for as long as a test likes: a certificate and its key."""

from __future__ import annotations

from datetime import datetime, timezone
from functools import cache
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

DAY = 24 * 3600


@cache
def key(number: int = 0) -> ec.EllipticCurvePrivateKey:
    """Return a private key; another number gives another key."""
    return ec.generate_private_key(ec.SECP256R1())


def key_pem(number: int = 0) -> bytes:
    """Return a private key as a kubelet writes it."""
    form = serialization.PrivateFormat.TraditionalOpenSSL
    return key(number).private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())


def certificate(begin: float, end: float) -> x509.Certificate:
    """Return a certificate that is valid between two times, in seconds since the epoch."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "system:node:worker-1")])
    builder = x509.CertificateBuilder(name, name, key().public_key(), x509.random_serial_number())
    begins, ends = (datetime.fromtimestamp(moment, timezone.utc) for moment in (begin, end))
    return builder.not_valid_before(begins).not_valid_after(ends).sign(key(), hashes.SHA256())


def write(path: str | Path, begin: float, end: float) -> x509.Certificate:
    """Write a certificate with its key, as a kubelet does; return it."""
    made = certificate(begin, end)
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_bytes(made.public_bytes(serialization.Encoding.PEM) + key_pem())
    return made
