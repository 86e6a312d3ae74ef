"""Which lines of a kubelet's log are worth a screen: its errors, each once, and the last few others.

Pure: no Salt, no I/O.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from kube_node_types import TOKEN_WITHIN

ERRORS, OTHERS, WIDTH = 6, 4, 240
# Level, month and day, time, process, file and line: what klog writes before the message.
_HEAD = re.compile(
    r"(?P<level>[IWEF])(?P<day>\d{4}) (?P<time>\d\d:\d\d:\d\d)\.\d+ +\d+ (?P<place>[^ \]]+)\] (?P<said>.*)"
)
_NOT_KLOG = re.compile(r"Error: |error: |failed |Flag --\S+ has been deprecated|.*panic: |unknown flag")
_SECRETS = (
    (TOKEN_WITHIN, "<a bootstrap token>"),
    (re.compile(r"(?i)(bearer |authorization: *)\S+"), r"\1<a secret>"),
    (re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*"), "<a private key>"),
)


def telling(lines: Iterable[str]) -> list[str]:
    """Return the last errors and the last few other lines, in their order, without secrets.

    An error that comes again and again is shown once, as it was last.
    """
    lines = [line.strip() for line in lines if line.strip()]
    errors: dict[str, int] = {}
    others: list[int] = []
    for at, line in enumerate(lines):
        if _is_error(line):
            said = _said(line)
            errors.pop(said, None)
            errors[said] = at
        else:
            others.append(at)
    chosen = sorted([*list(errors.values())[-ERRORS:], *others[-OTHERS:]])
    return [_shortened(without_secrets(lines[at])) for at in chosen]


def errors(lines: Iterable[str]) -> list[str]:
    """Return the lines that tell of an error."""
    return [line for line in map(str.strip, lines) if _is_error(line)]


def without_secrets(line: str) -> str:
    """Return a line with what may be a secret blotted out."""
    for pattern, instead in _SECRETS:
        line = pattern.sub(instead, line)
    return line


def _is_error(line: str) -> bool:
    found = _HEAD.match(line)
    return found["level"] in "EF" if found else bool(_NOT_KLOG.match(line))


def _said(line: str) -> str:
    """Return what an error says without what is another each time: the numbers in it."""
    found = _HEAD.match(line)
    return re.sub(r"\d+", "0", f"{found['place']} {found['said']}" if found else line)


def _shortened(line: str) -> str:
    return line if len(line) <= WIDTH else f"{line[: WIDTH - 1]}…"
