"""The Node object as a kubelet makes it: labels, taints, capacity, addresses, conditions, machine.

Sources: pkg/kubelet/kubelet_node_status.go, initialNode and defaultNodeStatusFuncs;
pkg/kubelet/nodestatus/setters.go.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from lab.component import host
from lab.component.go_values import parse_quantity

from .settings import Settings

_ATTACH_DETACH = "volumes.kubernetes.io/controller-managed-attach-detach"
_PRESSURES = {
    "MemoryPressure": ("KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
    "DiskPressure": ("KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
    "PIDPressure": ("KubeletHasSufficientPID", "kubelet has sufficient PID available"),
}


def metadata(settings: Settings, name: str) -> dict[str, Any]:
    """Name, labels and annotations of a new node."""
    labels = {
        "beta.kubernetes.io/arch": host.architecture(),
        "beta.kubernetes.io/os": "linux",
        "kubernetes.io/hostname": name,
    }
    if settings.claim.since("1.14"):
        labels |= {"kubernetes.io/arch": host.architecture(), "kubernetes.io/os": "linux"}
    labels |= settings.flags.values.get("node-labels", {})
    result: dict[str, Any] = {"name": name, "labels": labels}
    if settings["enableControllerAttachDetach"]:
        result["annotations"] = {_ATTACH_DETACH: "true"}
    return result


def spec(settings: Settings) -> dict[str, Any]:
    """Taints, the provider's id, and whether pods may come."""
    result: dict[str, Any] = {}
    taints = [dict(taint) for taint in settings["registerWithTaints"] or ()]
    if settings.flags.values.get("register-schedulable") is False:
        result["unschedulable"] = True
    if taints:
        result["taints"] = taints
    if settings["providerID"]:
        result["providerID"] = settings["providerID"]
    return result


def addresses(settings: Settings, name: str) -> list[dict[str, str]]:
    """The node's addresses. Raises ValueError with the kubelet's message when it cannot tell."""
    ips = [ip for ip in settings.flags.text("node-ip").split(",") if ip]
    primary = host.node_address(name, ips[0] if ips else "")
    found = [{"type": "InternalIP", "address": ip} for ip in (primary, *ips[1:2])]
    return [*found, {"type": "Hostname", "address": name}]


def capacity(settings: Settings) -> dict[str, str]:
    """What the machine has: CPUs, memory, room for pods and their files."""
    disk = os.statvfs(_existing(Path(settings.root_dir)))
    result = {
        "cpu": str(os.cpu_count() or 1),
        "ephemeral-storage": f"{disk.f_blocks * disk.f_frsize // 1024}Ki",
        "hugepages-1Gi": "0",
        "hugepages-2Mi": "0",
        "memory": f"{host.memory_bytes() // 1024}Ki",
        "pods": str(settings["maxPods"]),
    }
    if not settings.claim.since("1.10"):
        result = {key: value for key, value in result.items() if key in ("cpu", "memory", "pods")}
    return result


def allocatable(settings: Settings, whole: dict[str, str]) -> dict[str, str]:
    """What is left for pods: the capacity less what is reserved and the hard eviction threshold of memory."""
    result = dict(whole)
    given = settings["evictionHard"]
    thresholds = {"memory.available": "100Mi"} if given is None else given
    threshold = thresholds.get("memory.available", "0")
    memory = parse_quantity(whole["memory"]) - _reserved(settings, "memory")
    memory -= 0 if threshold.endswith("%") else parse_quantity(threshold)
    millicpu = int((parse_quantity(whole["cpu"]) - _reserved(settings, "cpu")) * 1000)
    result["memory"] = f"{max(0, int(memory)) // 1024}Ki"
    result["cpu"] = str(millicpu // 1000) if millicpu % 1000 == 0 else f"{millicpu}m"
    return result


def info(settings: Settings, runtime_version: str) -> dict[str, str]:
    """What the machine and its programs are."""
    version = f"v{settings.claim.version}"
    result = {
        "architecture": host.architecture(),
        "bootID": host.text("/proc/sys/kernel/random/boot_id"),
        "containerRuntimeVersion": runtime_version,
        "kernelVersion": platform.release(),
        "kubeProxyVersion": version,
        "kubeletVersion": version,
        "machineID": host.text("/etc/machine-id"),
        "operatingSystem": "linux",
        "osImage": host.os_image(),
        "systemUUID": host.text("/sys/class/dmi/id/product_uuid") or host.text("/etc/machine-id"),
    }
    if settings.claim.since("1.33"):
        # KEP-4004: no longer told, a kubelet cannot know it.
        result["kubeProxyVersion"] = ""
    return result


def conditions(faults: Sequence[str], earlier: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The node's conditions, Ready the last; a condition that is as before keeps the time of its change."""
    now = timestamp()
    found = [
        {"type": kind, "status": "False", "reason": reason, "message": message}
        for kind, (reason, message) in _PRESSURES.items()
    ]
    ready = {
        "type": "Ready",
        "status": "True",
        "reason": "KubeletReady",
        "message": "kubelet is posting ready status",
    }
    if faults:
        message = faults[0] if len(faults) == 1 else f"[{', '.join(faults)}]"
        ready |= {"status": "False", "reason": "KubeletNotReady", "message": message}
    before = {condition["type"]: condition for condition in earlier}
    for condition in (*found, ready):
        old = before.get(condition["type"], {})
        since = old.get("lastTransitionTime", now) if old.get("status") == condition["status"] else now
        condition |= {"lastHeartbeatTime": now, "lastTransitionTime": since}
    return [*found, ready]


def timestamp() -> str:
    """Now, as metav1.Time writes it."""
    return f"{datetime.now(timezone.utc):%Y-%m-%dT%H:%M:%SZ}"


def _reserved(settings: Settings, resource: str):
    owners = (settings["kubeReserved"] or {}, settings["systemReserved"] or {})
    return sum(parse_quantity(owner.get(resource, "0")) for owner in owners)


def _existing(path: Path) -> Path:
    return path if path.exists() else _existing(path.parent)
