"""What a master knows of its minions, said outright: in the place of Salt where only the talk with the API
server is looked at."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from kube_node_identity import Identity
from kube_node_tokens import Token


@dataclass
class Ground:
    """The minions and who they are; what each attests; which tokens of windows before they may hold; whose
    pillars were not compiled yet, and were, together; and who was asked to attest again."""

    minions: dict[str, Identity | None] = field(default_factory=dict)
    attested: dict[str, dict] = field(default_factory=dict)
    older: dict[str, list[Token]] = field(default_factory=dict)
    cold: set[str] = field(default_factory=set)
    compiled: list[set[str]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, *identities: Identity) -> Ground:
        return cls({one.minion_id: one for one in identities})

    def accepted(self) -> set[str]:
        return set(self.minions)

    def identities(self, minions: Iterable[str]) -> dict[str, Identity | None]:
        if fresh := self.cold & set(minions):
            self.cold -= fresh
            self.compiled.append(fresh)
        return {minion: self.minions[minion] for minion in minions if minion in self.minions}

    def owners(self, names: Iterable[str]) -> dict[str, Identity]:
        found: dict[str, list[Identity]] = {name: [] for name in names}
        for one in filter(None, self.minions.values()):
            found.get(one.name, []).append(one)
        return {name: claims[0] for name, claims in found.items() if len(claims) == 1}

    def known(self, names: Iterable[str]) -> set[str]:
        return set(names)

    def known_minions(self, minions: Iterable[str]) -> set[str]:
        return set(minions) - self.cold

    def tokens(self, owner: Identity) -> list[Token]:
        return [derived(owner), *self.older.get(owner.minion_id, ())] if owner.derives_token else []

    def attestation(self, minion: str) -> dict | None:
        return self.attested.get(minion)

    def ask(self, minion: str) -> None:
        self.asked.append(minion)


def derived(owner: Identity) -> Token:
    """Return the token of a minion, the same each time."""
    letters = "".join(filter(str.isalnum, owner.minion_id.lower())) + "000000"
    return Token(letters[:6], "0123456789abcdef")
