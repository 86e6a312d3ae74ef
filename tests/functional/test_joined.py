"""kube_node.joined: the kubelet is waited for, not without end, and not in a test run."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest


@pytest.fixture
def certificates(modules, node) -> list[Path]:
    """Return where the kubelet's certificates will be; their folder is there already."""
    paths = [Path(path) for path in modules.kube_node.missing_certificates()]
    paths[0].parent.mkdir(parents=True)
    return paths


@pytest.mark.parametrize("test", [True, False])
def test_a_node_with_certificates_has_joined(states, certificates, test):
    for path in certificates:
        path.touch()
    result = states.kube_node.joined(name="worker-1", timeout=0, test=test)
    assert (result.result, result.changes, result.comment) == (True, {}, "worker-1 has its certificates")


def test_a_node_is_waited_for(states, certificates):
    timer = threading.Timer(0.2, lambda: [path.touch() for path in certificates])
    timer.start()
    assert states.kube_node.joined(name="worker-1", timeout=30).result is True
    timer.join()


def test_a_node_is_not_waited_for_without_end(states, certificates):
    client, server = certificates
    result = states.kube_node.joined(name="worker-1", timeout=0)
    assert (result.result, result.changes, result.comment) == (
        False,
        {},
        f"The kubelet has no {client}, {server} after 0 s. On the master, "
        "'salt-run kube_node.explain worker-1' says why; on the node, 'journalctl -u kubelet'",
    )


def test_a_test_run_waits_for_nobody(states, certificates):
    client, server = certificates
    result = states.kube_node.joined(name="worker-1", timeout=1, test=True)
    assert (result.result, result.changes, result.comment) == (
        None,
        {},
        f"The kubelet would be waited for: it has no {client}, {server}",
    )
