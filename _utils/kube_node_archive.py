"""Programs out of a tar archive, each whole before it has its name.

It reads and writes files; no Salt. A member's own path never says where it is written to; an archive with
paths or links that lead out of it, or with devices, is refused.
"""

from __future__ import annotations

import hashlib
import os
import posixpath
import tarfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

CHUNK = 1024 * 1024


def members(archive: str, program: str | None = None) -> dict[str, str]:
    """Return the members that are wanted, by the name that each gets.

    Args:
        archive: the file.
        program: the name of the one that is wanted; without it all that may be executed.

    Raises:
        ValueError: it is no archive, has hostile members, or not the wanted one exactly once.
    """
    found: dict[str, str] = {}
    wanted = [entry for entry in _read(archive) if entry.isreg()]
    for entry in wanted:
        name = Path(entry.name).name
        if name != program if program else not entry.mode & 0o111:
            continue
        if name in found:
            raise ValueError(f"has {name} twice, as {found[name]} and {entry.name}")
        found[name] = entry.name
    if not found:
        raise ValueError(f"has no {program} in it" if program else "has no program in it")
    return found


def extract(archive: str, wanted: dict[str, str], folder: Path) -> dict[str, str]:
    """Write members to a folder, each in one step; return the SHA-256 of each by its name."""
    with tarfile.open(archive, "r:gz") as tar:
        return {name: put(tar.extractfile(member), folder / name) for name, member in wanted.items()}


def put(content: BinaryIO, path: Path, sound: Callable[[str], bool] = lambda _: True) -> str:
    """Write a program to a path in one step, never into the file that is there; return its SHA-256.

    Args:
        content: what is read.
        path: where it goes; until it lies on the disk whole, only beside that, as `PATH.part`.
        sound: told the digest, says whether the program may have its name.
    """
    part, digest = Path(f"{path}.part"), hashlib.sha256()
    try:
        with part.open("wb") as file:
            while chunk := content.read(CHUNK):
                digest.update(chunk)
                file.write(chunk)
            file.flush()
            os.fsync(file.fileno())
        if sound(digest.hexdigest()):
            part.chmod(0o755)
            part.replace(path)
            sync(path.parent)
    finally:
        part.unlink(missing_ok=True)
    return digest.hexdigest()


def sync(folder: Path) -> None:
    """Have the names in a folder lie on the disk too."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _read(archive: str) -> list[tarfile.TarInfo]:
    """Return all members, having looked at each of them."""
    try:
        with tarfile.open(archive, "r:gz") as tar:
            entries = tar.getmembers()
    except (tarfile.TarError, EOFError, OSError, zlib.error) as error:
        raise ValueError(f"is not a whole tar.gz archive: {error}") from None
    for entry in entries:
        if fault := _hostility(entry):
            raise ValueError(f"has a hostile member: {entry.name} {fault}")
    return entries


def _hostility(entry: tarfile.TarInfo) -> str | None:
    """Tell what tarfile's own data filter refuses, which Debian 12's Python has not yet."""
    if not (entry.isreg() or entry.isdir() or entry.issym() or entry.islnk()):
        return "is a special file"
    if _leads_out(entry.name):
        return "leads out of it"
    to = posixpath.join(posixpath.dirname(entry.name), entry.linkname) if entry.issym() else entry.linkname
    return f"is a link to {entry.linkname}" if _leads_out(to) else None


def _leads_out(path: str) -> bool:
    return path.startswith("/") or posixpath.normpath(path).split("/")[0] == ".."
