"""The worker that lets in the nodes of one cluster, for as long as a minion that knocked lacks a certificate.

One LIST, then one WATCH. A request is judged when it comes; one that was left alone is looked at again while
its minion waits. Knocks that come meanwhile join the work. Pure of Salt: what the master knows comes as
`ground`, what happens as `mail`.
"""

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple, Protocol

import kubelet_csr_facts
import kubelet_csr_pass
from kube_api import ApiError
from kube_node_approver import Settings
from kube_node_knocks import CLIENT, SERVING, Knock
from kube_node_mailbox import Mailbox
from kubelet_csr_api import CLIENT_SIGNER, SERVING_SIGNER, Requests
from kubelet_csr_case import moment
from kubelet_csr_nodes import Nodes
from kubelet_csr_tokens import Tokens

# A request that was left alone is looked at again after a second, and then ever more seldom.
LOOK_SECONDS = 8
# After its last minion a worker listens on for a moment: knocks come late when many come at once.
LINGER_SECONDS = 1.0
# The signer takes a moment; a token whose certificate did not come by then is removed by a sweep.
ISSUE_SECONDS = 10
# Requests of nodes whose pillar must be compiled first, a tenth of a second each, keep no others waiting.
COLD = 16
WATCH_SECONDS = 30
_ATTESTED = ("credential", "attested_key")

Request = dict[str, Any]
Decision = dict[str, Any]


@dataclass
class Waiting:
    """A minion that lacks certificates, waited for until then (monotonic seconds); `token` is the id of the
    one that its kubelet has, where that is known."""

    node: str
    lacks: set[str]
    until: float
    token: str | None = None


class Listed(NamedTuple):
    """All requests, read anew."""

    requests: list[Request]


class Seen(NamedTuple):
    """What a watch saw: an event, a list or the fault that ended it; and which watch, for an old one may
    still be speaking."""

    watch: threading.Event
    what: Any


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


