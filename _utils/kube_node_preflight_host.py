"""Of the preflight: the machine itself, its processor, kernel, memory, disks, clock and swap.

Pure: no Salt, no I/O; what `machine` is says `kube_node_preflight`.
"""

from __future__ import annotations

import time
from typing import Any

from kube_node_findings import ERROR, INFO, WARNING, Finding
from kube_node_needs import kernel

Facts = dict[str, Any]
PROCESSORS = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm", "ppc64le": "ppc64le", "s390x": "s390x"}
# kubeadm's own minimum is 1700 MB, for a control plane; with less a kubelet soon evicts.
MEMORY_MIB = 1700
DISK_MIB = 1024
# The kubelet's own nodefs.available; below it pods are evicted as soon as they come.
DISK_PERCENT = 10
# Certificates of a living cluster are from these years.
YEARS = (2024, 2100)
# So much earlier than they were signed certificates are valid (kube-controller-manager's signer, Backdate).
SKEW_SECONDS = 300


def architecture(node: Facts, machine: Facts) -> list[Finding]:
    """Kubernetes has no programs for other processors."""
    processor, said = machine["processor"], node["node"]["architecture"]
    known = PROCESSORS.get(processor)
    if known == said:
        return []
    if known:
        remedy = f"leave node.architecture out or write {known}"
        return [Finding("architecture", ERROR, f"the processor is {processor}, not {said}", remedy)]
    remedy = f"take a machine with one of {', '.join(PROCESSORS)}"
    return [Finding("architecture", ERROR, f"Kubernetes has no programs for {processor}", remedy)]


def os_family(node: Facts, machine: Facts) -> list[Finding]:
    """Package names are known by family."""
    known = node["preflight"]["needs"]["families"]
    if machine["os_family"] in known:
        return []
    found = f"{machine['os_family']} is none of {', '.join(known)}, whose packages are known"
    return [Finding("os_family", WARNING, found, "write os.packages and the runtime's package in the pillar")]


def oldest_kernel(node: Facts, machine: Facts) -> list[Finding]:
    """Each minor has an oldest kernel, and so has kube-proxy's nftables mode."""
    needs, release = node["preflight"]["needs"], machine["kernel"]
    wanted = (
        ("kernel", needs["kernel"], f"Kubernetes {node['version']}", "boot a newer kernel"),
        (
            "proxy_kernel",
            needs["proxy_kernel"],
            "kube-proxy's mode",
            "set kube_proxy.config.mode to iptables",
        ),
    )
    return [
        Finding(name, ERROR, f"the kernel is {release} and {what} needs {oldest} or later", remedy)
        for name, oldest, what, remedy in wanted
        if oldest and kernel(release) < kernel(oldest)
    ]


def cgroups(node: Facts, machine: Facts) -> list[Finding]:
    """From 1.35 on the kubelet does not start on version 1; before 1.25 it was new to version 2."""
    needs, version = node["preflight"]["needs"], node["version"]
    if machine["cgroups"] == 1 and not needs["cgroup_v1"]:
        found = f"the machine has cgroup v1, on which the kubelet {version} does not start"
        remedy = "boot with systemd.unified_cgroup_hierarchy=1 or set kubelet.config.failCgroupV1 to false"
        return [Finding("cgroup_v1", ERROR, found, remedy)]
    if machine["cgroups"] == 2 and not needs["cgroup_v2"]:
        found = (
            f"the machine has cgroup v2 alone, which Kubernetes knows well from 1.25 on and not in {version}"
        )
        return [Finding("cgroup_v2", WARNING, found, "boot with systemd.unified_cgroup_hierarchy=0")]
    return []


def kernel_modules(_: Facts, machine: Facts) -> list[Finding]:
    """One that is built in needs no loading; a container has those of its host."""
    found = []
    if left_out := _those(machine, "left out"):
        told = f"this kernel was built without {', '.join(left_out)}"
        remedy = "boot another one, or choose another kube_proxy.config.mode"
        found.append(Finding("kernel_modules", ERROR, told, remedy))
    missing = _those(machine, "missing")
    if missing and machine["container"]:
        told = f"{', '.join(missing)} not to be seen, and a container cannot load it"
        found.append(Finding("kernel_modules", INFO, told, "have its host load it if pods lack network"))
    elif missing:
        told = f"{', '.join(missing)} not in this kernel, neither as a module nor built in"
        remedy = (
            "install the kernel's modules (linux-modules-extra, kernel-modules) or boot the newest kernel"
        )
        found.append(Finding("kernel_modules", ERROR, told, remedy))
    if unknown := _those(machine, "unknown"):
        told = f"{', '.join(unknown)} neither loaded nor in a list of what is built in"
        found.append(Finding("kernel_modules", INFO, told, "look in the kernel's configuration"))
    return found


