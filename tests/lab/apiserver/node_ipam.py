"""Each node gets its part of the pods' network: of kube-controller-manager, with --allocate-node-cidrs.

Source: `pkg/controller/nodeipam/ipam/range_allocator.go`; the sizes are those of --node-cidr-mask-size.
"""

from __future__ import annotations

import ipaddress
import logging

from .resources import Resource
from .store import Key, Store

log = logging.getLogger(__name__)
_SIZE = {4: 24, 6: 64}


class NodeIpam:
    """Watches the nodes, and gives one that has no part the first that is free."""

    def __init__(self, store: Store, nodes: Resource, cluster_cidr: str) -> None:
        self._store, self._nodes = store, nodes
        self._network = ipaddress.ip_network(cluster_cidr)

    async def run(self) -> None:
        """Act on every change until cancelled."""
        events = self._store.subscribe(self._nodes)
        while True:
            event = await events.get()
            self._act(event.key)

    def _act(self, key: Key) -> None:
        entry = self._store.find(self._nodes, key)
        if entry is None or (entry.object.get("spec") or {}).get("podCIDR"):
            return
        others = self._store.entries(self._nodes).values()
        taken = {(other.object.get("spec") or {}).get("podCIDR") for other in others}
        parts = map(str, self._network.subnets(new_prefix=_SIZE[self._network.version]))
        part = next((part for part in parts if part not in taken), None)
        if part is None:
            log.error("CIDRNotAvailable for node %r", key[1])
            return
        spec = {**(entry.object.get("spec") or {}), "podCIDR": part, "podCIDRs": [part]}
        self._store.replace(self._nodes, key, {**entry.object, "spec": spec})
