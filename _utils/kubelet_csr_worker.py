"""The worker that lets in the nodes of one cluster, for as long as a minion that knocked lacks a certificate.

One LIST, then one WATCH. A request is judged when it comes; one that was left alone is looked at again while
its minion waits. Knocks that come meanwhile join the work. Pure of Salt: what the master knows comes as
`ground`, what happens as `mail`.
"""

import threading
import time
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta, timezone
from typing import Any

import kubelet_csr_facts
import kubelet_csr_pass
from kube_api import ApiError
from kube_node_approver import Settings
from kube_node_knocks import CLIENT, SERVING, Knock
from kube_node_mailbox import Mailbox
from kubelet_csr_api import CLIENT_SIGNER, SERVING_SIGNER, Requests
from kubelet_csr_callers import COLD, Callers, Ground
from kubelet_csr_case import moment
from kubelet_csr_nodes import Nodes
from kubelet_csr_tokens import Tokens
from kubelet_csr_watch import Listed, Seen, watch

# A request that was left alone is looked at again after a second, and then ever more seldom.
LOOK_SECONDS = 8
# After its last minion a worker listens on for a moment: knocks come late when many come at once.
LINGER_SECONDS = 1.0
# kube-controller-manager signs some 20 requests a second, so that it takes a minute for a thousand.
ISSUE_SECONDS = 300
# By then a kubelet has taken the certificate that is there, and its minion has seen that.
TAKEN = timedelta(seconds=1)
_ATTESTED = ("credential", "attested_key")

Request = dict[str, Any]
Decision = dict[str, Any]


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
        self._signed: dict[str, datetime] = {}
        self._judged: dict[str, tuple[str, Decision, float]] = {}
        self._callers = Callers(cluster, ground, self.nodes, tokens, settings.wait_seconds)
        # By request: whose it is, and until when its certificate is waited for. A token whose certificate did
        # not come by then is removed by a sweep.
        self._issuing: dict[str, tuple[str, float]] = {}
        self._watch = threading.Event()

    def run(self, knocks: Iterable[Knock]) -> None:
        """Work until nobody is waited for.

        Args:
            knocks: those that there are already.

        Raises:
            ApiError: the API server is gone or a right is missing; what was not decided stays pending.
        """
        self._callers.hear(knocks)
        found, version = self.requests.items()
        self._take([Seen(self._watch, Listed(found))])
        self._look()
        if not self._is_waited_for():
            return
        spoken = (self.requests, version, self.mail, self._watch)
        threading.Thread(target=watch, args=spoken, daemon=True).start()
        try:
            self._work()
        finally:
            self._watch.set()

    def _work(self) -> None:
        pause, until = 1.0, time.monotonic() + LINGER_SECONDS
        while self._is_waited_for() or time.monotonic() < until:
            is_idle = not self._callers.any_unheard
            came = self.mail.take((pause if self._callers.any_waiting else LINGER_SECONDS) if is_idle else 0)
            pause = min(2 * pause, LOOK_SECONDS) if is_idle and not came else 1.0
            self._take(came)
            if is_idle:
                self._callers.hear_again()
            self._look()
            if self._is_waited_for() or any(isinstance(one, Knock) for one in came):
                until = time.monotonic() + LINGER_SECONDS

    def unanswered(self) -> list[Knock]:
        """Return the knocks that a run which failed leaves to the next."""
        return self._callers.unanswered()

    def _take(self, mail: Iterable[Any]) -> None:
        for one in mail:
            if isinstance(one, Knock):
                self._callers.hear([one])
            elif one.watch is self._watch:
                self._see(one.what)

    def _see(self, what: Any) -> None:
        if isinstance(what, ApiError):
            raise what
        if isinstance(what, Listed):
            self._known = {request["metadata"]["name"]: request for request in what.requests}
        elif what["type"] == "DELETED":
            name = what["object"]["metadata"]["name"]
            for kept in (self._known, self._judged, self._signed):
                kept.pop(name, None)
        else:
            name = what["object"]["metadata"]["name"]
            if _certificate(what["object"]) and not _certificate(self._known.get(name)):
                self._signed[name] = datetime.now(timezone.utc) + TAKEN
            self._known[name] = what["object"]

    def _answered(self) -> dict[tuple[str | None, str], datetime]:
        """Return, by node and what it lacked, until when its knocks had their answer: while a certificate is
        on its way its kubelet still lacks it, and knocks. One that was there before this worker is taken for
        signed at once."""
        found: dict[tuple[str | None, str], datetime] = {}
        now = datetime.now(timezone.utc)
        for name, request in self._known.items():
            if approved := _approval(request):
                key = (kubelet_csr_facts.outline(request).node, _lack(request["spec"].get("signerName")))
                at = now if name in self._issuing else self._signed.get(name, approved + TAKEN)
                found[key] = max(at, found.get(key, at))
        return found

    def _look(self) -> None:
        """Answer those who knocked, judge what is to be judged, and do what follows from it."""
        if self._callers.any_unheard:
            self._callers.answer(self._answered())
        waited = self._callers.nodes()
        todo = [request for request in self._known.values() if self._is_due(request, waited)]
        names = {kubelet_csr_facts.outline(request).node for request in todo}
        warm = self.ground.known({name for name in names if name}) | {None}
        slices = [[one for one in todo if kubelet_csr_facts.outline(one).node in warm]]
        cold = [one for one in todo if kubelet_csr_facts.outline(one).node not in warm]
        slices += [cold[start : start + COLD] for start in range(0, len(cold), COLD)]
        for some in filter(None, slices):
            self.mail.alive()
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
            self._callers.give(minion, lack)
            if decision["signer"] == CLIENT_SIGNER:
                self.nodes.forget(decision["node"])
                self._issuing[name] = (minion, time.monotonic() + ISSUE_SECONDS)
        elif decision["verdict"] == "ignore" and decision["rule"] in _ATTESTED:
            self._callers.ask(minion, decision["node"], lack)

    def _settle(self) -> None:
        """Remove the tokens whose certificates are there, and forget who has all that it waited for."""
        now = time.monotonic()
        issued = {name: one for name, one in self._issuing.items() if _certificate(self._known.get(name))}
        if issued:
            self.tokens.remove_of({minion for minion, _ in issued.values()})
        self._issuing = {
            name: one for name, one in self._issuing.items() if name not in issued and one[1] > now
        }
        self._callers.tidy()

    def _is_waited_for(self) -> bool:
        callers = self._callers
        return bool(callers.any_unheard or callers.any_waiting or self._issuing or not self.mail.is_empty)


def _lack(signer: str | None) -> str:
    """Return what a minion lacks that asks this signer."""
    return SERVING if signer == SERVING_SIGNER else CLIENT


def _approval(request: Request) -> datetime | None:
    conditions = (request.get("status") or {}).get("conditions") or []
    times = (moment(one.get("lastUpdateTime")) for one in conditions if one.get("type") == "Approved")
    return next(times, None)


def _certificate(request: Request | None) -> Any:
    return request and (request.get("status") or {}).get("certificate")
