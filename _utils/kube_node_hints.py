"""Who minions are by the pillars that they fetched, as the master caches them.

Hints: a minion may override values of its pillar when it asks for it (`pillar.items pillar={...}`), and the
master caches the result.
"""

from __future__ import annotations

import hashlib
from typing import Any, NamedTuple, Protocol

import kube_node_identity
from kube_node_identity import Identity


class Cache(Protocol):
    """Salt's cache of minions' data (`salt.cache.Cache`), as much of it as is needed here."""

    def contains(self, bank: str, key: str) -> bool:
        """Tell whether there is an entry."""

    def updated(self, bank: str, key: str) -> int:
        """Return when it was written, in seconds since the epoch."""

    def fetch(self, bank: str, key: str) -> Any:
        """Return it."""


class Hint(NamedTuple):
    """What a minion's cached pillar says.

    `written` is when it was cached (None: there is none), `digest` tells it from other pillars as far as it
    says who the minion is, and one that is foreign says nothing of any node.
    """

    written: float | None
    digest: str
    identity: Identity | None
    is_foreign: bool


class Hints:
    """The hints of all minions; each is read again only when its pillar was cached anew.

    Args:
        cache: Salt's cache.
    """

    def __init__(self, cache: Cache) -> None:
        self._cache, self._read = cache, {}

    def of(self, minion: str) -> Hint:
        """Return a minion's."""
        is_there = self._cache.contains("pillar", minion)
        written = self._cache.updated("pillar", minion) if is_there else None
        if minion not in self._read or self._read[minion].written != written:
            self._read[minion] = _hint(
                minion, written, self._cache.fetch("pillar", minion) if written else None
            )
        return self._read[minion]


def _hint(minion: str, written: float | None, pillar: Any) -> Hint:
    tree = pillar.get("kube_node") if isinstance(pillar, dict) else None
    found = kube_node_identity.without_token(kube_node_identity.identity(tree, minion))
    digest = hashlib.sha256(repr(found).encode()).hexdigest()[:16]
    return Hint(written, digest, found, isinstance(pillar, dict) and "kube_node" not in pillar)
