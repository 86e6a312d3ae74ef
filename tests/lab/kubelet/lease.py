"""The node's lease, renewed four times in its duration; from 1.14 on.

Sources: component-helpers/apimachinery/lease/controller.go; pkg/kubelet/util, SetNodeOwnerFunc.
"""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from lab.component import clock, klog
from lab.component.api import ApiError, Client, Unreachable

_LEASES = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"
#: How often a failed renewal is tried again at once.
RETRIES = 5
#: Seconds between attempts to get or make the lease, doubling from the first to the last.
FIRST, LAST = 0.1, 7


def keep(client: Client, node: str, duration: int) -> None:
    """Renew the lease of ``node``, of ``duration`` seconds, from now on in a thread."""
    clock.start("node-lease", _run, client, node, duration)


def _run(client: Client, node: str, duration: int) -> None:
    lease: dict[str, Any] | None = None
    while True:
        lease = _renewed(client, node, duration, lease)
        clock.sleep(clock.jittered(duration * 0.25, 0.04))


def _renewed(client: Client, node: str, duration: int, lease: dict[str, Any] | None) -> dict[str, Any] | None:
    for _ in range(RETRIES):
        if lease is None:
            lease, made = _ensured(client, node, duration)
            if made or lease is None:
                return lease
        try:
            return client.put(f"{_LEASES}/{node}", _timed(lease, duration))
        except (ApiError, Unreachable) as fault:
            klog.error("controller.go:195", fault, "Failed to update lease")
            if isinstance(fault, ApiError) and fault.code in (404, 409):
                lease = None
    fault = f"failed {RETRIES} attempts to update lease"
    klog.error("controller.go:145", fault, "Will retry updating lease", interval=f"{duration // 4}s")
    return lease


def _ensured(client: Client, node: str, duration: int) -> tuple[dict[str, Any] | None, bool]:
    """The lease and whether it was made just now; None while there is no node that could own it."""
    seconds = FIRST
    while True:
        try:
            return _found_or_made(client, node, duration)
        except (ApiError, Unreachable) as fault:
            seconds = min(seconds * 2, LAST)
            klog.error(
                "controller.go:145",
                fault,
                "Failed to ensure lease exists, will retry",
                interval=f"{seconds}s",
            )
        clock.sleep(seconds)


def _found_or_made(client: Client, node: str, duration: int) -> tuple[dict[str, Any] | None, bool]:
    try:
        return client.get(f"{_LEASES}/{node}"), False
    except ApiError as fault:
        if fault.code != 404:
            raise
    try:
        owner = client.get(f"/api/v1/nodes/{node}")["metadata"]["uid"]
    except (ApiError, Unreachable) as fault:
        klog.error(
            "nodelease.go:49",
            fault,
            "Failed to get node when trying to set owner ref to the node lease",
            node=node,
        )
        return None, False
    owners = [{"apiVersion": "v1", "kind": "Node", "name": node, "uid": owner}]
    lease = {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": node, "namespace": "kube-node-lease", "ownerReferences": owners},
        "spec": {"holderIdentity": node},
    }
    return client.post(_LEASES, _timed(lease, duration)), True


def _timed(lease: dict[str, Any], duration: int) -> dict[str, Any]:
    now = f"{datetime.now(timezone.utc):%Y-%m-%dT%H:%M:%S.%fZ}"
    return {**lease, "spec": {**lease["spec"], "leaseDurationSeconds": duration, "renewTime": now}}
