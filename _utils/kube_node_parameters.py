"""From the pillar to the parameters of one node: layers, derived values, checks, and what the templates need.

Pure: no Salt, no I/O. `compile_node` is the one way in.
"""

from __future__ import annotations

import ipaddress
from typing import Any

import kube_node_checks as checks
import kube_node_files as files
import kube_node_milestones as milestones
import kube_node_schema as schema
import kube_node_settings as settings
import kube_node_versions as versions
from kube_node_identity import node_name
from kube_node_merge import Path, merge
from kube_node_schema import Fault


class ParameterError(ValueError):
    """The pillar cannot be used; `faults` says all that is wrong with it."""

    def __init__(self, faults: list[Fault]) -> None:
        self.faults = sorted(set(faults))
        super().__init__("\n".join(map(str, self.faults)))


def compile_node(pillar: Any, machine: dict[str, Any], sources: dict[str, Any]) -> dict[str, Any]:
    """Return the parameters of one node.

    Args:
        pillar: what stands under `kube_node` in the minion's pillar.
        machine: what the machine itself tells: `{id, address, salt_call}` (minion id, address of the default
            route's interface or None, how to call salt-call).
        sources: the formula's own data as `kube_node_sources.load` returns it.

    Returns:
        The tree of defaults.yaml with every value final, and beside them what the templates and states need:
        `files`, `binaries.files`, `kubelet.arguments`, `kubelet.config_yaml`, the same of `kube_proxy`,
        `kubelet.client_certificate`, `runtime.unit`, `runtime.systemd_cgroup`, `node.salt_call`.

    Raises:
        ParameterError: with all faults of the pillar.
    """
    return explain_node(pillar, machine, sources)[0]


def explain_node(
    pillar: Any, machine: dict[str, Any], sources: dict[str, Any]
) -> tuple[dict[str, Any], dict[Path, str]]:
    """Return what `compile_node` does, and the name of the layer that set each value, by its path."""
    sound, faults = schema.check(pillar)
    layers = [("defaults", sources["defaults"])]
    tree, _ = merge([*layers, ("pillar", sound)])
    faults += schema.missing(tree, faults)
    faults += checks.version(sound.get("version"), sources["facts"])
    if any(fault.path in ("kube_node", "version", "profile") for fault in faults):
        raise ParameterError(faults)
    layers.append((f"profile {tree['profile']}", sources["profiles"][tree["profile"]]))
    tree, _ = merge([*layers, ("pillar", sound)])
    if not faults:
        layers.append(("derived", _derived(tree, machine, sources["facts"])))
    tree, origins = merge([*layers, ("pillar", sound)])
    placed = {
        component: settings.place(component, tree, origins, sources["facts"])
        for component in settings.COMPONENTS
    }
    faults += [fault for placement in placed.values() for fault in placement.faults]
    faults = faults or checks.contradictions(tree)
    if faults:
        raise ParameterError(faults)
    for component, placement in placed.items():
        tree[component] |= {"arguments": placement.arguments, "config_yaml": placement.config_yaml}
    return _with_rooms(tree), origins


def _derived(tree: dict[str, Any], machine: dict[str, Any], facts: dict[str, Any]) -> dict[str, Any]:
    """Return the layer of values that follow from others, below the pillar's own."""
    cluster, paths, runtime = tree["cluster"], tree["paths"], tree["runtime"]
    minor = versions.minor(tree["version"])
    name = node_name(tree, machine["id"])
    addresses = tree["node"]["addresses"] or [address for address in [machine["address"]] if address]
    dns_address = cluster["dns_address"] or str(ipaddress.ip_network(cluster["service_cidr"])[2])
    labels = tree["node"]["labels"]
    pki = f"{paths['kubelet']}/pki"
    return {
        "cluster": {"dns_address": dns_address},
        "node": {"name": name, "addresses": addresses, "salt_call": machine["salt_call"]},
        "runtime": {
            "sandbox_image": runtime["sandbox_image"] or milestones.pause_image(facts, minor),
            "unit": "containerd.service",
            "systemd_cgroup": runtime["cgroup_driver"] == "systemd",
        },
        "kubelet": {
            "client_certificate": f"{pki}/kubelet-client-current.pem",
            "certificates": [f"{pki}/kubelet-{kind}-current.pem" for kind in _kinds(tree)],
            "config": {
                "authentication": {"x509": {"clientCAFile": f"{paths['certificates']}/ca.crt"}},
                "cgroupDriver": runtime["cgroup_driver"],
                "clusterDNS": [dns_address],
                "clusterDomain": cluster["dns_domain"],
                "containerRuntimeEndpoint": runtime["containerd"]["endpoint"],
                "registerWithTaints": tree["node"]["taints"],
                "staticPodPath": paths["static_pods"],
            },
            "extra_args": {
                "bootstrap-kubeconfig": f"{paths['kubernetes']}/bootstrap.kubeconfig",
                "cert-dir": pki,
                "config": f"{paths['kubelet']}/config.yaml",
                "container-runtime": "remote",
                "hostname-override": name,
                "kubeconfig": f"{paths['kubernetes']}/kubelet.kubeconfig",
                "node-ip": addresses[0] if addresses else None,
                "node-labels": ",".join(f"{key}={value}" for key, value in sorted(labels.items())) or None,
                "pod-infra-container-image": runtime["sandbox_image"] or milestones.pause_image(facts, minor),
                "root-dir": paths["kubelet"],
            },
        },
        "kube_proxy": {
            "config": {
                "clientConnection": {"kubeconfig": f"{paths['kubernetes']}/kube-proxy.kubeconfig"},
                "hostnameOverride": name,
            },
            "extra_args": {"config": f"{paths['kube_proxy']}/config.yaml"},
        },
    }


def _with_rooms(tree: dict[str, Any]) -> dict[str, Any]:
    """Add what the states of each room walk: the binaries and the files."""
    release = f"{tree['paths']['versions']}/v{tree['version']}"
    tree["binaries"]["files"] = [
        {
            "name": name,
            "link": f"{tree['paths']['bin']}/{name}",
            "path": f"{release}/{name}",
            "source": f"{tree['binaries']['source'].rstrip('/')}/{name}",
            "sha256": digest,
        }
        for name, digest in sorted(tree["binaries"]["sha256"].items())
    ]
    tree["files"] = files.by_room(tree)
    return tree


def _kinds(tree: dict[str, Any]) -> list[str]:
    """Return which certificates the kubelet asks for."""
    serving = tree["kubelet"]["config"].get("serverTLSBootstrap") is True
    return ["client", "server"] if serving else ["client"]
