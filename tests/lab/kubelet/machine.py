"""What the container manager refuses: swap, malformed reservations and thresholds, cgroups that are missing.

Sources: pkg/kubelet/cm/{container_manager,node_container_manager,cgroup_v1_manager}_linux.go;
cmd/kubelet/app/server.go, parseResourceList; pkg/kubelet/eviction/helpers.go, parseThresholdStatement.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from lab.component import host
from lab.component.go_values import parse_quantity
from lab.component.klog import quote

from .settings import Settings

_RESOURCES = ("cpu", "memory", "ephemeral-storage", "pid")
_SIGNALS = {
    "allocatableMemory.available": "1.9",
    "containerfs.available": "1.30",
    "containerfs.inodesFree": "1.30",
    "imagefs.available": "1.9",
    "imagefs.inodesFree": "1.9",
    "memory.available": "1.9",
    "nodefs.available": "1.9",
    "nodefs.inodesFree": "1.9",
    "pid.available": "1.11",
}
#: Controllers of cgroup v1 in which a reserved cgroup must be there.
_CONTROLLERS = ("cpu", "cpuacct", "cpuset", "memory", "systemd", "pids", "hugetlb")


def fault(settings: Settings) -> str | None:
    """Why the container manager cannot be made on this machine, None when it can."""
    return next(
        (text for text in (*_reserved(settings), *_thresholds(settings), _swap(settings)) if text), None
    )


def missing_cgroups(settings: Settings) -> str | None:
    """Why reserved resources cannot be enforced: their cgroup is not there. None when it is."""
    for asked in settings["enforceNodeAllocatable"] or ():
        owner = asked.split("-")[0]
        if owner not in ("system", "kube"):
            continue
        name = settings[f"{owner}ReservedCgroup"] or ""
        path, parts = _cgroup(name, settings["cgroupDriver"])
        missing = [str(folder) for folder in _hierarchies() if not (folder / path).is_dir()]
        if missing:
            kind = f"{owner.capitalize()} Reserved{' Compressible' if asked.endswith('compressible') else ''}"
            fault = _missing_text(settings, parts, [f"{folder}/{path}" for folder in missing])
            return f"Failed to enforce {kind} Cgroup Limits on {quote(name)}: {fault}"
    return None


def _missing_text(settings: Settings, parts: list[str], missing: list[str]) -> str:
    listed = f"[{' '.join(map(quote, parts))}]"
    if not settings.claim.since("1.25"):
        return f"{listed} cgroup does not exist"
    if host.cgroup_v2():
        path = f"{missing[0]}/cgroup.controllers"
        return f"could not read controllers for cgroup {listed}: open {path}: no such file or directory"
    return f"cgroup {listed} has some missing paths: {', '.join(missing)}"


def _swap(settings: Settings) -> str | None:
    lines = host.swaps()
    if not settings["failSwapOn"] or len(lines) < 2:
        return None
    claim = settings.claim
    head = "running" if claim.since("1.16") else "Running"
    if claim.since("1.31"):
        return (
            f"{head} with swap on is not supported, please disable swap or set --fail-swap-on flag to false"
        )
    return (
        f"{head} with swap on is not supported, please disable swap! or set --fail-swap-on flag to false. "
        f"/proc/swaps contained: [{' '.join(lines)}]"
    )


def _reserved(settings: Settings) -> Iterator[str]:
    for field, flag in (("kubeReserved", "kube-reserved"), ("systemReserved", "system-reserved")):
        for resource, amount in sorted((settings[field] or {}).items()):
            fault = _reservation_fault(resource, amount)
            if fault:
                yield f"--{flag} value failed to parse: {fault}"


def _reservation_fault(resource: str, amount: str) -> str | None:
    if resource not in _RESOURCES:
        return f"cannot reserve {quote(resource)} resource"
    try:
        negative = parse_quantity(amount) < 0
    except ValueError as fault:
        return f"failed to parse quantity {quote(amount)} for {quote(resource)} resource: {fault}"
    return f"resource quantity for {quote(resource)} cannot be negative: {amount}" if negative else None


def _thresholds(settings: Settings) -> Iterator[str]:
    for field in ("evictionHard", "evictionSoft"):
        for signal, value in sorted((settings[field] or {}).items()):
            fault = _threshold_fault(settings, signal, value)
            if fault:
                yield fault


def _threshold_fault(settings: Settings, signal: str, value: str) -> str | None:
    if signal not in _SIGNALS or not settings.claim.since(_SIGNALS[signal]):
        return f"unsupported eviction signal {signal}"
    if value.endswith("%"):
        return _percentage_fault(signal, value)
    try:
        positive = parse_quantity(value) > 0
    except ValueError as fault:
        return str(fault)
    return None if positive else f"eviction threshold {signal} must be positive: {value}"


def _percentage_fault(signal: str, value: str) -> str | None:
    try:
        part = float(value.removesuffix("%"))
    except ValueError:
        return f"strconv.ParseFloat: parsing {quote(value.removesuffix('%'))}: invalid syntax"
    if part < 0:
        return f"eviction percentage threshold {signal} must be >= 0%: {value}"
    return f"eviction percentage threshold {signal} must be <= 100%: {value}" if part > 100 else None


def _hierarchies() -> list[Path]:
    """The cgroup hierarchies in which a reserved cgroup must be there."""
    root = host.ROOT / "sys/fs/cgroup"
    if host.cgroup_v2():
        return [root]
    return [root / controller for controller in _CONTROLLERS if (root / controller).is_dir()]


def _cgroup(name: str, driver: str) -> tuple[str, list[str]]:
    """The path of the cgroup that a setting names, and its parts as the kubelet writes them.

    With systemd's driver the last part alone counts, as a slice: ``/x/a-b.slice`` is ``a.slice/a-b.slice``.
    """
    if driver != "systemd":
        parts = name.strip("/").split("/")
        return "/".join(parts), parts
    parts = name.rpartition("/")[2].removesuffix(".slice").split("-")
    return "/".join(f"{'-'.join(parts[: count + 1])}.slice" for count in range(len(parts))), parts
