"""The cgroups that a kubelet enforces reservations on, and the systemd units that make them.

Pure: no Salt, no I/O. A kubelet does not start while such a cgroup is missing
(node_container_manager_linux.go, enforceExistingCgroup); it must be there in every cgroup v1 controller that
the kubelet knows. systemd makes a cgroup for each of its units, in the controllers that the unit's accounting
asks for. Of v1's cpuset and hugetlb it knows nothing, and in a container of none: a unit of ours makes those.
"""

from __future__ import annotations

import re
from typing import Any

import kube_node_milestones as milestones
import kube_node_types as types
import kube_node_versions as versions
from kube_node_schema import Fault

UNITS = "/etc/systemd/system"
# systemd's own slices: their units are its own, ours lie over them.
BUILT_IN = ("system.slice", "user.slice", "machine.slice")
OWN = "kubelet.service"
OWNERS = ("kube", "system")
_SLICE = re.compile(r"(?:/[A-Za-z0-9_.-]+)*/[A-Za-z0-9_]+(?:-[A-Za-z0-9_]+)*\.slice")


def reserved(tree: dict[str, Any], facts: dict[str, Any]) -> dict[str, Any]:
    """Return what the kubelet's reservations need.

    Returns:
        `paths`, the enforced cgroups below each controller; `slices`, a list of `{name, path}` of the slices
        and their units' files; `slice`, the slice that the kubelet itself belongs to, or None; `units`, what
        the kubelet's unit wants for them; `v1`, whether the machine may be on cgroup v1, where not
        every controller is systemd's.
    """
    config = tree["kubelet"]["config"]
    enforced = _enforced(config)
    refused = milestones.cgroup_v1_refused(facts, versions.minor(tree["version"]))
    v1 = bool(enforced) and (not refused or config.get("failCgroupV1") is False)
    slices = sorted(set(map(_slice, enforced.values())))
    return {
        "paths": sorted({_folder(path) for path in enforced.values()}),
        "slices": [{"name": name, "path": _file(name)} for name in slices],
        "slice": _slice(enforced["kube"]) if "kube" in enforced else None,
        "units": [
            *(name for name in slices if name not in BUILT_IN),
            *(["kube-node-cgroups.service"] if v1 else []),
        ],
        "v1": v1,
    }


def faults(tree: dict[str, Any]) -> list[Fault]:
    """Return a fault for each enforced reservation whose cgroup is none that a unit makes."""
    cgroupfs = tree["runtime"]["cgroup_driver"] == "cgroupfs"
    found = []
    for owner, path in _enforced(tree["kubelet"]["config"]).items():
        sound = _SLICE.fullmatch(path) and (not cgroupfs or path.strip("/") == _folder(path))
        if not sound and not (cgroupfs and path == f"/system.slice/{OWN}"):
            message = f"{types.shown(path)} is not a slice's cgroup, write one such as /{owner}.slice"
            found.append(Fault(f"kubelet.config.{owner}ReservedCgroup", message))
    return found


def _enforced(config: dict[str, Any]) -> dict[str, str]:
    """Return the cgroup of each owner ("kube", "system") whose reservation is enforced."""
    asked = {name.removesuffix("-compressible") for name in config.get("enforceNodeAllocatable") or ()}
    return {
        owner: config[f"{owner}ReservedCgroup"]
        for owner in OWNERS
        if f"{owner}-reserved" in asked and config.get(f"{owner}ReservedCgroup")
    }


def _slice(path: str) -> str:
    """Return the name of the slice that a cgroup is, or lies in."""
    name = path.rpartition("/")[2]
    return name if name.endswith(".slice") else "system.slice"


def _folder(path: str) -> str:
    """Return where systemd makes a cgroup: the slice a-b.slice lies in a.slice."""
    name = path.rpartition("/")[2]
    if not name.endswith(".slice"):
        return f"system.slice/{name}"
    parts = name.removesuffix(".slice").split("-")
    return "/".join(f"{'-'.join(parts[: count + 1])}.slice" for count in range(len(parts)))


def _file(name: str) -> str:
    return f"{UNITS}/{name}.d/kube-node.conf" if name in BUILT_IN else f"{UNITS}/{name}"
