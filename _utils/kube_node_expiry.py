"""How long the certificates of many nodes still last, the one that ends first on top.

Pure: no Salt, no I/O.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

NO_ANSWER = "no answer"
DAY_SECONDS = 86_400


def rows(minions: list[str], answers: dict[str, Any], now: datetime) -> list[dict[str, Any]]:
    """Return a line for each certificate, and one for each minion that told of none.

    Args:
        minions: ids of those that were asked.
        answers: what each said to `kube_node.certificates`; of any type, since a minion made it.
        now: with a time zone.

    Returns:
        A list of `{minion, name, state, days_left, ends, issuer}`, `days_left` in whole days, below 0 for one
        that has expired and None where there is none.
    """
    found = []
    for minion in minions:
        told = [one for one in _list(answers.get(minion)) if isinstance(one, dict)]
        for one in told or [{"state": NO_ANSWER}]:
            texts = {key: _text(one.get(key)) for key in ("name", "state", "ends", "issuer")}
            found.append({"minion": minion, **texts, "days_left": _days(texts["ends"], now)})
    return sorted(
        found, key=lambda row: (-1e9 if row["days_left"] is None else row["days_left"], row["minion"])
    )


def wanting(found: list[dict[str, Any]], threshold: int) -> list[dict[str, Any]]:
    """Return the lines of which fewer days are left than `threshold`, and those without a certificate."""
    return [row for row in found if row["days_left"] is None or row["days_left"] < threshold]


def _days(ends: str | None, now: datetime) -> int | None:
    try:
        return int((datetime.fromisoformat(ends or "") - now).total_seconds() // DAY_SECONDS)
    except (ValueError, TypeError):
        return None


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _text(value: Any) -> str | None:
    return None if value is None else str(value)[:200]
