"""What a highstate did to a minion, out of what Salt returned for it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Summary:
    """The counts that Salt's own highstate output ends with, and what failed."""

    succeeded: int
    changed: int
    failures: tuple[str, ...]

    def __str__(self) -> str:
        return f"succeeded {self.succeeded} (changed {self.changed}), failed {len(self.failures)}"


def summarize(answer: object) -> Summary:
    """Reads one minion's answer to state.highstate or state.apply.

    Args:
        answer: A dict with an entry for each state; a list of texts, or a text, where nothing was run at all.
    """
    if not isinstance(answer, dict):
        texts = answer if answer and isinstance(answer, list) else [answer]
        return Summary(0, 0, tuple(str(text) for text in texts))
    states = answer.values()
    return Summary(
        succeeded=sum(state["result"] is not False for state in states),
        changed=sum(bool(state["changes"]) for state in states),
        failures=tuple(failure(state) for state in states if state["result"] is False),
    )


def failures(minions: Iterable[str], answers: dict[str, object]) -> list[str]:
    """What went wrong on these minions, by what Salt returned: who failed in what, and who did not answer."""
    told = [
        f"{minion}: {text}"
        for minion, answer in sorted(answers.items())
        for text in summarize(answer).failures
    ]
    return told + [f"{minion}: did not answer" for minion in sorted(set(minions) - answers.keys())]


def failure(state: dict) -> str:
    """One failed state in a line or more: its id and what Salt says of it."""
    return f"{state.get('__id__', state.get('name'))}: {state['comment']}"
