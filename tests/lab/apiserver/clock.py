"""Times as Kubernetes writes them (RFC 3339, UTC) and durations as its flags take them."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone

_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}


def now() -> str:
    """Return the time as `metav1.Time`: 2026-11-23T19:46:00Z."""
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def duration(text: str) -> timedelta:
    """Return a duration written as Go does: 8760h, 1h30m, 45s. Raises ValueError for anything else."""
    parts = re.findall(r"([0-9.]+)(ms|h|m|s)", text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise ValueError(f"{text!r} is no duration; write it as 8760h, 1h30m or 45s")
    return timedelta(seconds=sum(float(number) * _UNITS[unit] for number, unit in parts))


def age(timestamp: str | None) -> str:
    """Return how long ago that was, as kubectl's AGE column (`duration.HumanDuration`)."""
    if not timestamp:
        return "<unknown>"
    moment = datetime.fromisoformat(timestamp.replace("Z", "+00:00"))
    return human((datetime.now(timezone.utc) - moment).total_seconds())


def human(seconds: float) -> str:
    """Return a length of time in seconds with two or three significant figures: 118s, 3m5s, 47h, 8d."""
    total = int(seconds)
    if total < -1:
        return "<invalid>"
    minutes, hours, days = total // 60, total // 3600, total // 86400
    years, left = divmod(days, 365)
    steps = (
        (total < 120, f"{max(total, 0)}s"),
        (minutes < 10, f"{minutes}m" + (f"{total % 60}s" if total % 60 else "")),
        (minutes < 180, f"{minutes}m"),
        (hours < 8, f"{hours}h" + (f"{minutes % 60}m" if minutes % 60 else "")),
        (hours < 48, f"{hours}h"),
        (hours < 192, f"{days}d" + (f"{hours % 24}h" if hours % 24 else "")),
        (hours < 24 * 365 * 2, f"{days}d"),
        (hours < 24 * 365 * 8, f"{years}y" + (f"{left}d" if left else "")),
    )
    return next((text for fits, text in steps if fits), f"{years}y")
