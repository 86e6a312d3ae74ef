"""Files of checksums, as `sha256sum` writes and reads them.

Pure: no Salt, no I/O.
"""

from __future__ import annotations

import re

_LINE = re.compile(r"\\?([0-9a-fA-F]{64}) [ *](.+)")
_BARE = re.compile(r"\s*([0-9a-fA-F]{64})\s*")


def find(text: str, source: str) -> str:
    """Return the digest that a file of checksums has for a source.

    Args:
        text: the file's content: lines of `DIGEST  PATH`, or one digest alone, as Kubernetes publishes them.
        source: a URL or path; a line is its own where the line's path is the last part of it.

    Raises:
        ValueError: the file has no line for it, or several that differ; the message says which.
    """
    if bare := _BARE.fullmatch(text):
        return bare[1].lower()
    found = {digest for digest, path in lines(text) if f"/{source}".endswith(f"/{path}")}
    name = source.rpartition("/")[2]
    if not found:
        raise ValueError(f"has no line for {name}")
    if len(found) > 1:
        raise ValueError(f"has several lines for {name} that differ")
    return found.pop()


def lines(text: str) -> list[tuple[str, str]]:
    """Return each line's digest and path; other lines are left out."""
    matches = (_LINE.fullmatch(line) for line in text.splitlines())
    return [(match[1].lower(), re.sub(r"^(\./)+", "", match[2])) for match in matches if match]


def write(digests: dict[str, str]) -> str:
    """Return the lines for files and their digests."""
    return "".join(f"{digest}  {name}\n" for name, digest in digests.items())
