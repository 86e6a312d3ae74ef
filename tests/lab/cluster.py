"""What an operator prepares for the formula: rights, the approver's kubeconfig, binaries, pillar."""

from __future__ import annotations

import shutil

import kube_node_versions as versions
import yaml

from lab import binaries
from lab.controlplane import ControlPlane
from lab.machine import Machine
from lab.master import PROJECT, Master

CLUSTER = "demo"
POD_CIDR = "172.20.0.0/16"
SERVICE_CIDR = "10.68.0.0/16"
DNS_ADDRESS = "10.68.0.2"
APPROVER = "kube-node-approver"


def prepare_api(control_plane: ControlPlane, master: Master, name: str = CLUSTER) -> None:
    """Applies the formula's manifests as an administrator, and gives the master the approver's kubeconfig."""
    for manifest in sorted((PROJECT / "kube_node/master/files").glob("*.yaml")):
        control_plane.apply(manifest.read_text())
    kubeconfig = master.config / "kube_node" / f"{name}.kubeconfig"
    kubeconfig.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(control_plane.kubeconfig(APPROVER), kubeconfig)
    kubeconfig.chmod(0o600)


def prepare_binaries(master: Master, version: str) -> dict[str, str]:
    """Puts kubelet and kube-proxy where `salt://kubernetes/v<version>` finds them; returns their sha256."""
    checksums = binaries.collect(version, master.states / "kubernetes" / f"v{version}")
    return {name: checksums[name] for name in ("kubelet", "kube-proxy")}


def node_pillar(
    control_plane: ControlPlane,
    machine: Machine,
    number: int,
    version: str,
    checksums: dict,
) -> dict:
    """The pillar of the lab's machine number 1, 2, …"""
    return {
        "version": version,
        "cluster": {
            "name": CLUSTER,
            "api_server": control_plane.url,
            "ca": control_plane.ca_file.read_text(),
            "service_cidr": SERVICE_CIDR,
            "pod_cidr": POD_CIDR,
            "dns_address": DNS_ADDRESS,
        },
        "node": {"addresses": [machine.address]},
        "paths": {"cni_bin": "/usr/lib/cni"},
        "network": {"plugin": "none", "pod_subnet": f"172.20.{number}.0/24"},
        "kubelet": {"config": kubelet_config(version, machine.has_cgroup_v1)},
        # The size of the connection table is the kernel's: a network namespace can't set it.
        "kube_proxy": {"config": {"conntrack": {"maxPerCore": 0}}},
        "binaries": {"source": f"salt://kubernetes/v{version}", "sha256": checksums},
    }


def kubelet_config(version: str, cgroup_v1: bool) -> dict:
    """What the kubelet of a release must be told because it shares this machine's kernel."""
    config = {"failSwapOn": False}
    knows = versions.parse(version) >= (1, 31)
    return {**config, "failCgroupV1": False} if cgroup_v1 and knows else config


def write_pillar(master: Master, pillars: dict[str, dict]) -> None:
    """Writes the pillar and the top files: every minion gets its own, and all get the formula."""
    for minion_id, pillar in pillars.items():
        (master.pillar / f"{minion_id}.sls").write_text(
            yaml.safe_dump({"kube_node": pillar}, sort_keys=False)
        )
    top = {"base": {minion_id: [minion_id] for minion_id in pillars}}
    (master.pillar / "top.sls").write_text(yaml.safe_dump(top))
    (master.states / "top.sls").write_text(yaml.safe_dump({"base": {"*": ["kube_node"]}}))
