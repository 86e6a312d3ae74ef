"""The minions that knocked at one cluster's worker: who is heard, let in by a token, and waited for.

Knocks are hints, and anyone may forge one. So they add up: none takes away what another one said.
"""

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

import kubelet_csr_facts
from kube_node_knocks import CLIENT, UNSAID, Knock, merged
from kubelet_csr_nodes import Nodes
from kubelet_csr_tokens import Tokens

# An approved request's word is on its way for a moment.
LATE_SECONDS = 10
# Requests of nodes whose pillar must be compiled first, a tenth of a second each, keep no others waiting.
COLD = 16

Answered = Mapping[tuple[str | None, str], datetime]


@dataclass
class Waiting:
    """A minion that lacks certificates, waited for until then (monotonic seconds); `token` is the id of the
    one that its kubelet has, where that is known."""

    node: str
    lacks: set[str]
    until: float
    token: str | None = None


class Ground(kubelet_csr_facts.Ground, Protocol):
    """What the master knows of its minions, and may ask of them (`kube_node_minions`)."""

    def accepted(self) -> set[str]:
        """Return the ids of all minions whose keys are accepted."""

    def identities(self, minions: Iterable[str]) -> dict[str, Any]:
        """Return by id who some minions are, None for one that is no node."""

    def known(self, names: Iterable[str]) -> set[str]:
        """Return the node names whose owners are known without compiling a pillar."""

    def known_minions(self, minions: Iterable[str]) -> set[str]:
        """Return the minions of whom that is known without compiling a pillar."""

    def ask(self, minion: str) -> None:
        """Let a minion attest again."""


