"""Flannel as this cluster has it: what its manifest says, and what its nodes must have been given.

Pure: no Salt, no I/O.
"""

from __future__ import annotations

import hashlib
import ipaddress
import json
from typing import Any
from urllib.parse import urlsplit

import jinja2
import kube_node_manifest as manifest
import kube_node_milestones as milestones
import kube_node_network as network

Tree = dict[str, Any]
TEMPLATE = "kube_node/network/flannel/files/kube-flannel.yaml.jinja"
WORKLOADS = [("DaemonSet", "kube-system", "kube-flannel-ds")]


def objects(tree: Tree, facts: Tree, minor: str, template: str) -> list[manifest.Object]:
    """Return flannel's manifest.

    Args:
        tree: the parameters of one of the cluster's nodes.
        facts: the content of versions/*.yaml by name.
        minor: the API server's.
        template: the text of `TEMPLATE`.

    Raises:
        ManifestError: the network of the pods is one of IPv6.
    """
    if ":" in tree["cluster"]["pod_cidr"]:
        raise manifest.ManifestError(
            "cluster.pod_cidr: flannel is set up for IPv4 alone, choose such a network"
        )
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined)
    text = environment.from_string(template).render(flannel=_context(tree, facts, minor))
    found = manifest.parse(text, TEMPLATE)
    manifest.with_images(found, tree["network"]["registry"], {})
    return found


def subnet_faults(nodes: list[dict[str, Any]], pod_cidr: str) -> list[str]:
    """Return what is wrong with the parts of the pods' network that the nodes were given, a sentence each.

    Args:
        nodes: the cluster's Node objects.
        pod_cidr: `cluster.pod_cidr`.
    """
    remedy = f"give kube-controller-manager --allocate-node-cidrs=true --cluster-cidr={pod_cidr}"
    pods, wrong = ipaddress.ip_network(pod_cidr), []
    for node in nodes:
        name, part = node["metadata"]["name"], (node.get("spec") or {}).get("podCIDR")
        if not part:
            wrong.append(f"node {name} has no podCIDR: {remedy}")
        elif (given := ipaddress.ip_network(part)).version != pods.version or not given.subnet_of(pods):
            wrong.append(f"node {name} has the podCIDR {part}, not a part of cluster.pod_cidr: {remedy}")
    return wrong


def _context(tree: Tree, facts: Tree, minor: str) -> Tree:
    flannel, tables = tree["network"]["flannel"], facts["milestones"]
    url, backend = urlsplit(tree["cluster"]["api_server"]), {"Type": flannel["backend"]}
    context = {
        "api_host": url.hostname,
        "api_port": url.port or 443,
        "arguments": ["--ip-masq", "--kube-subnet-mgr", *_interface(tree, facts, minor)],
        "backend": backend | ({"DirectRouting": True} if flannel["direct_routing"] else {}),
        "cni_bin": tree["paths"]["cni_bin"],
        "cni_config": tree["paths"]["cni_config"],
        "cni_plugin_image": flannel["cni_plugin_image"]
        or milestones.step(tables["flannel_cni_plugin_image"], minor),
        "critical": milestones.holds(facts, "system_node_critical", minor),
        "image": flannel["image"] or milestones.step(tables["flannel_image"], minor),
        "mtu": tree["network"]["mtu"],
        "os_label": "kubernetes.io/os"
        if milestones.holds(facts, "node_os_label", minor)
        else "beta.kubernetes.io/os",
        "pod_cidr": tree["cluster"]["pod_cidr"],
        "psp_api": milestones.step(tables["pod_security_policy_api"], minor),
    }
    configuration = json.dumps([context["backend"], context["mtu"], context["pod_cidr"]])
    return context | {"digest": hashlib.sha256(configuration.encode()).hexdigest()[:16]}


def _interface(tree: Tree, facts: Tree, minor: str) -> list[str]:
    """Return the flags that choose the interface between nodes; without one it is the default route's."""
    flannel, host = tree["network"]["flannel"], network.api_host(tree)
    if flannel["interface"]:
        return [f"--iface={flannel['interface']}"]
    own_image = flannel["image"] is not None
    if own_image or not milestones.holds(facts, "flannel_can_reach", minor) or not _is_address(host):
        return []
    return [f"--iface-can-reach={host}"]


def _is_address(host: str) -> bool:
    try:
        return bool(ipaddress.ip_address(host))
    except ValueError:
        return False
