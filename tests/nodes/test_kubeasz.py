"""A machine with the profile kubeasz-1.1 and Docker: options alone, a reservation; 1.14, or the real one."""

from __future__ import annotations

import json

import kube_node_versions as versions
import pytest
from lab import binaries, cluster, host
from lab.lab import Lab

from nodes.conftest import changed, highstate

VERSION = binaries.release(otherwise="1.14.10")


@pytest.fixture(scope="module")
def old_lab():
    """Return a lab with one machine that has had its first highstate."""
    if reason := host.unable():
        pytest.skip(reason)
    if versions.parse(VERSION) > (1, 23):
        pytest.skip(f"the kubelet {VERSION} has no shim for Docker")
    with Lab("kubeasz", nodes=1, version=VERSION) as running:
        [(minion, pillar)] = running.pillars().items()
        pillar["profile"] = "kubeasz-1.1"
        # No certificate lies there before the first run.
        pillar["certificates"] = {"mode": "bootstrap"}
        cluster.write_pillar(running.master, {minion: pillar})
        highstate(running)
        yield running


def test_the_node_is_ready(old_lab):
    old_lab.control_plane.kubectl("wait", "--for=condition=Ready", "node", "--all", "--timeout=60s")
    [node] = json.loads(old_lab.control_plane.kubectl("get", "nodes", "--output=json"))["items"]
    assert node["status"]["nodeInfo"]["kubeletVersion"] == f"v{VERSION}"
    assert node["status"]["nodeInfo"]["containerRuntimeVersion"].startswith("docker://20.10.")


def test_the_kubelet_has_its_settings_on_the_command_line_alone(old_lab):
    [machine] = old_lab.machines
    running = machine.run("systemctl", "show", "--property=ExecStart", "--value", "kubelet").stdout
    assert "--enforce-node-allocatable=pods,kube-reserved" in running
    assert "--config=" not in running


def test_a_second_run_changes_nothing(old_lab):
    assert {minion: changed(states) for minion, states in highstate(old_lab).items()} == {"worker-1": set()}
