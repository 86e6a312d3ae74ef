"""What became of the kubelets' certificate requests: decisions as they come, and the requests at the end."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

CLIENT = "kubernetes.io/kube-apiserver-client-kubelet"
SERVING = "kubernetes.io/kubelet-serving"
PURPOSES = {CLIENT: "client", SERVING: "serving"}
VERBS = {"approve": "approved", "deny": "denied", "ignore": "left pending"}


@dataclass
class Approvals:
    """The decisions of the master's approver, gathered from its event bus."""

    say: Callable[[str], None]
    approved: set[tuple[str, str]] = field(default_factory=set)
    """Pairs of node name and signer."""
    _news: threading.Condition = field(default_factory=threading.Condition, repr=False)

    def follow(self, events: Iterable[tuple[str, dict]]) -> None:
        """Takes in the events of the tag kube_node/csr/ until there are no more."""
        for _, decision in events:
            self.say(told(decision))
            if decision.get("verdict") == "approve":
                with self._news:
                    self.approved.add((decision["node"], decision["signer"]))
                    self._news.notify_all()

    def wait(self, nodes: Iterable[str], seconds: float) -> set[tuple[str, str]]:
        """Waits until each node has both certificates approved; returns what is missing after `seconds`."""
        wanted = {(node, signer) for node in nodes for signer in PURPOSES}
        with self._news:
            self._news.wait_for(lambda: wanted <= self.approved, seconds)
            return wanted - self.approved


def told(decision: dict) -> str:
    """A decision as one line."""
    verb = VERBS.get(decision.get("verdict"), str(decision.get("verdict")))
    purpose = PURPOSES.get(decision.get("signer"), str(decision.get("signer")))
    return (
        f"{verb}: the {purpose} certificate {decision.get('name')} of {decision.get('node')}"
        f" ({decision.get('rule')}: {decision.get('message')})"
    )


def faults(requests: Iterable[dict], nodes: Iterable[str]) -> list[str]:
    """What is not as it should be once all nodes are in: each has both certificates, and nobody else has any.

    Args:
        requests: CertificateSigningRequests.
        nodes: The names of the nodes.
    """
    nodes = set(nodes)
    found, issued = [], set()
    for request in requests:
        name, spec = request["metadata"]["name"], request["spec"]
        conditions = {condition["type"] for condition in request["status"].get("conditions", [])}
        if conditions != {"Approved"} or not request["status"].get("certificate"):
            found.append(f"{name} of {spec['username']} is {' and '.join(sorted(conditions)) or 'pending'}")
        issued.add((spec["signerName"], spec["username"]))
    serving = {user.removeprefix("system:node:") for signer, user in issued if signer == SERVING}
    found += [f"{node} has no serving certificate" for node in sorted(nodes - serving)]
    found += [f"{node}, a stranger, asked for a serving certificate" for node in sorted(serving - nodes)]
    clients = sum(signer == CLIENT for signer, _ in issued)
    if clients != len(nodes):
        found.append(f"{clients} client certificates for {len(nodes)} nodes")
    return found