class Callers:
    """The minions that knocked.

    Args:
        cluster: its name.
        ground: what the master knows of its minions.
        nodes: the states of its Nodes.
        tokens: the bootstrap tokens' Secrets.
        wait_seconds: how long a minion that knocked is waited for.
    """

    def __init__(
        self, cluster: str, ground: Ground, nodes: Nodes, tokens: Tokens, wait_seconds: float
    ) -> None:
        self._cluster, self._ground, self._nodes, self._tokens = cluster, ground, nodes, tokens
        self._wait_seconds = wait_seconds
        self._unheard: dict[str, Knock] = {}
        self._sweeps = False
        self._cold: set[str] = set()
        self._tokenless: dict[str, Knock] = {}
        self._waiting: dict[str, Waiting] = {}
        self._given: dict[tuple[str, str], float] = {}

    @property
    def any_unheard(self) -> bool:
        """Whether there are knocks that were not looked at."""
        return bool(self._unheard or self._sweeps)

    @property
    def any_waiting(self) -> bool:
        """Whether minions are waited for."""
        return bool(self._waiting)

    def nodes(self) -> set[str]:
        """Return the names of the nodes that are waited for."""
        return {one.node for one in self._waiting.values()}

    def hear(self, knocks: Iterable[Knock]) -> None:
        """Put minions on the list of those to look at; a sweep puts all there that may lack a certificate."""
        for knock in knocks:
            if knock.minion is not None:
                self._unheard[knock.minion] = merged(self._unheard.get(knock.minion), knock)
            else:
                self._sweeps = True
                self.hear(Knock(minion) for minion in self._ground.accepted() if not self._has_client(minion))

    def hear_again(self) -> None:
        """Look once more at those whose tokens the API server did not take at the time."""
        self.hear(self._tokenless.values())
        self._tokenless = {}

    def unanswered(self) -> list[Knock]:
        """Return the knocks that a run which failed leaves to the next."""
        waiting = [
            Knock(minion, frozenset(one.lacks), one.token)
            for minion, one in self._waiting.items()
            if one.lacks
        ]
        self.hear(waiting)
        return [*([Knock(None)] if self._sweeps else []), *self._unheard.values()]

    def answer(self, answered: Answered) -> None:
        """Make the tokens valid of those who lack a certificate, and wait for their requests.

        Args:
            answered: by node and what it lacked, until when its knocks had their answer.

        Raises:
            ApiError: the API server cannot be asked; the knocks stay unheard.
        """
        if self._sweeps:
            self._tokens.sweep(self._ready)
            self._sweeps = False
        knocks = self._due()
        owners = self._owners(knocks)
        lacking = {
            minion: {
                lack
                for lack in self._lacks(knocks[minion])
                if not self._is_late(knocks[minion], lack, answered.get((owner.name, lack)))
            }
            for minion, owner in owners.items()
        }
        firsts = {minion: owners[minion].name for minion, lacks in lacking.items() if CLIENT in lacks}
        states = self._nodes.states(dict.fromkeys(firsts.values(), False))
        away = [minion for minion, name in firsts.items() if not states[name]["ready"]]
        missed = self._tokens.make_valid([(owners[minion], knocks[minion].token) for minion in away])
        # Not before: an outage up to here leaves them to the next worker.
        self._unheard = {minion: one for minion, one in self._unheard.items() if minion not in knocks}
        self._cold -= knocks.keys()
        self._tokenless |= {minion: knocks[minion] for minion in missed}
        for minion, lacks in lacking.items():
            if lacks:
                before = self._waiting.get(minion)
                self._waiting[minion] = Waiting(
                    owners[minion].name,
                    lacks | (before.lacks if before else set()),
                    self._until(),
                    knocks[minion].token,
                )

    def ask(self, minion: str, node: str, lack: str) -> None:
        """Let a minion attest again, for its request is newer than what it attested, and wait for that."""
        self._ground.ask(minion)
        self._waiting.setdefault(minion, Waiting(node, set(), self._until())).lacks.add(lack)

    def give(self, minion: str, lack: str) -> None:
        """Wait no longer for a certificate: it was approved."""
        self._given[minion, lack] = time.monotonic()
        if waiting := self._waiting.get(minion):
            waiting.lacks.discard(lack)

    def tidy(self) -> None:
        """Forget who has all that it waited for, and who was waited for long enough."""
        now = time.monotonic()
        self._waiting = {
            minion: one for minion, one in self._waiting.items() if one.lacks and one.until > now
        }
        self._tokenless = {minion: one for minion, one in self._tokenless.items() if minion in self._waiting}

    def _until(self) -> float:
        return time.monotonic() + self._wait_seconds

    def _due(self) -> dict[str, Knock]:
        """Return the knocks to look at now: of minions whose pillar is not compiled yet a few at a time."""
        new = self._unheard.keys() - self._cold
        self._cold |= new - self._ground.known_minions(new)
        cold = [minion for minion in self._unheard if minion in self._cold][:COLD]
        return {minion: self._unheard[minion] for minion in (*(self._unheard.keys() - self._cold), *cold)}

    def _owners(self, minions: Iterable[str]) -> dict[str, Any]:
        """Return who the minions are that are nodes of this cluster, each the only one of its name."""
        found = self._ground.identities(minions)
        ours = {one.name for one in found.values() if one and one.cluster == self._cluster}
        return {one.minion_id: one for one in self._ground.owners(ours).values() if one.minion_id in found}

    def _lacks(self, knock: Knock) -> frozenset[str]:
        """Return what a minion lacks: by its knock and, where one does not say, by what it last attested."""
        if UNSAID not in knock.lacks:
            return knock.lacks
        is_without = self._has_client(knock.minion) is False
        return knock.lacks - {UNSAID} | ({CLIENT} if is_without else set())

    def _has_client(self, minion: str) -> bool | None:
        """Tell whether a minion attests a client certificate; None where it attests nothing."""
        attested = self._ground.attestation(minion)
        return bool(attested["client_cert_sha256"]) if attested else None

    def _is_late(self, knock: Knock, lack: str, answered: datetime | None) -> bool:
        """Tell whether a knock had its answer before it came. One from after that is of a kubelet that
        crashed meanwhile; of one without a time it is not known, for a moment."""
        if knock.stamp:
            return knock.is_before(answered)
        return time.monotonic() - self._given.get((knock.minion, lack), float("-inf")) < LATE_SECONDS

    def _ready(self, names: Iterable[str]) -> set[str]:
        states = self._nodes.states(dict.fromkeys(names, True))
        return {name for name, state in states.items() if state["ready"]}
