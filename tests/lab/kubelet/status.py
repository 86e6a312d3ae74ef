"""The node in the API: registered once, its status reported again and again.

Source: pkg/kubelet/kubelet_node_status.go.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from lab.component import clock, klog
from lab.component.api import ApiError, Client, Unreachable

from . import node as nodes
from .runtime import Runtime
from .settings import Settings

#: Seconds between attempts to register, doubling from the first to the last.
REGISTER_FIRST, REGISTER_LAST = 0.1, 7
#: Seconds between reports of a status that has not changed, where there are leases.
REPORT_PERIOD = 5 * 60
#: How often a failed report is tried again at once.
RETRIES = 5


class NodeStatus:
    """One node's place in the API.

    Args:
        settings: the kubelet's.
        name: the node's.
        client: to talk with.
        runtime: whose state decides whether the node is ready.
        on_addresses: called when the addresses are others than before.
    """

    def __init__(
        self,
        settings: Settings,
        name: str,
        client: Client,
        runtime: Runtime,
        on_addresses: Callable[[], None],
    ) -> None:
        self._settings, self.name, self._client, self._runtime = settings, name, client, runtime
        self._on_addresses = on_addresses
        self._wake = threading.Event()
        self._reported: dict[str, Any] | None = None
        self._reported_at = 0.0
        #: The addresses that were last found, from which the serving certificate is made.
        self.addresses: list[dict[str, str]] = []

    def start(self) -> None:
        """Register and report from now on, in a thread."""
        clock.start("node-status", self._run)

    def changed(self) -> None:
        """Report soon: the runtime's state is another."""
        self._wake.set()

    def _run(self) -> None:
        if self._settings["registerNode"]:
            self._register()
        period = self._settings.seconds("nodeStatusUpdateFrequency")
        while True:
            self._report()
            self._wake.wait(clock.scaled(clock.jittered(period, 0.04)))
            self._wake.clear()

    def _register(self) -> None:
        seconds = REGISTER_FIRST
        while True:
            clock.sleep(seconds)
            seconds = min(seconds * 2, REGISTER_LAST)
            node = self._initial()
            klog.info("kubelet_node_status.go:75", "Attempting to register node", node=self.name)
            if self._try_register(node):
                klog.info("kubelet_node_status.go:78", "Successfully registered node", node=self.name)
                return

    def _initial(self) -> dict[str, Any]:
        return {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": nodes.metadata(self._settings, self.name),
            "spec": nodes.spec(self._settings),
            "status": self._status([]),
        }

    def _try_register(self, node: dict[str, Any]) -> bool:
        try:
            self._client.post("/api/v1/nodes", node)
            return True
        except (ApiError, Unreachable) as fault:
            if not isinstance(fault, ApiError) or fault.reason != "AlreadyExists":
                klog.error(
                    "kubelet_node_status.go:107",
                    fault,
                    "Unable to register node with API server",
                    node=self.name,
                )
                return False
        klog.info("kubelet_node_status.go:128", "Node was previously registered", node=self.name)
        return self._take_over(node)

    def _take_over(self, node: dict[str, Any]) -> bool:
        """Give a node that is there already the labels and annotations of a new one."""
        wanted = {key: node["metadata"].get(key, {}) for key in ("labels", "annotations")}
        try:
            held = self._client.get(f"/api/v1/nodes/{self.name}")["metadata"]
            if any(not value.items() <= (held.get(key) or {}).items() for key, value in wanted.items()):
                self._client.patch(f"/api/v1/nodes/{self.name}", {"metadata": wanted})
        except (ApiError, Unreachable) as fault:
            klog.error(
                "kubelet_node_status.go:148",
                fault,
                "Unable to reconcile node with API server,error updating node",
                node=self.name,
            )
            return False
        return True

    def _report(self) -> None:
        for _ in range(RETRIES):
            try:
                self._try_report()
                return
            except (ApiError, Unreachable) as fault:
                klog.error("kubelet_node_status.go:597", fault, "Error updating node status, will retry")
        klog.error(
            "kubelet_node_status.go:584",
            "update node status exceeds retry count",
            "Unable to update node status",
        )

    def _try_report(self) -> None:
        path = f"/api/v1/nodes/{self.name}"
        held = self._client.get(path, resourceVersion="0").get("status") or {}
        status = self._status(held.get("conditions") or [])
        has_leases = self._settings.claim.since("1.14")
        due = time.monotonic() >= self._reported_at + clock.scaled(REPORT_PERIOD) or not has_leases
        if _essence(status) == self._reported and not due:
            return
        patch = dict(status)
        if patch.get("addresses"):
            patch["addresses"] = [*patch["addresses"], {"$patch": "replace"}]
        self._client.patch(f"{path}/status", {"status": patch})
        self._reported, self._reported_at = _essence(status), time.monotonic()

    def _status(self, earlier: list[dict[str, Any]]) -> dict[str, Any]:
        whole = nodes.capacity(self._settings)
        status: dict[str, Any] = {
            "allocatable": nodes.allocatable(self._settings, whole),
            "capacity": whole,
            "conditions": nodes.conditions(self._runtime.faults(), earlier),
            "daemonEndpoints": {"kubeletEndpoint": {"Port": self._settings["port"]}},
            "nodeInfo": nodes.info(self._settings, self._runtime.version),
        }
        try:
            status["addresses"] = nodes.addresses(self._settings, self.name)
        except ValueError as fault:
            klog.error(
                "kubelet_node_status.go:698", fault, "Failed to set some node status fields", node=self.name
            )
            return status
        if status["addresses"] != self.addresses:
            self.addresses = status["addresses"]
            self._on_addresses()
        return status


def _essence(status: dict[str, Any]) -> dict[str, Any]:
    """A status without the times of its heartbeats, to see whether anything else has changed."""
    conditions = [
        {key: value for key, value in condition.items() if key != "lastHeartbeatTime"}
        for condition in status["conditions"]
    ]
    return {**status, "conditions": conditions}
