"""Control groups for the lab's machines where no systemd of this machine's own hands them out.

Each machine gets a group of its own in every hierarchy, below the group that the lab itself runs in: no two
kubelets share a `kubepods`, and what a machine leaves there can be taken away with it.
"""

from __future__ import annotations

import errno
from dataclasses import dataclass
from pathlib import Path

from lab import waiting

REMOVE_SECONDS = 20
COPIED_FROM_PARENT = ("cpuset.mems", "cpuset.cpus")


@dataclass(frozen=True)
class Hierarchy:
    """One mounted cgroup hierarchy."""

    mount: Path
    controllers: frozenset[str]
    """cgroup v1 controllers or `name=` of the hierarchy; empty for cgroup v2."""


def booted_with_systemd() -> bool:
    """Whether systemd is this machine's PID 1 (sd_booted(3)), and gives every nspawn machine a scope."""
    return Path("/run/systemd/system").is_dir()


def is_v1() -> bool:
    """Whether this machine's controllers sit on cgroup v1, alone or in the hybrid layout."""
    return any(hierarchy.controllers for hierarchy in hierarchies(Path("/proc/self/mounts").read_text()))


def hierarchies(mounts: str) -> list[Hierarchy]:
    """The cgroup hierarchies in a mount table (proc(5), /proc/pid/mounts)."""
    found = []
    for line in mounts.splitlines():
        _, mount, kind, options, *_ = line.split()
        if kind == "cgroup2":
            found.append(Hierarchy(Path(mount), frozenset()))
        if kind == "cgroup":
            found.append(Hierarchy(Path(mount), frozenset(options.split(",")) - {"rw", "ro", "relatime"}))
    return found


def own_groups(groups: str, mounted: list[Hierarchy]) -> list[Path]:
    """The folder of a process's own group in every hierarchy.

    Args:
        groups: Its /proc/pid/cgroup, lines of `id:controllers:path`.
        mounted: Where the hierarchies are mounted.
    """
    paths = {}
    for line in groups.splitlines():
        _, controllers, path = line.split(":", 2)
        paths[controllers] = path.lstrip("/")
    own = []
    for hierarchy in mounted:
        matching = [
            path
            for names, path in paths.items()
            if (set(names.split(",")) <= hierarchy.controllers if names else not hierarchy.controllers)
        ]
        own += [hierarchy.mount / path for path in matching]
    return own


def plan(name: str) -> list[Path]:
    """The groups that `make` would make for a machine called `name`."""
    mounted = hierarchies(Path("/proc/self/mounts").read_text())
    return [
        group / "kube_node_lab" / name for group in own_groups(Path("/proc/self/cgroup").read_text(), mounted)
    ]


def make(groups: list[Path]) -> None:
    """Makes the groups; those of cpuset get their parent's processors, without which nothing may enter."""
    for group in groups:
        for folder in (group.parent, group):
            folder.mkdir(exist_ok=True)
            for name in COPIED_FROM_PARENT:
                if (folder / name).exists() and not (folder / name).read_text().strip():
                    (folder / name).write_text((folder.parent / name).read_text())


def remove(groups: list[Path]) -> None:
    """Removes the groups with all below them, and their common parent when no other machine has one there."""
    for group in groups:
        # A process that was killed stays in its group for a moment longer than it can be seen elsewhere.
        waiting.until(lambda group=group: _removed(group), f"the end of what is in {group}", REMOVE_SECONDS)
        if group.parent.is_dir() and not _children(group.parent):
            group.parent.rmdir()


def _removed(group: Path) -> bool:
    if not group.is_dir():
        return True
    for child in _children(group):
        _removed(child)
    try:
        group.rmdir()
    except OSError as error:
        if error.errno != errno.EBUSY:
            raise
        return False
    return True


def _children(group: Path) -> list[Path]:
    return [entry for entry in group.iterdir() if entry.is_dir()]
