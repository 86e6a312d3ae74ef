"""Whether a node is as far as it is waited for: healthy, registered, Ready; and what its network still lacks.

Pure: no Salt, no I/O.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from kube_node_needs import NETWORK_FILES

# How far to wait. A network that others bring is waited for by the last alone.
NONE, REGISTERED, READY, NETWORK = WAITS = ("none", "registered", "ready", "network")
# What a network leaves on a node once its pod has run there, beside its CNI configuration.
TRACES = {"calico": ["/var/lib/calico/nodename"], "flannel": ["/run/flannel/subnet.env"], "none": []}
# Its DaemonSet, by the manifest that the orchestration lays down.
DAEMON_SETS = {"calico": "calico-node", "flannel": "kube-flannel-ds"}
# The message where nothing but the network is missing; of several reasons the kubelet makes a list.
_NETWORK_ALONE = re.compile(r"(?:container )?runtime network not ready: ")
_ANY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1"}


class Verdict(NamedTuple):
    """Whether the wait is over, and what is true now, as a sentence without its end."""

    done: bool
    said: str


def network_files(node: Mapping[str, Any]) -> list[str]:
    """Return the files by which a node's network is known to have arrived.

    Args:
        node: the parameters as `kube_node_parameters.compile_node` returns them.
    """
    plugin = node["network"]["plugin"]
    return [f"{node['paths']['cni_config']}/{NETWORK_FILES[plugin]}", *TRACES[plugin]]


def healthz_url(node: Mapping[str, Any]) -> str | None:
    """Return where the kubelet says whether it is healthy, None where that is switched off; as above."""
    config = node["kubelet"]["config"]
    port, address = config.get("healthzPort", 10248), config.get("healthzBindAddress") or "127.0.0.1"
    address = _ANY_ADDRESS.get(address, address)
    host = f"[{address}]" if ":" in address else address
    return f"http://{host}:{port}/healthz" if port else None


def judge(
    name: str, wait_for: str, plugin: str, found: Mapping[str, Any] | None, started: float, missing: Sequence
) -> Verdict:
    """Judge a Node.

    Args:
        name: the node's name.
        wait_for: one of WAITS, not `none`.
        plugin: the network's.
        found: the Node as the API server has it, None where there is none.
        started: when the kubelet started, seconds since the epoch: what it said before does not count.
        missing: those of `network_files` that are not there.
    """
    if found is None:
        return Verdict(False, f"the API server has no Node {name}")
    if wait_for == REGISTERED:
        return Verdict(True, f"{name} is registered")
    ready = condition(found, "Ready")
    if ready is None or _seconds(ready.get("lastHeartbeatTime")) < int(started):
        return Verdict(False, f"the kubelet has not reported on {name} since it started")
    if ready["status"] == "True":
        return Verdict(True, f"{name} is Ready")
    message = ready.get("message") or str(ready.get("reason"))
    lacks_network = missing and plugin != "none" and _NETWORK_ALONE.match(message)
    if wait_for == READY and lacks_network:
        return Verdict(
            True, f"{name} is registered and lacks its network alone: {lacking_network(plugin, missing)}"
        )
    return Verdict(False, f"{name} is not Ready: {message}")


def lacking_network(plugin: str, missing: Sequence[str]) -> str:
    """Say which files of a network are missing, and who brings them."""
    who = "the highstate" if plugin == "none" else f"{plugin}'s own pod on this node"
    are, them = ("is", "it") if len(missing) == 1 else ("are", "them")
    return f"{' and '.join(missing)} {are} not there yet, {who} writes {them}"


def condition(found: Mapping[str, Any], kind: str) -> Mapping[str, Any] | None:
    """Return a Node's condition of one type, or None."""
    return next((one for one in conditions(found) if one.get("type") == kind), None)


def conditions(found: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return a Node's conditions, Ready the first."""
    listed = (found.get("status") or {}).get("conditions") or []
    return sorted(listed, key=lambda one: one.get("type") != "Ready")


def release(found: Mapping[str, Any]) -> str | None:
    """Return the release that a Node's kubelet runs, X.Y.Z, None where it has not reported."""
    version = ((found.get("status") or {}).get("nodeInfo") or {}).get("kubeletVersion")
    return version and version.removeprefix("v")


def _seconds(time: str | None) -> float:
    """Return a metav1.Time in seconds since the epoch, 0 where there is none."""
    return datetime.fromisoformat(time.replace("Z", "+00:00")).timestamp() if time else 0.0
