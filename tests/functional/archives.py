"""Archives as Kubernetes and others release them, and as nobody should."""

from __future__ import annotations

import hashlib
import io
import tarfile
from collections.abc import Iterable
from pathlib import Path


def program(name: str, says: str, mode: int = 0o755) -> tuple[tarfile.TarInfo, bytes]:
    """Return a member that prints what it `says`."""
    content = f"#!/bin/sh\necho {says}\n".encode()
    member = tarfile.TarInfo(name)
    member.size, member.mode = len(content), mode
    return member, content


def link(name: str, to: str, kind: bytes = tarfile.SYMTYPE) -> tuple[tarfile.TarInfo, bytes]:
    """Return a member that is a link."""
    member = tarfile.TarInfo(name)
    member.type, member.linkname, member.mode = kind, to, 0o777
    return member, b""


def device(name: str) -> tuple[tarfile.TarInfo, bytes]:
    """Return a member that is a device."""
    member = tarfile.TarInfo(name)
    member.type, member.devmajor, member.devminor = tarfile.CHRTYPE, 1, 1
    return member, b""


def archive(path: Path, members: Iterable[tuple[tarfile.TarInfo, bytes]]) -> dict[str, str]:
    """Write an archive; return its `source` and `sha256`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w:gz") as tar:
        for member, content in members:
            tar.addfile(member, io.BytesIO(content))
    return served(path)


def served(path: Path) -> dict[str, str]:
    """Return the `source` and `sha256` of a file."""
    return {"source": f"file://{path}", "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
