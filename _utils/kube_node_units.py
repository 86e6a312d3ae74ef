"""How a word is written in a systemd unit, so that systemd hands the program that very word.

Pure: no Salt, no I/O. The rules are systemd.service(5) "COMMAND LINES" and systemd.unit(5) "SPECIFIERS".
"""

from __future__ import annotations

import re

_PLAIN = re.compile(r"[A-Za-z0-9_./:=,@+<>{}\[\]!*#&|()-]+")


def word(text: str) -> str:
    """Return `text` as one word of an `ExecStart=` line: nothing in it is expanded, quoted where it must be.

    Raises:
        ValueError: `text` has a control character, which no quoting makes safe to read.
    """
    if not text.isprintable():
        raise ValueError("has a control character")
    inert = text.replace("%", "%%").replace("$", "$$")
    if _PLAIN.fullmatch(text):
        return inert
    escaped = inert.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
