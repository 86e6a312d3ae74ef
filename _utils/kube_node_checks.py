"""What must fit together in the pillar: a version that is known, and values that speak of one thing.

Pure: no Salt, no I/O. The type of each single value is `kube_node_schema`'s.
"""

from __future__ import annotations

import ipaddress
from typing import Any

import kube_node_types as types
import kube_node_versions as versions
from kube_node_merge import get
from kube_node_schema import Fault


def version(release: str | None, facts: dict[str, Any]) -> list[Fault]:
    """Return a fault for a release whose minor the facts do not know."""
    known = versions.minors(facts)
    if release is None or versions.minor(release) in known:
        return []
    choice = f"choose a release of {known[0]} to {known[-1]}"
    return [Fault("version", f"Kubernetes {versions.minor(release)} is not known, {choice}")]


def contradictions(tree: dict[str, Any]) -> list[Fault]:
    """Return what in the final parameters contradicts itself."""
    return [fault for check in (_name, _said_twice, _paths, _networks, _pod_subnet) for fault in check(tree)]


def _name(tree: dict[str, Any]) -> list[Fault]:
    fault = types.name(tree["node"]["name"])
    message = f"is missing, and the minion id cannot stand for it: {fault}"
    return [Fault("node.name", message)] if fault else []


def _said_twice(tree: dict[str, Any]) -> list[Fault]:
    """What several programs must agree on is said once.

    The node's name is that of its certificate, the kubelet and kube-proxy (kubernetes issue 54482), the
    cgroup driver that of runtime and kubelet (issue 43805), and kube-proxy reads the kubelet's certificate.
    """
    name, driver, paths = tree["node"]["name"], tree["runtime"]["cgroup_driver"], tree["paths"]
    places = (
        ("kubelet.extra_args.hostname-override", "node.name", name),
        ("kube_proxy.config.hostnameOverride", "node.name", name),
        ("kube_proxy.extra_args.hostname-override", "node.name", name),
        ("kubelet.config.cgroupDriver", "runtime.cgroup_driver", driver),
        ("kubelet.extra_args.cgroup-driver", "runtime.cgroup_driver", driver),
        ("kubelet.extra_args.cert-dir", "paths.kubelet", f"{paths['kubelet']}/pki"),
    )
    found = [(place, owner, value, get(tree, tuple(place.split(".")))) for place, owner, value in places]
    return [
        Fault(place, f"{types.shown(said)} is not the {types.shown(value)} of {owner}, set {owner} alone")
        for place, owner, value, said in found
        if said not in (None, value)
    ]


def _paths(tree: dict[str, Any]) -> list[Fault]:
    """The kubelet and kube-proxy each keep a config.yaml."""
    paths = tree["paths"]
    if paths["kubelet"] != paths["kube_proxy"]:
        return []
    message = f"{paths['kube_proxy']} is paths.kubelet too, choose a folder of its own"
    return [Fault("paths.kube_proxy", message)]


def _networks(tree: dict[str, Any]) -> list[Fault]:
    cluster = tree["cluster"]
    services, pods = ipaddress.ip_network(cluster["service_cidr"]), ipaddress.ip_network(cluster["pod_cidr"])
    faults = []
    if services.overlaps(pods):
        message = f"{pods} overlaps cluster.service_cidr {services}, choose one apart"
        faults.append(Fault("cluster.pod_cidr", message))
    if ipaddress.ip_address(cluster["dns_address"]) not in services:
        message = f"{cluster['dns_address']} is outside cluster.service_cidr {services}, choose one inside"
        faults.append(Fault("cluster.dns_address", message))
    return faults


def _pod_subnet(tree: dict[str, Any]) -> list[Fault]:
    """Without a network plugin each node has its own part of the pod network, lest addresses clash."""
    network, pods = tree["network"], ipaddress.ip_network(tree["cluster"]["pod_cidr"])
    if network["plugin"] != "none":
        return []
    if network["pod_subnet"] is None:
        message = f"is missing, give this node a part of cluster.pod_cidr {pods} of its own"
        return [Fault("network.pod_subnet", message)]
    subnet = ipaddress.ip_network(network["pod_subnet"])
    if subnet.version == pods.version and subnet != pods and subnet.subnet_of(pods):
        return []
    message = f"{subnet} is not a part of cluster.pod_cidr {pods}, choose a smaller one in it"
    return [Fault("network.pod_subnet", message)]
