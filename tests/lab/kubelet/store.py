"""Certificates on disk as client-go's file store keeps them: a file per pair, a symlink to the current one.

Source: client-go util/certificate/certificate_store.go.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from lab.component import klog


class BadPair(ValueError):
    """Files that hold no certificate with its key; the message is the store's."""


@dataclass(frozen=True)
class Pair:
    """A certificate and its key, in one PEM file."""

    path: Path
    leaf: x509.Certificate

    @property
    def expired(self) -> bool:
        return datetime.now(timezone.utc) > self.leaf.not_valid_after_utc

    def key(self):
        """The private key."""
        return serialization.load_pem_private_key(_key_part(self.path.read_bytes()), password=None)


@dataclass(frozen=True)
class Store:
    """The pairs named ``prefix`` ("kubelet-client") in ``directory``, else the one in the two files."""

    prefix: str
    directory: Path
    cert_file: str = ""
    key_file: str = ""

    @property
    def current_path(self) -> Path:
        return self.directory / f"{self.prefix}-current.pem"

    def current(self) -> Pair | None:
        """The current pair, None when there is none. Raises BadPair when its file holds something else."""
        self._recover()
        if self.current_path.exists():
            klog.info(
                "certificate_store.go:147",
                "Loading cert/key pair from a file",
                filePath=str(self.current_path),
            )
            return load(self.current_path)
        legacy = (str(self.directory / f"{self.prefix}.{end}") for end in ("crt", "key"))
        for cert, key in ((self.cert_file, self.key_file), tuple(legacy)):
            if cert and key and Path(cert).exists() and Path(key).exists():
                klog.info("certificate_store.go:160", "Loading cert/key pair", certFile=cert, keyFile=key)
                return joined(Path(cert), Path(key))
        return None

    def update(self, certificate: bytes, key: bytes) -> Pair:
        """Write a new pair and make it the current one."""
        self.directory.mkdir(mode=0o755, parents=True, exist_ok=True)
        path = self.directory / f"{self.prefix}-{datetime.now():%Y-%m-%d-%H-%M-%S}.pem"
        content = certificate if certificate.endswith(b"\n") else certificate + b"\n"
        with open(path, "wb", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
            file.write(content + key)
            file.flush()
            os.fsync(file.fileno())
        pair = load(path)
        self._point_to(path.absolute())
        return pair

    def _point_to(self, path: Path) -> None:
        current, updated = self.current_path, self.directory / f"{self.prefix}-updated.pem"
        for link in (current, updated):
            if link.exists() and not link.is_symlink():
                raise BadPair(f'expected "{link}" to be a symlink but it is a file')
        updated.unlink(missing_ok=True)
        updated.symlink_to(path)
        updated.replace(current)

    def _recover(self) -> None:
        """Finish an update that was interrupted before its last step."""
        updated = self.directory / f"{self.prefix}-updated.pem"
        if not self.current_path.exists() and updated.is_symlink():
            updated.replace(self.current_path)


def load(path: Path) -> Pair:
    """The pair in one PEM file. Raises BadPair."""
    return _pair(path, path.read_bytes(), path.read_bytes())


def joined(cert: Path, key: Path) -> Pair:
    """The pair in two PEM files. Raises BadPair.

    Python's ssl reads a chain and its key from files alone, so the two are joined in one that is in memory.
    """
    certificate, private = cert.read_bytes(), key.read_bytes()
    if cert == key:
        return _pair(cert, certificate, private)
    return from_data(certificate, private)


def from_data(certificate: bytes, key: bytes) -> Pair:
    """The pair in two PEM texts. Raises BadPair."""
    descriptor = os.memfd_create("pair", 0)
    os.write(descriptor, certificate.rstrip() + b"\n" + key)
    return _pair(Path(f"/proc/self/fd/{descriptor}"), certificate, key)


def _pair(path: Path, certificate: bytes, key: bytes) -> Pair:
    try:
        leaf = x509.load_pem_x509_certificates(certificate)[0]
        private = serialization.load_pem_private_key(_key_part(key), password=None)
    except (ValueError, IndexError) as fault:
        raise BadPair(f'could not convert data from "{path}" into cert/key pair: {fault}') from None
    if private.public_key() != leaf.public_key():
        raise BadPair(
            f'could not convert data from "{path}" into cert/key pair: '
            "tls: private key does not match public key"
        )
    return Pair(path, leaf)


def _key_part(pem: bytes) -> bytes:
    """The text from the private key's block on: a pair's file has the certificates first."""
    lines = pem.splitlines(keepends=True)
    start = next((at for at, line in enumerate(lines) if b"PRIVATE KEY-----" in line), 0)
    return b"".join(lines[start:])
