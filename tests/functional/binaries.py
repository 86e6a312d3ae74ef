"""A program as the formula installs it: two releases of it in folders of the test."""

from __future__ import annotations

import hashlib
import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Binary:
    """A program of one release, where it comes from and where it goes."""

    name: str
    path: str
    source: str
    sha256: str

    def arguments(self) -> dict[str, str]:
        return vars(self)

    def entry(self) -> dict[str, str]:
        """Return the program as the parameters list it."""
        return {
            "name": "kubelet",
            "link": self.name,
            **{key: vars(self)[key] for key in ("path", "source", "sha256")},
        }


def binary(root: Path, release: str, content: bytes | None = None) -> Binary:
    """Return a program that prints its release, served from a folder below `root`."""
    content = content or f"#!/bin/sh\necho {release}\n".encode()
    served = root / "served" / release / "kubelet"
    served.parent.mkdir(parents=True)
    served.write_bytes(content)
    return Binary(
        name=str(root / "bin" / "kubelet"),
        path=str(root / "versions" / release / "kubelet"),
        source=f"file://{served}",
        sha256=hashlib.sha256(content).hexdigest(),
    )


def run(program: str) -> str:
    return subprocess.run([program], capture_output=True, text=True, check=True).stdout.strip()


def files(root: Path) -> list[str]:
    """Return every file and link below `root`, but what is served."""
    found = (path for path in root.rglob("*") if path.is_symlink() or path.is_file())
    return sorted(str(path.relative_to(root)) for path in found if root / "served" not in path.parents)
