"""kube_node.joined: the kubelet is waited for, not without end, and not in a test run."""

from __future__ import annotations

import threading
import time

import pytest
from unit.certificates import DAY, write
from unit.nodes import pillar


@pytest.fixture
def paths(modules, node, tmp_path) -> list[str]:
    """Return where the kubelet's certificates will be, in the test's own folder as all that is written."""
    folders = ("kubelet", "kubernetes", "certificates")
    node(pillar({"paths": {name: f"{tmp_path}/{name}" for name in folders}}))
    return [one["path"] for one in modules.kube_node.certificates()]


def issue(paths: list[str]) -> None:
    for path in paths:
        write(path, time.time() - DAY, time.time() + 10 * DAY)


@pytest.mark.parametrize("test", [True, False])
def test_a_node_with_certificates_has_joined(states, paths, test):
    issue(paths)
    result = states.kube_node.joined(name="worker-1", timeout=0, test=test)
    assert (result.result, result.changes, result.comment) == (True, {}, "worker-1 has its certificates")


def test_a_node_is_waited_for(states, paths):
    timer = threading.Timer(0.2, issue, [paths])
    timer.start()
    assert states.kube_node.joined(name="worker-1", timeout=30).result is True
    timer.join()


def test_a_node_is_not_waited_for_without_end(states, paths):
    client, serving = paths
    result = states.kube_node.joined(name="worker-1", timeout=0)
    assert (result.result, result.changes) == (False, {})
    told, screen = result.comment.split("\n", 1)
    assert told == f"After 0 s {client} is missing, {serving} is missing."
    assert "certificates  client missing, serving missing" in screen
    assert "on the master, 'salt-run kube_node.explain worker-1' says why" in " ".join(screen.split())


def test_an_expired_certificate_is_waited_for_as_a_missing_one(states, paths):
    issue(paths)
    write(paths[0], time.time() - 2 * DAY, time.time() - DAY)
    result = states.kube_node.joined(name="worker-1", timeout=0)
    assert (result.result, result.comment.partition(".pem ")[2][:10]) == (False, "is expired")


def test_a_certificate_that_is_being_renewed_is_not_waited_for(states, paths):
    issue(paths)
    write(paths[0], time.time() - 9 * DAY, time.time() + DAY)
    assert states.kube_node.joined(name="worker-1", timeout=0).result is True


def test_a_test_run_waits_for_nobody(states, paths):
    client, serving = paths
    result = states.kube_node.joined(name="worker-1", timeout=1, test=True)
    assert (result.result, result.changes, result.comment) == (
        True,
        {},
        f"The kubelet would be waited for: {client} is missing, {serving} is missing",
    )
