"""What is true of a kubelet's certificates: each one's state, until when, and the digests that prove it.

Pure but for reading the files it is asked about, each again only when it is another: a look with nothing
changed is a stat. It imports nothing of the formula, so that a running minion can use it (`_beacons`).
Whatever lies there, nothing is raised.
"""

import hashlib
import re
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import serialization

MISSING, UNREADABLE, EARLY = "missing", "unreadable", "not yet valid"
GOOD, RENEWING, EXPIRED = "good", "within its renewal window", "expired"
# Nobody but this machine's own clock says that one is not valid yet: the API server goes by its own, and the
# kubelet looks at the end alone (bootstrap.go, isClientConfigStillValid).
USABLE = (EARLY, GOOD, RENEWING)
# client-go's certificate manager renews at 70 to 90 % of the lifetime (jitteryDuration).
RENEWAL = 0.7
LARGEST = 1024 * 1024
_KEY = re.compile(
    rb"-----BEGIN (?P<kind>[A-Z0-9 ]*PRIVATE KEY)-----.+?-----END (?P=kind)-----", flags=re.DOTALL
)
# By reader and path: the file's stamp, and what was read.
_read: dict[tuple[str, str], tuple[tuple[int, int, int], Any]] = {}


@dataclass(frozen=True)
class Certificate:
    """A certificate at one moment: its state, and until when; None where time alone changes nothing.

    `ends` is the last second of its validity, `issuer` the common name of who signed it.
    """

    path: str
    state: str
    until: float | None = None
    sha256: str | None = None
    ends: float | None = None
    issuer: str | None = None

    @property
    def usable(self) -> bool:
        """Whether the kubelet works with it."""
        return self.state in USABLE


def look(path: str, now: float) -> Certificate:
    """Return the certificate in a PEM file, the first where there are several.

    Args:
        path: of the file, which may hold the key as well.
        now: seconds since the epoch, as `time.time` has them.
    """
    found = _remembered(path, _certificate)
    if found is None or found == UNREADABLE:
        return Certificate(path, found or MISSING)
    begin, end, *rest = found
    renewal = begin + RENEWAL * (end - begin)
    if now < begin:
        return Certificate(path, EARLY, begin, *rest)
    if now < renewal:
        return Certificate(path, GOOD, renewal, *rest)
    if now <= end:  # valid through that second: RFC 5280, 4.1.2.5
        return Certificate(path, RENEWING, end, *rest)
    return Certificate(path, EXPIRED, None, *rest)


def attestation(
    client: str, now: float, waiting: dict[str, str | None] | None = None
) -> dict[str, str | None]:
    """Return the digests by which the master knows this machine's requests from others.

    Args:
        client: the path of the client certificate.
        now: seconds since the epoch.
        waiting: where a key lies that was made before its certificate: `{key, certificate}`, the path of the
            certificate that ends the wait, None where the key speaks for itself. None where the kubelet
            keeps such a key in memory alone.

    Returns:
        `client_cert_sha256`, of the client certificate's DER, which the API server writes into a request as
        `credential-id`, where the kubelet works with it; `spki_sha256`, of that key's SubjectPublicKeyInfo.
        Each None where there is none.
    """
    found = look(client, now)
    return {
        "client_cert_sha256": found.sha256 if found.usable else None,
        "spki_sha256": _waiting_key(waiting),
    }


def _waiting_key(waiting: dict[str, str | None] | None) -> str | None:
    if not waiting:
        return None
    certificate = waiting.get("certificate")
    if certificate and _remembered(certificate, _certificate) not in (None, UNREADABLE):
        return None
    found = _remembered(waiting["key"], _public_key)
    return None if found == UNREADABLE else found


def _remembered(path: str, read: Callable[[bytes], Any]) -> Any:
    """Return what `read` makes of a file, once for each that lies there; None without one, or UNREADABLE."""
    place = (read.__name__, path)
    try:
        found = Path(path).stat()
    except (FileNotFoundError, NotADirectoryError):
        _read.pop(place, None)
        return None
    except (OSError, ValueError):
        return UNREADABLE
    stamp = (found.st_mtime_ns, found.st_ino, found.st_size)
    known = _read.get(place)
    if known and known[0] == stamp:
        return known[1]
    content = UNREADABLE
    # A pipe would be waited for, and a large file is no certificate.
    if stat.S_ISREG(found.st_mode) and found.st_size <= LARGEST:
        try:
            content = read(Path(path).read_bytes())
        except Exception:  # garbage has more ways to fail than cryptography documents
            content = UNREADABLE
    _read[place] = (stamp, content)
    return content


def _certificate(pem: bytes) -> tuple[float, float, str, float, str | None]:
    certificate = x509.load_pem_x509_certificate(pem)
    begin, end = (
        moment.timestamp() for moment in (certificate.not_valid_before_utc, certificate.not_valid_after_utc)
    )
    digest = hashlib.sha256(certificate.public_bytes(serialization.Encoding.DER)).hexdigest()
    issuers = certificate.issuer.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    return begin, end, digest, end, str(issuers[0].value) if issuers else None


def _public_key(pem: bytes) -> str:
    key = serialization.load_pem_private_key(_KEY.search(pem)[0], password=None)
    info = serialization.PublicFormat.SubjectPublicKeyInfo
    return hashlib.sha256(key.public_key().public_bytes(serialization.Encoding.DER, info)).hexdigest()
