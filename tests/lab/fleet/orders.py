"""What the fleet's process is told: whom to play, how fast, and what goes wrong."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field

CLIENT_SIGNER, SERVING_SIGNER = "kubernetes.io/kube-apiserver-client-kubelet", "kubernetes.io/kubelet-serving"


@dataclass(frozen=True)
class Pace:
    """When things happen, in seconds; the defaults are what the real ones do.

    Attributes:
        spread: All kubelets start within this time, evenly.
        request: From a kubelet's start, with its minion's knock, to its first request. Less than 0: the
            knock comes so long after the request.
        pause: From a kubelet's first refusal (401) to its next request; twice as long after each further one.
        longest_pause: What those pauses grow to.
        again: From a minion's knock to its beacon's first one, while its kubelet lacks a certificate; twice
            as long after each further one. 0: it knocks once.
        longest_again: What those pauses grow to.
    """

    spread: float = 1.0
    request: float = 2.0
    pause: float = 2.0
    longest_pause: float = 32.0
    again: float = 5.0
    longest_again: float = 60.0


@dataclass(frozen=True)
class Faults:
    """What goes wrong, of itself nothing.

    Attributes:
        silent: No knock reaches the master.
        crashes: So often each kubelet ends right after its request and starts anew: a new key, another
            request of the same node.
        crash_pause: From a crash to the next start: RestartSec of the kubelet's unit.
        skew: Seconds by which the nodes' clocks are ahead (negative: behind). A certificate that is not valid
            by them is lacking to the minion, which goes on knocking.
    """

    silent: bool = False
    crashes: int = 0
    crash_pause: float = 5.0
    skew: float = 0.0


@dataclass(frozen=True)
class Orders:
    """All that the process is told, as one JSON document on its stdin.

    Attributes:
        url: The API server's address.
        ca: The path of its authority's certificate.
        admin: The paths of an administrator's certificate and key, for the one watch of all kubelets.
        sockets: The folder with the sockets of the master's event bus.
        tokens: Each minion's bootstrap token, by minion id, which is its node's name as well. Without one a
            kubelet has its client certificate already.
        signer: Whom the kubelets ask.
        seconds: When to give up.
        pace: How fast.
        faults: What goes wrong.
    """

    url: str
    ca: str
    admin: list[str]
    sockets: str
    tokens: dict[str, str | None]
    signer: str = CLIENT_SIGNER
    seconds: float = 120.0
    pace: Pace = field(default_factory=Pace)
    faults: Faults = field(default_factory=Faults)

    @classmethod
    def read(cls, text: str) -> Orders:
        """Returns what was written as JSON."""
        given = json.loads(text)
        return cls(**given | {"pace": Pace(**given["pace"]), "faults": Faults(**given["faults"])})

    def write(self) -> str:
        """Returns them as JSON."""
        return json.dumps(asdict(self))
