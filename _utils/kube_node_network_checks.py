"""What in `network` contradicts itself, or what the version lacks.

Pure: no Salt, no I/O.
"""

from __future__ import annotations

import ipaddress
from typing import Any

import kube_node_milestones as milestones
import kube_node_versions as versions
from kube_node_schema import Fault

Tree = dict[str, Any]
# The smallest part of the pods' network that a node gets: kube-controller-manager's default, calico's block.
NODES_PART = {"flannel": {4: 24, 6: 64}, "calico": {4: 26, 6: 122}}
SMALLEST_SUBNET = 8


def faults(tree: Tree, facts: Tree) -> list[Fault]:
    """Return what in `network` contradicts itself, or what the version lacks."""
    plugin = tree["network"]["plugin"]
    checks = {"none": _none, "flannel": _flannel, "calico": _calico}
    return [*checks[plugin](tree, facts), *_room(tree)]


def _room(tree: Tree) -> list[Fault]:
    pods, plugin = ipaddress.ip_network(tree["cluster"]["pod_cidr"]), tree["network"]["plugin"]
    part = NODES_PART.get(plugin, {}).get(pods.version, pods.max_prefixlen)
    if pods.prefixlen <= part:
        return []
    message = f"{pods} has no room for one node, of which each gets a /{part}: choose a larger network"
    return [Fault("cluster.pod_cidr", message)]


def _none(tree: Tree, _: Tree) -> list[Fault]:
    """Without a network plugin each node has its own part of the pod network, lest addresses clash."""
    network, pods = tree["network"], ipaddress.ip_network(tree["cluster"]["pod_cidr"])
    if network["pod_subnet"] is None:
        message = f"is missing, give this node a part of cluster.pod_cidr {pods} of its own"
        return [Fault("network.pod_subnet", message)]
    subnet = ipaddress.ip_network(network["pod_subnet"])
    if subnet.version != pods.version or subnet == pods or not subnet.subnet_of(pods):
        message = f"{subnet} is not a part of cluster.pod_cidr {pods}, choose a smaller one in it"
        return [Fault("network.pod_subnet", message)]
    if subnet.num_addresses < SMALLEST_SUBNET:
        message = f"{subnet} has no room for pods, choose a network of {SMALLEST_SUBNET} addresses or more"
        return [Fault("network.pod_subnet", message)]
    return []


def _flannel(tree: Tree, facts: Tree) -> list[Fault]:
    flannel, minor = tree["network"]["flannel"], versions.minor(tree["version"])
    if flannel["direct_routing"] and flannel["backend"] != "vxlan":
        message = f"goes with backend vxlan alone, not with {flannel['backend']}: remove one of the two"
        return [Fault("network.flannel.direct_routing", message)]
    known = milestones.holds(facts, "flannel_wireguard", minor) or flannel["image"]
    if flannel["backend"] == "wireguard" and not known:
        message = f"wireguard is not in the flannel that goes with {minor}: choose another, or name an image"
        return [Fault("network.flannel.backend", message)]
    return []


def _calico(tree: Tree, _: Tree) -> list[Fault]:
    calico, found = tree["network"]["calico"], []
    if not calico["bgp"] and not calico["encapsulation"].startswith("VXLAN"):
        message = f"false goes with a VXLAN encapsulation alone, not with {calico['encapsulation']}"
        found.append(Fault("network.calico.bgp", f"{message}: its routes come by BGP"))
    etcd = calico["datastore"] == "etcd"
    if etcd and not calico["etcd_endpoints"]:
        message = "is missing, write etcd's addresses, such as https://10.0.0.11:2379"
        found.append(Fault("network.calico.etcd_endpoints", message))
    if calico["etcd_endpoints"] and not etcd:
        message = "goes with datastore etcd alone, remove one of the two"
        found.append(Fault("network.calico.etcd_endpoints", message))
    if calico["manifest"]["source"] and not calico["manifest"]["sha256"]:
        message = "is missing, write the digest that sha256sum prints for the manifest"
        found.append(Fault("network.calico.manifest.sha256", message))
    return found
