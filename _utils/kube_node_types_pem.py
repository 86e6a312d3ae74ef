"""The types of the pillar's certificates and keys, given in PEM or by where they lie; as `kube_node_types`.

Pure: no Salt, no I/O.
"""

from __future__ import annotations

from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from kube_node_types import absolute_path, source


def certificates(value: Any) -> str | None:
    """Check one or more PEM certificates, and that no key came along."""
    wanted = "is not a PEM certificate, paste the CA file whole after 'ca: |'"
    if not isinstance(value, str):
        return wanted
    if "PRIVATE KEY" in value:
        return "holds a private key, which never leaves the master: paste the certificate alone"
    try:
        x509.load_pem_x509_certificates(value.encode())
    except ValueError:
        return wanted
    return None


def authorities(value: Any) -> str | None:
    """Check the cluster's CA certificates: PEM, or where they lie."""
    return None if is_place(value) else certificates(value)


def delivered_certificate(value: Any) -> str | None:
    """Check a node's own certificate, with those between it and the CA: PEM, or where it lies."""
    if isinstance(value, str) and value.startswith("salt://") and is_place(value):
        return None
    if isinstance(value, str) and "PRIVATE KEY" in value:
        return "holds a private key, write that as private_key beside it"
    if certificates(value):
        return "is not a PEM certificate, paste the file whole after 'certificate: |' or write salt://…"
    return None


def private_key(value: Any) -> str | None:
    """Check a private key; the fault does not show it."""
    if isinstance(value, str) and value.startswith("salt://"):
        return "lies where every minion can read it, paste it into the pillar of this minion alone"
    wanted = "is not a private key in PEM without a passphrase, paste the file whole after 'private_key: |'"
    if not isinstance(value, str):
        return wanted
    try:
        serialization.load_pem_private_key(value.encode(), password=None)
    except Exception:  # garbage has more ways to fail than cryptography documents
        return wanted
    return None


def is_place(value: Any) -> bool:
    """Tell whether a value says where a file lies, salt://… or on the machine, in place of what is in it."""
    if not isinstance(value, str):
        return False
    return (value.startswith("salt://") and source(value) is None) or absolute_path(value) is None
