"""The worker is killed, as with its master, in the middle of its work: the next one finishes it, and what
it left behind is removed."""

from __future__ import annotations

import json
import time

import pytest
from lab.waiting import until

from integration import workers
from integration.kubelets import Kubelet, conditions
from integration.workers import worker_of

APPROVER = "kube-node-approver"


def test_a_sweep_finishes_what_a_worker_left_that_was_killed(
    derived, token, knock, runner, control_plane, tmp_path, secrets, master
):
    own = token("worker-1")
    knock("worker-1", token=own.split(".")[0])
    until(lambda: own.split(".")[0] in secrets(), "a token", seconds=20)
    workers.kill(until(lambda: worker_of(master), "a worker", seconds=5))
    kubelet = Kubelet(control_plane, "worker-1", tmp_path, own)
    request = kubelet.ask_client()
    assert conditions(control_plane, request) == {}
    assert runner.run("kube_node.sweep").data == {"demo": "started"}
    assert kubelet.certificate(request)
    until(lambda: own.split(".")[0] not in secrets(), "its Secret to be removed", seconds=20)


@pytest.fixture
def held_up(control_plane):
    """Let the API server have the approver wait with one of its Secrets, and make the others."""
    if control_plane.flavour == "real":
        pytest.skip("only the double can be told to hold up one request")
    fault = {"action": "status", "code": 429, "retryAfter": 30, "verb": "create", "count": 1}
    fault |= {"path": "/secrets", "user": APPROVER}
    control_plane.kubectl("create", "--raw=/lab/faults", "--filename=-", input=json.dumps(fault))
    yield
    control_plane.kubectl("delete", "--raw=/lab/faults")


def node_at_work(control_plane, name: str) -> None:
    """Make a Node that is Ready."""
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    ready = {"type": "Ready", "status": "True", "lastHeartbeatTime": now, "lastTransitionTime": now}
    node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}, "status": {"conditions": [ready]}}
    control_plane.apply(json.dumps(node))
    patch = json.dumps({"status": node["status"]})
    control_plane.kubectl("patch", "node", name, "--subresource=status", "--type=merge", f"--patch={patch}")


def test_a_sweep_removes_the_secrets_that_a_worker_had_just_made_when_it_was_killed(
    derived, knock, held_up, runner, control_plane, secrets, master
):
    """The knock names no token, so all are made valid that its kubelet may have: two."""
    before = secrets()
    knock("worker-1")
    until(lambda: secrets() > before, "a Secret", seconds=20)
    workers.kill(until(lambda: worker_of(master), "a worker", seconds=5))
    node_at_work(control_plane, "worker-1")
    runner.run("kube_node.sweep")
    assert secrets() == before
