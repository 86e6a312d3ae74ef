"""A cluster's authority and what it signs, without a file; another name gives another authority."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from functools import cache
from typing import Any

import kube_node_signing as signing
import kube_node_static as static
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

NOW = datetime(2026, 11, 27, 12, tzinfo=timezone.utc)
DAY = timedelta(days=1)


@cache
def authority(name: str = "kubernetes", days: int = 3650) -> signing.Authority:
    """Return an authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(NOW - 400 * DAY).not_valid_after(NOW + days * DAY)
    ca = x509.BasicConstraints(ca=True, path_length=None)
    return signing.Authority(builder.add_extension(ca, critical=True).sign(key, hashes.SHA256()), key)


def pem(certificate: x509.Certificate) -> str:
    """Return a certificate as PEM."""
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def signed(one: dict[str, Any], key: str, by: signing.Authority | None = None, at: datetime = NOW) -> str:
    """Return the certificate that an authority signs for a node's own request."""
    case, rule, message = signing.judge(static.request(one, key), one, {})
    assert rule is None, message
    return signing.sign(case, one, by or authority(), at)
