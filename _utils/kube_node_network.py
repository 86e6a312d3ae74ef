"""What the chosen network means for the rest: kernel modules, room for packets, the API server's host; and
what all nodes of a cluster must say of it alike.

Pure: no Salt, no I/O.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any
from urllib.parse import urlsplit

Tree = dict[str, Any]
# Bytes that each way of carrying pods' packets lays around them, and the kernel module that does it.
OVERHEAD = {"vxlan": 50, "ipip": 20, "wireguard": 60}


def carrier(tree: Tree) -> str | None:
    """Return how packets travel between nodes: `vxlan`, `ipip`, `wireguard`, or None for plain routes."""
    network = tree["network"]
    if network["plugin"] == "flannel":
        backend = network["flannel"]["backend"]
        return backend if backend in OVERHEAD else None
    if network["plugin"] == "calico":
        found = network["calico"]["encapsulation"].removesuffix("CrossSubnet").lower()
        return found if found in OVERHEAD else None
    return None


def modules(tree: Tree) -> list[str]:
    """Return the kernel modules of the network; Felix matches sets of addresses."""
    sets = ["xt_set"] if tree["network"]["plugin"] == "calico" else []
    way = carrier(tree)
    return [*sets, *([way] if way else [])]


def overhead(tree: Tree) -> int:
    """Return the bytes that the network lays around a pod's packet."""
    return OVERHEAD.get(carrier(tree) or "", 0)


def api_host(tree: Tree) -> str:
    """Return the API server's host: the interface that reaches it is the one between nodes."""
    return str(urlsplit(tree["cluster"]["api_server"]).hostname)


def digest(pillar: Tree) -> str:
    """Return a text that is the same for pillars that say the same of the cluster's network."""
    said = [
        pillar.get("profile"),
        pillar.get("cluster", {}).get("pod_cidr"),
        _without_own(pillar.get("network", {})),
    ]
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:16]


def differing(one: Tree, other: Tree) -> list[str]:
    """Return the keys by which two nodes' parameters are of different networks."""
    first, second = _shared(one), _shared(other)
    return [key for key in first if first[key] != second[key]]


def _shared(tree: Tree) -> Tree:
    shared = {"cluster.pod_cidr": tree["cluster"]["pod_cidr"]}
    for key, value in _without_own(tree["network"]).items():
        inner = value if isinstance(value, dict) else {}
        shared |= {f"network.{key}.{name}": of for name, of in inner.items()} or {f"network.{key}": value}
    return shared


def _without_own(network: Tree) -> Tree:
    """Return what of `network` is not each node's own."""
    return {key: value for key, value in network.items() if key != "pod_subnet"}
