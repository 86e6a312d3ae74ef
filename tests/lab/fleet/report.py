"""What became of a fleet: when each minion knocked, and when its kubelet asked and was let in."""

from __future__ import annotations

import json
import statistics
from dataclasses import asdict, dataclass, field


@dataclass
class Course:
    """One kubelet's way in; times are seconds since the epoch, 0 for what did not happen.

    Attributes:
        minion: The minion's id.
        knocked: When its first knock was fired.
        knocks: How many were.
        refused: How often its request was answered with 401.
        requests: The names of its requests, the last one is what it waits for.
        created: When that one was created.
        approved: When it was seen to be approved.
        issued: When its certificate was seen.
        denied: What the denial of a request said.
    """

    minion: str
    knocked: float = 0.0
    knocks: int = 0
    refused: int = 0
    requests: list[str] = field(default_factory=list)
    created: float = 0.0
    approved: float = 0.0
    issued: float = 0.0
    denied: str = ""


@dataclass(frozen=True)
class Report:
    """The courses of all kubelets, and how many of their knocks reached the master."""

    courses: list[Course]

    @classmethod
    def read(cls, text: str) -> Report:
        """Returns what was written as JSON."""
        return cls([Course(**course) for course in json.loads(text)])

    def write(self) -> str:
        """Returns it as JSON."""
        return json.dumps([asdict(course) for course in self.courses])

    @property
    def approved(self) -> list[Course]:
        """Those who were let in."""
        return [course for course in self.courses if course.approved]

    @property
    def lost(self) -> list[str]:
        """The minions whose kubelet was not let in."""
        return [course.minion for course in self.courses if not course.approved]

    @property
    def knocks(self) -> int:
        """How many knocks were fired."""
        return sum(course.knocks for course in self.courses)

    @property
    def began(self) -> float:
        """When the first knock was fired; where there was none, when the first request was created."""
        first = [course.knocked or course.created for course in self.courses]
        return min(filter(None, first), default=0.0)

    @property
    def seconds(self) -> float:
        """From the first knock to the last approval."""
        return max((course.approved - self.began for course in self.approved), default=0.0)

    def latency_ms(self, percentile: int) -> float | None:
        """Returns how long an approval took, from the later of a node's knock and its request's creation."""
        waits = sorted(1000 * (one.approved - max(one.knocked, one.created)) for one in self.approved)
        if len(waits) < 2:
            return waits[0] if waits else None
        return statistics.quantiles(waits, n=100, method="inclusive")[percentile - 1]
