"""Faults on demand, and the log of requests by which tests count.

A fault is posted as JSON to /lab/faults:

    {"action": "status", "code": 429, "retryAfter": 1, "verb": "update", "path": "/approval$", "count": 2}

- action: `delay` waits `seconds` and goes on; `status` answers `code` and does nothing; `drop` closes
  the connection before anything is done, `drop-after` when it is done and not yet answered; `clock` goes
  on, and answers as if its clock were `seconds` ahead.
- verb (a Kubernetes verb), path and user (regular expressions; path with its query): whom it hits;
  absent: all.
- count: how often it hits; absent: until DELETE /lab/faults. percentage: how likely it hits a request it
  could hit.
- retryAfter: seconds, the Retry-After header of `status`.
"""

from __future__ import annotations

import json
import random
import re
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .request import Attributes
from .status import ApiError, bad_request

ACTIONS = ("delay", "status", "drop", "drop-after", "clock")
_KEYS = ("action", "verb", "path", "user", "count", "percentage", "seconds", "code", "retryAfter")
_REMEMBERED = 200_000
_WORDS = {
    429: ("TooManyRequests", "Too many requests, please try again later."),
    500: ("InternalError", "Internal error occurred: etcdserver: request timed out"),
    503: ("ServiceUnavailable", "apiserver is shutting down"),
    504: ("Timeout", "Timeout: request did not complete within the allotted timeout"),
}


@dataclass
class Fault:
    """One fault as posted, and how often it hit."""

    action: str
    verb: str = ""
    path: str = ""
    user: str = ""
    count: int | None = None
    percentage: float = 100
    seconds: float = 0
    code: int = 503
    retryAfter: int | None = None
    hits: int = 0

    def hits_this(self, wanted: Attributes, target: str) -> bool:
        """Tell whether it strikes this request, and count that."""
        if self.count is not None and self.hits >= self.count:
            return False
        meant = (
            (not self.verb or self.verb == wanted.verb)
            and re.search(self.path, target)
            and re.search(self.user, wanted.user.name)
        )
        if not meant or random.random() * 100 >= self.percentage:
            return False
        self.hits += 1
        return True

    def error(self) -> ApiError:
        """The answer of a `status` fault, as upstream words it."""
        details = {} if self.retryAfter is None else {"retryAfterSeconds": self.retryAfter}
        reason, message = _WORDS.get(self.code, ("Unknown", "a fault of the lab"))
        return ApiError(self.code, reason, message, **details)


def parse(body: bytes) -> Fault:
    """Return the fault that was posted. Raises ApiError 400 that names what is wrong with it."""
    try:
        given = json.loads(body)
        unknown = sorted(given.keys() - set(_KEYS))
        fault = Fault(**{key: value for key, value in given.items() if key in _KEYS})
        re.compile(fault.path), re.compile(fault.user)
    except (ValueError, TypeError, AttributeError, re.error) as reason:
        raise bad_request(f"this is no fault: {reason}") from reason
    if unknown:
        raise bad_request(f"a fault has no {', '.join(unknown)}; it has {', '.join(_KEYS)}")
    if fault.action not in ACTIONS:
        raise bad_request(f"action is {fault.action!r}; it may be {', '.join(ACTIONS)}")
    return fault


@dataclass
class Logged:
    """One request: who asked for what, and how it ended; `code` is None for one dropped or still at work."""

    time: float
    user: str
    verb: str
    method: str
    path: str
    resource: str
    subresource: str
    namespace: str
    name: str
    code: int | None = None


class RequestLog:
    """The requests since the start, or since the log was cleared.

    Args:
        audit: a file that gets each as a JSON line when it is answered, or None.
    """

    def __init__(self, audit: Path | None) -> None:
        self._entries: deque[Logged] = deque(maxlen=_REMEMBERED)
        self._audit = audit.open("a") if audit else None

    def begin(self, wanted: Attributes, method: str, target: str) -> Logged:
        """Note that something is asked for."""
        parts = (wanted.resource, wanted.subresource, wanted.namespace, wanted.name)
        entry = Logged(time.time(), wanted.user.name, wanted.verb, method, target, *parts)
        self._entries.append(entry)
        return entry

    def end(self, entry: Logged, code: int) -> None:
        """Note the answer's code."""
        entry.code = code
        if self._audit is not None:
            self._audit.write(json.dumps(vars(entry)) + "\n")
            self._audit.flush()

    def find(self, query: Mapping[str, str]) -> list[dict[str, Any]]:
        """Return the requests whose fields equal the query's; its `path` is a regular expression."""
        exact = {name: value for name, value in query.items() if name != "path"}
        return [
            vars(entry)
            for entry in self._entries
            if re.search(query.get("path", ""), entry.path)
            and all(str(getattr(entry, name, "")) == value for name, value in exact.items())
        ]

    def clear(self) -> None:
        self._entries.clear()

    def close(self) -> None:
        if self._audit is not None:
            self._audit.close()
