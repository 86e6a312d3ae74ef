"""The types of the pillar's values about what is fetched, and by which way; as `kube_node_types`.

Pure: no Salt, no I/O.
"""

from __future__ import annotations

import re
from typing import Any

from kube_node_types import matching, sha256

_CHECKSUMS = re.compile(r"(?:salt|https)://(?:[A-Za-z0-9._~/:@+=&?,-]|\{architecture\}|\{version\})+")
_RELEASE = re.compile(r"v?[0-9][A-Za-z0-9.+~_-]*")
_FULL_RELEASE = re.compile(r"v?[0-9]+\.[0-9]+\.[0-9]+(?:[-+][A-Za-z0-9.+~_-]+)?")
_PROXY = re.compile(
    r"https?://(?:[A-Za-z0-9._~!&'()*+,=:%-]+@)?(?:[A-Za-z0-9.-]+|\[[0-9a-f:]+\])(?::[0-9]{1,5})?/?"
)
_DIRECT = re.compile(r"[A-Za-z0-9.*_-]+(?::[0-9]{1,5})?|[0-9a-fA-F.:]+(?:/[0-9]{1,3})?")

release = matching(_RELEASE, 64, "a release, write it as its project does, such as v1.9.1, in quotes")
full_release = matching(_FULL_RELEASE, 64, "a full release, write it as vX.Y.Z or X.Y.Z, such as 2.1.5")
direct = matching(_DIRECT, 253, "a host, a domain or a network, write one such as .example.org or 10.0.0.0/8")
_checksums = matching(
    _CHECKSUMS,
    2048,
    "a file of checksums to trust, write salt://… or https://…, or the 64 hex digits themselves",
)


def digest_or_url(value: Any) -> str | None:
    """Check a digest, or where one stands: not on the machine itself, whose word proves nothing."""
    return _checksums(value) if isinstance(value, str) and "://" in value else sha256(value)


def proxy(value: Any) -> str | None:
    """Check a proxy's URL; the fault does not show it, it may have a password in it."""
    if isinstance(value, str) and len(value) <= 2048 and _PROXY.fullmatch(value):
        return None
    return "is not a proxy's URL, write http://HOST:PORT, with a password's special characters as %XX"
