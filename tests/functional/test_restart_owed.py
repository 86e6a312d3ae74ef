"""kube_node_services.restart_owed: a service older than what it starts with is restarted next time."""

from __future__ import annotations

import os
import time
from pathlib import Path

import kube_node_files
import kube_node_systemd
import pytest
from unit.nodes import pillar

STARTED = time.time() - 100
DOCKER = {
    "version": "1.24.0",
    "runtime": {"name": "docker"},
    "binaries": {"sha256": dict.fromkeys(("kubelet", "kube-proxy", "cri-dockerd"), "a" * 64)},
}


@pytest.fixture
def config(node, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the file of a kubelet that runs."""
    paths = {name: str(tmp_path / name) for name in ("bin", "kubelet", "kubernetes", "certificates")}
    node(pillar({"paths": paths}))
    monkeypatch.setattr(kube_node_systemd, "started", lambda unit, _: {"kubelet.service": STARTED}.get(unit))
    path = tmp_path / "kubelet/config.yaml"
    path.parent.mkdir()
    path.touch()
    return path


@pytest.mark.parametrize(
    ("seconds", "owed"),
    [(-1, False), (1, True), (86400, False)],
    ids=["older", "newer", "from a clock that was ahead"],
)
def test_a_restart_is_owed_by_a_file_that_is_newer(modules, config, seconds: int, owed: bool):
    os.utime(config, (STARTED + seconds, STARTED + seconds))
    assert modules.kube_node_services.restart_owed("kubelet") is owed


def test_a_link_counts_by_itself(modules, config, tmp_path):
    os.utime(config, (0, 0))
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/kubelet").symlink_to(config)
    assert modules.kube_node_services.restart_owed("kubelet") is True


def test_what_does_not_run_owes_nothing(modules, config):
    assert modules.kube_node_services.restart_owed("kube-proxy") is False


@pytest.mark.usefixtures("config")
def test_the_restart_is_predicted_and_made(modules):
    chunks = {chunk["__id__"]: chunk for chunk in modules.state.show_low_sls("kube_node")}
    assert chunks["kubelet-restart-owed"]["watch_in"] == [{"service": "kubelet-service-running"}]
    assert "kube-proxy-restart-owed" not in chunks


@pytest.mark.parametrize("change", [{}, DOCKER], ids=["containerd", "docker"])
def test_all_that_the_states_watch_is_looked_at(modules, node, change: dict):
    node(pillar(change))
    parameters = modules.kube_node.parameters()
    chunks = modules.state.show_low_sls("kube_node")
    watching = {chunk["name"]: chunk["watch"] for chunk in chunks if chunk.get("watch")}
    # The kubelet writes its own kubeconfig once it has its certificate: that one is newer than its start.
    own = [file["path"] for room in parameters["files"].values() for file in room if file["moving"]]
    for service in set(watching) & set(kube_node_files.OWN):
        looked_at = kube_node_files.started_with(parameters, service) + own
        assert [path for path in _watched(watching[service], chunks) if path not in looked_at] == [], service


def _watched(requisites: list[dict], chunks: list[dict]) -> list[str]:
    """Return the files and links that are watched, by a state's id or by an SLS."""
    found = []
    for chunk in chunks:
        by_id = {chunk["state"]: chunk["__id__"]} in requisites
        by_sls = {"sls": chunk["__sls__"]} in requisites
        if (by_id or by_sls) and chunk["fun"] in ("managed", "binary_installed"):
            found.append(chunk["name"])
    return found