def kernel_config(node: Facts, machine: Facts) -> list[Finding]:
    """What no module can bring later, and how a network plugin tunnels unless it is told otherwise."""
    needs, on = node["preflight"]["needs"], machine["options"]
    plugin = node["network"]["plugin"]
    found = []
    if on and (lacks := [name for name in needs["kernel_options"] if name not in on]):
        told = f"the kernel was built without {', '.join(lacks)}"
        found.append(Finding("kernel_config", ERROR, told, "boot a kernel of the distribution"))
    if on and (lacks := [name for name in needs["network_options"] if name not in on]):
        told = (
            f"the kernel was built without {', '.join(lacks)}, which network.plugin {plugin} uses by default"
        )
        remedy = "boot a kernel of the distribution, or have the plugin do without"
        found.append(Finding("kernel_config", WARNING, told, remedy))
    return found


def _those(machine: Facts, state: str) -> list[str]:
    return sorted(name for name, known in machine["modules"].items() if known == state)


def memory(_: Facts, machine: Facts) -> list[Finding]:
    """Little memory is a warning: small machines have their uses."""
    if machine["memory_mib"] >= MEMORY_MIB:
        return []
    found = f"{machine['memory_mib']} MiB are little for a node, {MEMORY_MIB} MiB are advised"
    return [Finding("memory", WARNING, found, "give the machine more or set kubelet.config.maxPods low")]


def disk(_: Facts, machine: Facts) -> list[Finding]:
    """Of the kubelet's folder and the runtime's, which may lie on one disk."""
    found = []
    for path, space in machine["disks"].items():
        free = f"{path} has {space['free_mib']} MiB free ({space['free_percent']} %)"
        if space["free_mib"] < DISK_MIB:
            found.append(Finding("disk", ERROR, free, f"make room for {DISK_MIB} MiB at least"))
        elif space["free_percent"] < DISK_PERCENT:
            told = f"{free}, and below {DISK_PERCENT} % the kubelet evicts pods"
            found.append(Finding("disk", WARNING, told, "make room"))
    return found


def clock(_: Facts, machine: Facts) -> list[Finding]:
    """A certificate is valid by the clock of the machine that looks at it."""
    now, (first, last) = time.gmtime(machine["now"]), YEARS
    if not first <= now.tm_year <= last:
        found = f"the clock says {time.strftime('%Y-%m-%d', now)}, by which no certificate is valid"
        return [Finding("clock", ERROR, found, "set it, and let NTP keep it right")]
    ahead = (machine["api_server"] or {}).get("ahead") or 0
    if abs(ahead) > SKEW_SECONDS:
        severity, way = (WARNING, "ahead of") if ahead > 0 else (ERROR, "behind")
        effect = "end early" if ahead > 0 else "are not yet valid"
        found = f"the clock is {abs(ahead)} s {way} the API server's, and new certificates {effect} here"
        return [Finding("clock", severity, found, "set it, and let NTP keep it right")]
    if machine["synchronised"] is False:
        remedy = "let chrony or systemd-timesyncd keep it right"
        return [Finding("clock_unsynchronised", INFO, "nothing corrects the clock", remedy)]
    return []


def swap(node: Facts, machine: Facts) -> list[Finding]:
    """The kubelet does not start beside swap, unless it is told to bear it."""
    if not machine["swaps"] or not node["preflight"]["needs"]["swap_off"]:
        return []
    found = f"swap is on ({', '.join(machine['swaps'])}), beside which the kubelet does not start"
    remedy = "set os.swap to off, or kubelet.config.failSwapOn to false"
    return [Finding("swap", ERROR, found, remedy)]


CHECKS = (
    architecture,
    os_family,
    oldest_kernel,
    cgroups,
    kernel_modules,
    kernel_config,
    memory,
    disk,
    clock,
    swap,
)
