"""The logs of a lab, saved before the lab is taken away."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from lab import host

PATTERNS = (
    "control-plane/*.log",
    "master/var/log/salt/*",
    "nodes/*/console.log",
    "nodes/*/upper/var/log/salt/*",
)
# Parts of a log's path that its name can do without.
NOISE = {"upper", "var", "log", "nodes"}


def save(name: str) -> Path:
    """Copies the logs of the lab of that name into the cache; returns their folder."""
    lab = host.labs() / name
    target = host.cache() / "logs" / name
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    for path in (path for pattern in PATTERNS for path in lab.glob(pattern) if path.is_file()):
        shutil.copy(
            path, target / "-".join(part for part in path.relative_to(lab).parts if part not in NOISE)
        )
    for journal in lab.glob("nodes/*/upper/var/log/journal"):
        with (target / f"{journal.parents[3].name}-journal.log").open("w") as output:
            command = ["journalctl", "--no-pager", f"--directory={journal}"]
            subprocess.run(command, stdout=output, stderr=subprocess.DEVNULL)
    return target
