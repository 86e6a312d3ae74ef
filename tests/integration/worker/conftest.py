"""The worker that lets nodes in: on the API double, in one process, without Salt."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import kubelet_csr_worker
import pytest
from kube_node_knocks import Knock
from kube_node_register import Register
from unit.ground import Ground
from unit.lab.apiserver_cluster import Cluster

from integration.double import APPROVER
from integration.worker.parts import ONE, SECONDS, Kubelet, Work


@pytest.fixture(autouse=True)
def _hurried(monkeypatch):
    monkeypatch.setattr(kubelet_csr_worker, "LINGER_SECONDS", 0.1)


@pytest.fixture
def register(tmp_path: Path) -> Register:
    return Register(tmp_path / "minions.db")


@pytest.fixture
def work(cluster: Cluster, register: Register) -> Callable[..., Work]:
    """Return a function that lets a worker start on some knocks; it waits for as long as a test may take."""

    def start(ground: Ground, *knocks: Knock, wait: float = SECONDS, user: str = APPROVER, mail=None) -> Work:
        return Work(cluster, ground, register, wait, user, mail).start(*knocks)

    return start


@pytest.fixture
def look(work) -> Callable[..., dict[str, tuple[str, str]]]:
    """Return a function that lets a worker look once and wait for nobody; gives the verdicts and rules."""
    return lambda ground, *knocks, **options: work(ground, *knocks, wait=0, **options).end()


@pytest.fixture
def kubelet(cluster) -> Kubelet:
    """Return the kubelet of a node that is at work."""
    found = Kubelet(cluster, ONE)
    found.register()
    return found
