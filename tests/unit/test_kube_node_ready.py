"""A Node is judged: as far as it is waited for, by what the kubelet said since it started."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import kube_node_ready as ready
import pytest

from unit.nodes import compiled

STARTED = 1795000000.5
NETWORK = (
    "container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady message:Network "
    "plugin returns error: cni plugin not initialized"
)
MISSING = ["/etc/cni/net.d/10-calico.conflist", "/var/lib/calico/nodename"]


def node(status: str = "True", message: str = "kubelet is posting ready status", at: float = STARTED) -> dict:
    time = datetime.fromtimestamp(int(at), timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    condition = {"type": "Ready", "status": status, "message": message, "lastHeartbeatTime": time}
    return {"status": {"conditions": [{"type": "DiskPressure", "status": "False"}, condition]}}


def judge(found: Any, wait_for: str = "ready", plugin: str = "calico", missing: list[str] = MISSING) -> tuple:
    return tuple(ready.judge("worker-1", wait_for, plugin, found, STARTED, missing))


@pytest.mark.parametrize("wait_for", ready.WAITS[1:])
def test_a_node_that_is_not_there_is_waited_for(wait_for: str):
    assert judge(None, wait_for) == (False, "the API server has no Node worker-1")


def test_registered_is_enough_where_no_more_is_asked_for():
    assert judge(node("False", "anything"), "registered") == (True, "worker-1 is registered")


@pytest.mark.parametrize("wait_for", ["ready", "network"])
def test_a_ready_node_is_ready(wait_for: str):
    assert judge(node(), wait_for) == (True, "worker-1 is Ready")


@pytest.mark.parametrize("found", [node(at=STARTED - 2), {"status": {}}, {}])
def test_what_was_said_before_the_kubelet_started_does_not_count(found: dict):
    assert judge(found) == (False, "the kubelet has not reported on worker-1 since it started")


def test_a_node_that_lacks_but_the_network_of_others_has_come_as_far_as_it_can():
    assert judge(node("False", NETWORK)) == (
        True,
        "worker-1 is registered and lacks its network alone: /etc/cni/net.d/10-calico.conflist and "
        "/var/lib/calico/nodename are not there yet, calico's own pod on this node writes them",
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"wait_for": "network"}, NETWORK),
        ({"plugin": "none"}, NETWORK),
        ({"missing": []}, NETWORK),
        ({}, f"[container runtime is down, {NETWORK}]"),
        ({}, "container runtime is down"),
    ],
)
def test_any_other_node_that_is_not_ready_is_waited_for(change: dict, message: str):
    assert judge(node("False", message), **change) == (False, f"worker-1 is not Ready: {message}")


@pytest.mark.parametrize(
    ("plugin", "files"),
    [
        ("none", ["/etc/cni/net.d/10-default.conf"]),
        ("calico", MISSING),
        ("flannel", ["/etc/cni/net.d/10-flannel.conflist", "/run/flannel/subnet.env"]),
    ],
)
def test_each_network_has_its_files(plugin: str, files: list[str]):
    subnet = {"pod_subnet": "172.20.1.0/24"} if plugin == "none" else {}
    assert ready.network_files(compiled({"network": {"plugin": plugin, **subnet}})) == files


@pytest.mark.parametrize(
    ("config", "url"),
    [
        ({}, "http://127.0.0.1:10248/healthz"),
        ({"healthzPort": 1}, "http://127.0.0.1:1/healthz"),
        ({"healthzBindAddress": "0.0.0.0"}, "http://127.0.0.1:10248/healthz"),
        ({"healthzBindAddress": "::"}, "http://[::1]:10248/healthz"),
        ({"healthzPort": 0}, None),
    ],
)
def test_the_kubelet_is_asked_where_it_listens(config: dict, url: str | None):
    assert ready.healthz_url(compiled({"kubelet": {"config": config}})) == url
