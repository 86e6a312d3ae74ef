"""Which start of a systemd unit is the one that runs, told without asking systemd: no process, no D-Bus.

Pure but for the links and files it reads. It imports nothing of the formula, so that a running minion can use
it (`_beacons`).
"""

import os
import re
from pathlib import Path

# systemd 236 and later keep a link per unit here while it runs, to its invocation id; gone once it stopped,
# waits to be restarted, or failed.
UNITS = "run/systemd/units"
# What is older has cgroup v1, where systemd's own hierarchy lies here.
CGROUPS = "sys/fs/cgroup/systemd"
SINCE_BOOT = 19  # "starttime" of proc(5) /proc/PID/stat, counted behind the name


def invocation(unit: str, slice_: str = "system.slice", root: str = "/") -> str | None:
    """Return what names the running start of a unit, another for each start; None where it does not run.

    Args:
        unit: its full name, such as kubelet.service.
        slice_: the slice that it belongs to.
        root: where to look.
    """
    try:
        return str(Path(root, UNITS, f"invocation:{unit}").readlink())
    except OSError:
        return None if Path(root, UNITS).is_dir() else _oldest_process(unit, slice_, root)


def started(unit: str, slice_: str = "system.slice", root: str = "/") -> float | None:
    """Return when the running start of a unit was, in seconds since the epoch; None where it does not run.

    Args:
        unit: its full name, such as kubelet.service.
        slice_: the slice that it belongs to.
        root: where to look.
    """
    try:
        return Path(root, UNITS, f"invocation:{unit}").lstat().st_mtime
    except OSError:
        oldest = None if Path(root, UNITS).is_dir() else _oldest_process(unit, slice_, root)
    if oldest is None:
        return None
    booted = re.search(r"^btime (\d+)$", Path(root, "proc/stat").read_text(), flags=re.MULTILINE)
    return int(booted[1]) + int(oldest.partition("-")[0]) / os.sysconf("SC_CLK_TCK")


def _oldest_process(unit: str, slice_: str, root: str) -> str | None:
    """Return the start and id of the unit's oldest process, which is the one that systemd started."""
    try:
        processes = Path(root, CGROUPS, _folder(slice_), unit, "cgroup.procs").read_text().split()
    except OSError:
        return None
    started = [(start, int(process)) for process in processes if (start := _start(process, root))]
    return "{}-{}".format(*min(started)) if started else None


def _start(process: str, root: str) -> int | None:
    """Return when a process started, in ticks since boot; None where it has ended."""
    try:
        fields = Path(root, "proc", process, "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return int(fields[SINCE_BOOT])


def _folder(slice_: str) -> str:
    """Return where a slice's cgroup lies: a-b.slice is in a.slice."""
    parts = slice_.removesuffix(".slice").split("-")
    return "/".join(f"{'-'.join(parts[: count + 1])}.slice" for count in range(len(parts)))
