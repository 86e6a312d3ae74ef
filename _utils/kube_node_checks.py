"""What must fit together in the pillar: the version that is known, and values that name one thing in several places.

Pure: no Salt, no I/O. The type of each single value is `kube_node_schema`'s.
"""

from __future__ import annotations

import ipaddress
from typing import Any

import kube_node_versions as versions
from kube_node_merge import get
from kube_node_schema import Fault


def version(release: str | None, facts: dict[str, Any]) -> list[Fault]:
    """Return a fault for a release whose minor the facts do not know."""
    try:
        if release is not None:
            versions.known_minor(facts, release)
    except ValueError as error:
        return [Fault("version", str(error))]
    return []


def contradictions(tree: dict[str, Any]) -> list[Fault]:
    """Return what in the final parameters contradicts itself."""
    return [fault for check in (_names, _cgroup_driver, _networks, _pod_subnet) for fault in check(tree)]


def _names(tree: dict[str, Any]) -> list[Fault]:
    """The node's name is one: that of its certificate, of the kubelet and of kube-proxy (kubernetes issue 54482)."""
    name = tree["node"]["name"]
    places = (("kubelet", "extra_args", "hostname-override"), ("kube_proxy", "config", "hostnameOverride"))
    return [
        Fault(".".join(path), f"{get(tree, path)!r} is not the node's name {name!r}, set node.name alone")
        for path in (*places, ("kube_proxy", "extra_args", "hostname-override"))
        if get(tree, path) not in (None, name)
    ]


def _cgroup_driver(tree: dict[str, Any]) -> list[Fault]:
    """Runtime and kubelet use one cgroup driver (kubernetes issue 43805)."""
    driver = tree["runtime"]["cgroup_driver"]
    places = (("kubelet", "config", "cgroupDriver"), ("kubelet", "extra_args", "cgroup-driver"))
    return [
        Fault(".".join(path), f"{get(tree, path)!r} is not the runtime's driver {driver!r}, set runtime.cgroup_driver alone")
        for path in places
        if get(tree, path) not in (None, driver)
    ]


def _networks(tree: dict[str, Any]) -> list[Fault]:
    cluster = tree["cluster"]
    services, pods = ipaddress.ip_network(cluster["service_cidr"]), ipaddress.ip_network(cluster["pod_cidr"])
    faults = []
    if services.overlaps(pods):
        faults.append(Fault("cluster.pod_cidr", f"{pods} overlaps cluster.service_cidr {services}, choose one apart"))
    if ipaddress.ip_address(cluster["dns_address"]) not in services:
        message = f"{cluster['dns_address']} is outside cluster.service_cidr {services}, choose one of its addresses"
        faults.append(Fault("cluster.dns_address", message))
    return faults


def _pod_subnet(tree: dict[str, Any]) -> list[Fault]:
    """Without a network plugin each node has its own part of the pod network; the whole on each would clash."""
    network, pods = tree["network"], ipaddress.ip_network(tree["cluster"]["pod_cidr"])
    if network["plugin"] != "none":
        return []
    if network["pod_subnet"] is None:
        return [Fault("network.pod_subnet", f"is missing, give this node a part of cluster.pod_cidr {pods} of its own")]
    subnet = ipaddress.ip_network(network["pod_subnet"])
    if subnet.version == pods.version and subnet != pods and subnet.subnet_of(pods):
        return []
    return [Fault("network.pod_subnet", f"{subnet} is not a part of cluster.pod_cidr {pods}, choose a smaller one in it")]