class Worker:
    """Lets in the nodes of one cluster.

    Args:
        cluster: its name.
        requests: its requests' API.
        ground: what the master knows of its minions.
        tokens: the bootstrap tokens' Secrets.
        settings: the policy, and how long a minion that knocked is waited for.
        record: takes the decisions of each look.
        mail: brings the knocks.
    """

    def __init__(
        self,
        cluster: str,
        requests: Requests,
        ground: Ground,
        tokens: Tokens,
        settings: Settings,
        record: Callable[[list[Decision]], None],
        mail: Mailbox,
    ) -> None:
        self.cluster, self.requests, self.ground, self.tokens = cluster, requests, ground, tokens
        self.settings, self.record, self.mail = settings, record, mail
        self.nodes = Nodes(requests.api)
        self._known: dict[str, Request] = {}
        self._judged: dict[str, tuple[str, Decision, float]] = {}
        self._waiting: dict[str, Waiting] = {}
        self._issuing: dict[str, tuple[str, float]] = {}
        self._unheard: dict[str, Knock] = {}
        self._cold: set[str] = set()
        self._given: dict[tuple[str, str], float] = {}
        self._sweeps = False
        self._watch = threading.Event()

    def run(self, knocks: Iterable[Knock]) -> None:
        """Work until nobody is waited for.

        Args:
            knocks: those that there are already.

        Raises:
            ApiError: the API server is gone or a right is missing; what was not decided stays pending.
        """
        self._hear(knocks)
        found, version = self.requests.items()
        self._take([Seen(self._watch, Listed(found))])
        self._look()
        if not self._is_waited_for():
            return
        threading.Thread(
            target=_watch, args=(self.requests, version, self.mail, self._watch), daemon=True
        ).start()
        try:
            self._work()
        finally:
            self._watch.set()

    def _work(self) -> None:
        pause, until = 1.0, time.monotonic() + LINGER_SECONDS
        while self._is_waited_for() or time.monotonic() < until:
            is_idle = not self._unheard
            came = self.mail.take((pause if self._waiting else LINGER_SECONDS) if is_idle else 0)
            pause = min(2 * pause, LOOK_SECONDS) if is_idle and not came else 1.0
            self._take(came)
            self._look()
            if self._is_waited_for() or any(isinstance(one, Knock) for one in came):
                until = time.monotonic() + LINGER_SECONDS

    def unanswered(self) -> list[Knock]:
        """Return the knocks that a run which failed leaves to the next."""
        waiting = {
            minion: Knock(minion, frozenset(one.lacks), one.token)
            for minion, one in self._waiting.items()
            if one.lacks
        }
        sweep = [Knock(None)] if self._sweeps else []
        return [*sweep, *(waiting | self._unheard).values()]

    def _take(self, mail: Iterable[Any]) -> None:
        for one in mail:
            if isinstance(one, Knock):
                self._hear([one])
            elif one.watch is self._watch:
                self._see(one.what)

    def _see(self, what: Any) -> None:
        if isinstance(what, ApiError):
            raise what
        if isinstance(what, Listed):
            self._known = {request["metadata"]["name"]: request for request in what.requests}
        elif what["type"] == "DELETED":
            self._known.pop(what["object"]["metadata"]["name"], None)
        else:
            self._known[what["object"]["metadata"]["name"]] = what["object"]

    def _hear(self, knocks: Iterable[Knock]) -> None:
        """Put minions on the list of those to look at; a sweep puts all of them there."""
        for knock in knocks:
            if knock.minion is None:
                self._sweeps = True
                self._unheard = {minion: Knock(minion) for minion in self.ground.accepted()} | self._unheard
            else:
                self._unheard[knock.minion] = knock

    def _answer(self) -> None:
        """Make the tokens valid of those who lack a certificate, and wait for their requests."""
        if self._sweeps:
            self.tokens.sweep(self._ready)
            self._sweeps = False
        new = self._unheard.keys() - self._cold
        self._cold |= new - self.ground.known_minions(new)
        cold = [minion for minion in self._unheard if minion in self._cold][:COLD]
        knocks = {minion: self._unheard[minion] for minion in (*(self._unheard.keys() - self._cold), *cold)}
        owners = self._owners(knocks)
        approved = self._approved()
        lacking = {
            minion: {
                lack
                for lack in self._lacks(knocks[minion])
                if not self._is_late(knocks[minion], lack, approved.get((owner.name, lack)))
            }
            for minion, owner in owners.items()
        }
        firsts = {minion: owners[minion].name for minion, lacks in lacking.items() if CLIENT in lacks}
        states = self.nodes.states(dict.fromkeys(firsts.values(), False))
        self.tokens.make_valid(
            [
                (owners[minion], knocks[minion].token)
                for minion, name in firsts.items()
                if not states[name]["ready"]
            ]
        )
        # Not before: an outage up to here leaves them to the next worker.
        self._unheard = {minion: one for minion, one in self._unheard.items() if minion not in knocks}
        self._cold -= knocks.keys()
        until = time.monotonic() + self.settings.wait_seconds
        self._waiting |= {
            minion: Waiting(owners[minion].name, lacks, until, knocks[minion].token)
            for minion, lacks in lacking.items()
            if lacks
        }

    def _is_late(self, knock: Knock, lack: str, approved: datetime | None) -> bool:
        """Tell whether a knock is from before its certificate was approved. One from after that is of a
        kubelet that crashed meanwhile; of one without a time it is not known, for a moment."""
        if knock.stamp:
            return knock.is_before(approved)
        return time.monotonic() - self._given.get((knock.minion, lack), float("-inf")) < ISSUE_SECONDS

    def _approved(self) -> dict[tuple[str | None, str], datetime]:
        """Return, by node and what it lacked, when its last certificate was approved."""
        found: dict[tuple[str | None, str], datetime] = {}
        for request in self._known.values():
            if approved := _approval(request):
                key = (kubelet_csr_facts.outline(request).node, _lack(request["spec"].get("signerName")))
                found[key] = max(approved, found.get(key, approved))
        return found

    def _ready(self, names: Iterable[str]) -> set[str]:
        states = self.nodes.states(dict.fromkeys(names, True))
        return {name for name, state in states.items() if state["ready"]}

    def _owners(self, minions: Iterable[str]) -> dict[str, Any]:
        """Return who the minions are that are nodes of this cluster, each the only one of its name."""
        found = self.ground.identities(minions)
        ours = {one.name for one in found.values() if one and one.cluster == self.cluster}
        return {one.minion_id: one for one in self.ground.owners(ours).values() if one.minion_id in found}

    def _lacks(self, knock: Knock) -> frozenset[str]:
        """Return what a minion lacks: by its knock or, where that does not say, by what it last attested."""
        if knock.lacks is not None:
            return knock.lacks
        attested = self.ground.attestation(knock.minion)
        return frozenset({CLIENT}) if attested and not attested["client_cert_sha256"] else frozenset()

    def _look(self) -> None:
        """Answer those who knocked, judge what is to be judged, and do what follows from it."""
        if self._unheard or self._sweeps:
            self._answer()
        waited = {one.node for one in self._waiting.values()}
        todo = [request for request in self._known.values() if self._is_due(request, waited)]
        names = {kubelet_csr_facts.outline(request).node for request in todo}
        warm = self.ground.known({name for name in names if name}) | {None}
        slices = [[one for one in todo if kubelet_csr_facts.outline(one).node in warm]]
        cold = [one for one in todo if kubelet_csr_facts.outline(one).node not in warm]
        slices += [cold[start : start + COLD] for start in range(0, len(cold), COLD)]
        for some in filter(None, slices):
            self._judge(some)
        self._settle()

    def _is_due(self, request: Request, waited: set[str]) -> bool:
        if not kubelet_csr_facts.is_pending(request):
            return False
        version, decision, at = self._judged.get(request["metadata"]["name"], (None, None, 0.0))
        if version != request["metadata"].get("resourceVersion"):
            return True
        left = decision["verdict"] == "ignore" and time.monotonic() - at >= 1
        return left and kubelet_csr_facts.outline(request).node in waited

    def _judge(self, todo: list[Request]) -> None:
        news: list[Decision] = []
        pending = [one for one in self._known.values() if kubelet_csr_facts.is_pending(one)]

        def gather(those: list[Request]) -> list[dict[str, Any]]:
            return kubelet_csr_facts.gather(self.ground, self.nodes, those, pending)

        try:
            kubelet_csr_pass.run(self.cluster, self.requests, todo, gather, self.settings.policy, news.append)
        finally:  # what was written is told, also when the API server went away in the middle
            versions = {one["metadata"]["name"]: one["metadata"].get("resourceVersion") for one in todo}
            before = {name: self._judged[name][1] for name in versions if name in self._judged}
            self.record([one for one in news if one != before.get(one["name"])])
            now = time.monotonic()
            self._judged |= {one["name"]: (versions.get(one["name"]), one, now) for one in news}
            for decision in news:
                self._follow(decision)

    def _follow(self, decision: Decision) -> None:
        name, minion, lack = decision["name"], decision["minion"], _lack(decision["signer"])
        if decision["verdict"] == "approve":
            self._given[minion, lack] = time.monotonic()
            if waiting := self._waiting.get(minion):
                waiting.lacks.discard(lack)
            if decision["signer"] == CLIENT_SIGNER:
                self.nodes.forget(decision["node"])
                self._issuing[name] = (minion, time.monotonic() + ISSUE_SECONDS)
        elif decision["verdict"] == "ignore" and decision["rule"] in _ATTESTED:
            # What is attested is older than the request: the minion is asked, and this looked at again.
            self.ground.ask(minion)
            until = time.monotonic() + self.settings.wait_seconds
            self._waiting.setdefault(minion, Waiting(decision["node"], set(), until)).lacks.add(lack)

    def _settle(self) -> None:
        """Remove the tokens whose certificates are there, and forget who has all that it waited for."""
        now = time.monotonic()
        issued = {name: one for name, one in self._issuing.items() if _certificate(self._known.get(name))}
        if issued:
            self.tokens.remove_of({minion for minion, _ in issued.values()})
        self._issuing = {
            name: one for name, one in self._issuing.items() if name not in issued and one[1] > now
        }
        self._waiting = {
            minion: one for minion, one in self._waiting.items() if one.lacks and one.until > now
        }

    def _is_waited_for(self) -> bool:
        return bool(self._unheard or self._waiting or self._issuing or not self.mail.is_empty)


def _lack(signer: str | None) -> str:
    """Return what a minion lacks that asks this signer."""
    return SERVING if signer == SERVING_SIGNER else CLIENT


def _approval(request: Request) -> datetime | None:
    conditions = (request.get("status") or {}).get("conditions") or []
    times = (moment(one.get("lastUpdateTime")) for one in conditions if one.get("type") == "Approved")
    return next(times, None)


def _certificate(request: Request | None) -> Any:
    return request and (request.get("status") or {}).get("certificate")


def _watch(requests: Requests, version: str, mail: Mailbox, stop: threading.Event) -> None:
    """Put each change into the mail until `stop` is set, and the fault that ended it."""
    try:
        while not stop.is_set():
            began = time.monotonic()
            for event in requests.watch(version, WATCH_SECONDS):
                if event["type"] == "ERROR":  # 410: the server no longer knows that version
                    listed, version = requests.items()
                    mail.put(Seen(stop, Listed(listed)))
                    break
                version = event["object"]["metadata"]["resourceVersion"]
                mail.put(Seen(stop, event))
                if stop.is_set():
                    return
            if time.monotonic() - began < 1:  # one that ends each watch at once is not asked at once again
                stop.wait(1)
    except ApiError as error:
        mail.put(Seen(stop, error))
