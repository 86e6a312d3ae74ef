"""What a node needs of its machine, and what of it the machine must not have: by version, mode and settings.

Pure: no Salt, no I/O. `kube_node_preflight` compares it with what the machine tells.
"""

from __future__ import annotations

import re
from typing import Any

import kube_node_milestones as milestones
import kube_node_network as network
import kube_node_versions as versions

Tree = dict[str, Any]
# The plugin's own file, by which it is known (their manifests' default names).
NETWORK_FILES = {"none": "10-default.conf", "calico": "10-calico.conflist", "flannel": "10-flannel.conflist"}
# What kube-proxy calls beside iptables, by its mode (pkg/proxy/{ipvs,nftables}/proxier.go).
PROXY_PACKAGES = {"ipvs": ["ipset"], "nftables": ["nftables"]}
# Before this kernel IPv4's connection tracking was a module of its own.
ONE_CONNTRACK = (4, 19)


def modules(tree: Tree, machine: Tree, facts: Tree) -> list[str]:
    """Return the kernel modules of the runtime, a bridge's pods, the network, and kube-proxy's mode."""
    mode = _mode(tree, facts)
    proxy = list(mode.kernel_modules) if mode and mode.kernel_modules else ["nf_conntrack"]
    if kernel(machine.get("kernel")) < ONE_CONNTRACK and "ip_vs" in proxy:
        proxy = ["nf_conntrack_ipv4" if name == "nf_conntrack" else name for name in proxy]
    return sorted({"br_netfilter", "overlay", *network.modules(tree), *proxy})


def sysctl(tree: Tree, facts: Tree) -> dict[str, Any]:
    """Return the kernel parameters that follow from other keys."""
    forward = {"net.ipv6.conf.all.forwarding": 1} if ":" in tree["cluster"]["pod_cidr"] else {}
    protected = facts["milestones"]["protected_kernel_settings"]
    return forward | (protected if tree["kubelet"]["config"].get("protectKernelDefaults") is True else {})


def packages(tree: Tree) -> list[str]:
    """Return the packages of the machine's family, with those of kube-proxy's mode."""
    listed, mode = tree["os"]["packages"], str(tree["kube_proxy"]["config"].get("mode"))
    return sorted({*listed, *PROXY_PACKAGES.get(mode, ())}) if listed else []


def preflight(tree: Tree, families: list[str], facts: Tree) -> Tree:
    """Return what the machine is compared with.

    Args:
        tree: the final parameters.
        families: the OS families that the formula knows.
        facts: the content of versions/*.yaml by name.
    """
    minor, mode = versions.minor(tree["version"]), _mode(tree, facts)
    config, paths = tree["kubelet"]["config"], tree["paths"]
    return {
        "families": sorted(families),
        "kernel": milestones.kernel_minimum(facts, minor),
        "proxy_kernel": mode.kernel if mode else None,
        "cgroup_v1": not milestones.cgroup_v1_refused(facts, minor) or config.get("failCgroupV1") is False,
        "cgroup_v2": milestones.holds(facts, "cgroup_v2", minor),
        "modules": tree["os"]["modules"],
        "kernel_options": facts["milestones"]["kernel_options"]["kubelet"]
        + (facts["milestones"]["kernel_options"][mode.name] if mode else []),
        "network_options": facts["milestones"]["kernel_options"].get(_carrier(tree), []),
        "disks": [paths["kubelet"], _runtime_folder(tree)],
        "ports": _ports(tree),
        "swap_off": _swap_refused(tree) and not tree["os"]["swap_off"],
        "resolv_conf": _or(config.get("resolvConf"), "/etc/resolv.conf"),
        "cni_files": sorted({NETWORK_FILES["none"], NETWORK_FILES[tree["network"]["plugin"]]}),
        "overhead": network.overhead(tree),
    }


def _carrier(tree: Tree) -> str | None:
    return "none" if tree["network"]["plugin"] == "none" else network.carrier(tree)


def kernel(release: str | None) -> tuple[int, ...]:
    """Return a kernel's release as numbers, the newest there can be where it is not known."""
    found = re.match(r"(\d+)\.(\d+)", release or "")
    return (int(found[1]), int(found[2])) if found else (999,)


def _mode(tree: Tree, facts: Tree) -> milestones.ProxyMode | None:
    name = tree["kube_proxy"]["config"].get("mode") or "iptables"
    if not isinstance(name, str):
        return None
    return milestones.kube_proxy_modes(facts, versions.minor(tree["version"])).get(name)


def _runtime_folder(tree: Tree) -> str:
    docker = tree["runtime"]["name"] == "docker"
    return tree["runtime"]["docker"]["data_root"] if docker else "/var/lib/containerd"


def _swap_refused(tree: Tree) -> bool:
    """The kubelet's own default is to refuse."""
    flag = str(tree["kubelet"]["extra_args"].get("fail-swap-on")).lower()
    return tree["kubelet"]["config"].get("failSwapOn") is not False and flag != "false"


def _ports(tree: Tree) -> list[Tree]:
    """Return each port that kubelet and kube-proxy listen on: `{port, key, unit}`; 0 or nothing is none."""
    kubelet, proxy = tree["kubelet"]["config"], tree["kube_proxy"]["config"]
    found = [
        ("kubelet", "port", _or(kubelet.get("port"), 10250)),
        ("kubelet", "healthzPort", _or(kubelet.get("healthzPort"), 10248)),
        ("kubelet", "readOnlyPort", _or(kubelet.get("readOnlyPort"), 0)),
        ("kube_proxy", "metricsBindAddress", _port_of(proxy.get("metricsBindAddress"), 10249)),
        ("kube_proxy", "healthzBindAddress", _port_of(proxy.get("healthzBindAddress"), 10256)),
    ]
    return [
        {
            "port": port,
            "key": f"{component}.config.{field}",
            "unit": f"{component.replace('_', '-')}.service",
        }
        for component, field, port in found
        if port
    ]


def _or(value: Any, default: Any) -> Any:
    """Return a setting, or Kubernetes' own default where it is not set; 0 and an empty text are set."""
    return default if value is None else value


def _port_of(address: str | None, default: int) -> int:
    """Return the port of `ADDRESS:PORT`, the default one of a plain address; 0 where it is switched off."""
    if address is None:
        return default
    found = re.fullmatch(r"(?:[^:]*|\[.*\]):([0-9]+)", address)
    if found:
        return int(found[1])
    return default if address else 0
