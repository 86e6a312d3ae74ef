"""What the chosen network means for the rest: kernel modules, room for packets, the API server's host.

Pure: no Salt, no I/O.
"""

from __future__ import annotations

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
