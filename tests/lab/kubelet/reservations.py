"""What a kubelet refuses of CPUs, memory and cgroups that are to be reserved.

Source: pkg/kubelet/apis/config/validation/validation.go of 1.16 to 1.36.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from lab.component.klog import quote

from .settings import Settings

_HEAD = "invalid configuration: "
_ENFORCEMENTS = ("pods", "system-reserved", "kube-reserved", "none")
_COMPRESSIBLE = ("system-reserved-compressible", "kube-reserved-compressible")


def faults(settings: Settings) -> Iterator[str]:
    """What is wrong with enforceNodeAllocatable."""
    asked = settings["enforceNodeAllocatable"] or []
    where = "enforceNodeAllocatable (--enforce-node-allocatable)"
    compressible = _COMPRESSIBLE if settings.claim.since("1.32") else ()
    for name in asked:
        if name in ("system-reserved", "kube-reserved", *compressible):
            yield from _reserved_cgroup(settings, name.split("-")[0], name, where)
        elif name == "none" and len(asked) > 1:
            yield f'{_HEAD}{where} may not contain additional enforcements when "none" is specified'
        elif name not in (*_ENFORCEMENTS, *compressible):
            choices = ("pods", "system-reserved", *compressible[:1], "kube-reserved", *compressible[1:])
            listed = ", ".join(map(quote, choices))
            yield f'{_HEAD}option {quote(name)} specified for {where}. Valid options are {listed} or "none"'
    if asked and asked != ["none"] and not settings["cgroupsPerQOS"]:
        yield from _without_qos(settings, asked, where)


def _reserved_cgroup(settings: Settings, owner: str, name: str, where: str) -> Iterator[str]:
    if settings[f"{owner}ReservedCgroup"] or not settings.claim.since("1.16"):
        return
    what = f"{quote(name)} contained in"
    if settings.claim.since("1.32"):
        what = f'"{owner}-reserved" or "{owner}-reserved-compressible" included in'
    elif not settings.claim.since("1.23"):
        what = f"'{name}' contained in"
    yield f"{_HEAD}{owner}ReservedCgroup (--{owner}-reserved-cgroup) must be specified when {what} {where}"


def _without_qos(settings: Settings, asked: list[str], where: str) -> Iterator[str]:
    if settings.claim.since("1.32"):
        for name in asked:
            yield (
                f"{_HEAD}cgroupsPerQOS (--cgroups-per-qos) must be set to true when {quote(name)} contained "
                f"in {where}"
            )
    else:
        yield f"{_HEAD}{where} is not supported unless cgroupsPerQOS (--cgroups-per-qos) is set to true"


def cpu_faults(settings: Settings) -> Iterator[str]:
    """What is wrong with reservedSystemCPUs."""
    if settings["reservedSystemCPUs"] and (
        settings["systemReservedCgroup"] or settings["kubeReservedCgroup"]
    ):
        yield (
            f"{_HEAD}can't use reservedSystemCPUs (--reserved-cpus) with systemReservedCgroup "
            "(--system-reserved-cgroup) or kubeReservedCgroup (--kube-reserved-cgroup)"
        )
    cpus = settings["reservedSystemCPUs"] or ""
    for bound in re.split("[,-]", cpus) if cpus else ():
        if not bound.isdigit():
            reason = f"strconv.Atoi: parsing {quote(bound)}: invalid syntax"
            yield f"{_HEAD}unable to parse reservedSystemCPUs (--reserved-cpus) {cpus}, error: {reason}"
            return
