"""Whether a DaemonSet or Deployment is out, and of its pods that are not ready, why."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from kube_api import Api, ApiError

POLL_SECONDS = 1
MOST = 5


def wait(api: Api, workloads: list[tuple[str, str, str]], seconds: float) -> list[str]:
    """Wait until workloads are out.

    Args:
        api: a connection that may read them, and pods.
        workloads: of each its kind (`DaemonSet` or `Deployment`), namespace and name.
        seconds: for how long; an API server that is away meanwhile is asked again.

    Returns:
        A sentence for each that is not out then, with the reasons of some of its pods; none where all are.
    """
    deadline = time.monotonic() + seconds
    while True:
        try:
            late = [text for one in workloads if (text := _late(api, *one))]
        except ApiError as error:
            if not error.is_outage:
                raise
            late = [str(error)]
        if not late or time.monotonic() > deadline:
            return late
        time.sleep(POLL_SECONDS)  # workloads and their pods: one look at all of them, not a watch of each


def progress(workload: dict[str, Any]) -> tuple[int, int] | None:
    """Return how many pods of a workload are ready as it is now, and how many there are to be.

    None while its controller has not seen it as it is now.
    """
    status = workload.get("status") or {}
    if status.get("observedGeneration", 0) < workload["metadata"].get("generation", 1):
        return None
    if workload["kind"] == "DaemonSet":
        names = ("updatedNumberScheduled", "numberAvailable", "desiredNumberScheduled")
        wanted = status.get(names[-1], 0)
    else:
        names, wanted = ("updatedReplicas", "availableReplicas"), workload["spec"].get("replicas", 1)
    return min(status.get(name, 0) for name in names), wanted


def reasons(pods: list[dict[str, Any]]) -> Iterator[str]:
    """Yield of each pod that is not ready `<pod> on <node>: <why>`."""
    for pod in pods:
        if why := _why(pod):
            node = pod["spec"].get("nodeName") or "no node"
            yield f"{pod['metadata']['name']} on {node}: {why}"


def on_node(name: str, pods: list[dict[str, Any]]) -> list[str]:
    """Say why a DaemonSet's pod on a node is not ready.

    Args:
        name: the DaemonSet's.
        pods: all those of the node.
    """
    own = [
        pod
        for pod in pods
        if any(owner["name"] == name for owner in pod["metadata"].get("ownerReferences") or ())
    ]
    return [*reasons(own)] if own else [f"no pod of the DaemonSet {name} is on this node"]


def _late(api: Api, kind: str, namespace: str, name: str) -> str:
    try:
        workload = api.request("GET", f"/apis/apps/v1/namespaces/{namespace}/{kind.lower()}s/{name}")
    except ApiError as error:
        if error.status != 404:
            raise
        return f"{kind} {namespace}/{name} is not there"
    found = progress({**workload, "kind": kind})
    if found and found[0] >= found[1]:
        return ""
    told = f"{found[0]} of {found[1]} pods are ready" if found else "its controller has not seen it yet"
    labels = workload["spec"]["selector"]["matchLabels"]
    selector = ",".join(f"{key}={value}" for key, value in labels.items())
    pods, _ = api.items(f"/api/v1/namespaces/{namespace}/pods", {"labelSelector": selector})
    because = list(reasons(pods))
    more = [f"and {len(because) - MOST} more"] if len(because) > MOST else []
    return "; ".join([f"{kind} {namespace}/{name}: {told}", *because[:MOST], *more])


def _why(pod: dict[str, Any]) -> str:
    status = pod.get("status") or {}
    conditions = {one["type"]: one for one in status.get("conditions") or []}
    if conditions.get("Ready", {}).get("status") == "True":
        return ""
    for container in (*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())):
        state = container.get("state") or {}
        found = state.get("waiting") or state.get("terminated") or {}
        # What an image, a volume or a crash is about; not that others are waited for.
        if found.get("reason") not in (None, "Completed", "PodInitializing", "ContainerCreating"):
            return f"{container['name']} {found['reason']} {found.get('message', '')}".strip()
    scheduled = conditions.get("PodScheduled", {})
    if scheduled.get("status") == "False":
        return scheduled.get("message") or scheduled.get("reason", "is not scheduled")
    return status.get("message") or status.get("phase") or "Pending"
