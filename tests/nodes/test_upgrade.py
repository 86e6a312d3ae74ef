"""A patch release and the way back on a running node: two restarts each, and containers go on."""

from __future__ import annotations

import os
import tarfile
from collections.abc import Callable
from typing import Any

import kube_node_merge
import pytest
import yaml
from lab import binaries, host
from lab.lab import Lab
from lab.machine import Machine

from nodes.conftest import UNITS, changed, highstate, invocations
from nodes.machines import rootfs

NEXT = "1.36.3"
PROXY = "http://user:s3cret@192.0.2.9:3128"


@pytest.fixture(scope="module")
def upgraded():
    """Return a lab with one node, on which a container runs, and another release served as an archive."""
    if reason := host.unable():
        pytest.skip(reason)
    if os.environ.get("KUBEBUILDER_ASSETS"):
        pytest.skip("KUBEBUILDER_ASSETS has the programs of one release, two are needed")
    with Lab("upgrade", nodes=1) as running:
        highstate(running)
        serve_next(running)
        [machine] = running.machines
        ctr(machine, "run", "--detach", "--rootfs", rootfs(machine), "idle", "/bin/sleep", "infinity")
        yield running


def serve_next(lab: Lab) -> None:
    """Put the next release on the master as Kubernetes releases it, with its checksum beside it."""
    folder = lab.master.states / "kubernetes" / f"v{NEXT}"
    archive = folder / "kubernetes-node-linux-amd64.tar.gz"
    folder.mkdir()
    with tarfile.open(archive, "w:gz") as tar:
        for name in binaries.DOUBLES:
            double = binaries.build(name, NEXT, folder.parent / "built" / name)
            tar.add(double, f"kubernetes/node/bin/{name}")
    (folder / "SHA256SUMS").write_text(f"{binaries.sha256(archive)}  {archive.name}\n")


def ctr(machine: Machine, *words: str) -> str:
    return machine.run("ctr", "--namespace", "k8s.io", *words).stdout


def container(machine: Machine) -> str:
    """Return the process of the container, as containerd lists it."""
    [line] = [line for line in ctr(machine, "tasks", "list").splitlines() if line.startswith("idle ")]
    assert line.endswith("RUNNING")
    return line


@pytest.fixture
def given(upgraded) -> Callable[[dict[str, Any]], set[str]]:
    """Return a function that applies a change of the pillar, and tells which units that restarted."""
    [machine] = upgraded.machines
    file = upgraded.master.pillar / f"{machine.minion_id}.sls"
    smallest = yaml.safe_load(file.read_text())

    def apply(change: dict[str, Any]) -> set[str]:
        layers = [("smallest", smallest), ("change", {"kube_node": change})]
        file.write_text(yaml.safe_dump(kube_node_merge.merge(layers)[0]))
        before, running = invocations(machine), container(machine)
        predicted = changed(highstate(upgraded, "*", "test=True")[machine.minion_id])
        answer = highstate(upgraded)[machine.minion_id]
        assert changed(answer) == predicted
        assert "s3cret" not in str(answer)
        after = invocations(machine)
        assert container(machine) == running
        assert changed(highstate(upgraded)[machine.minion_id]) == set()
        assert invocations(machine) == after
        return {unit for unit in UNITS if after[unit] != before[unit]}

    yield apply
    file.write_text(yaml.safe_dump(smallest))
    highstate(upgraded)


def await_release(lab: Lab, version: str) -> None:
    """Return when the node's kubelet has told the API server that it is of a release."""
    told = f"jsonpath={{.status.nodeInfo.kubeletVersion}}=v{version}"
    lab.control_plane.kubectl("wait", f"--for={told}", "node", "--all", "--timeout=60s")


def test_an_upgrade_and_the_way_back_restart_kubelet_and_kube_proxy_alone(upgraded, given):
    [machine] = upgraded.machines
    folder = f"salt://kubernetes/v{NEXT}"
    archive = {
        "source": f"{folder}/kubernetes-node-linux-{{architecture}}.tar.gz",
        "sha256": f"{folder}/SHA256SUMS",
    }
    assert given({"version": NEXT, "binaries": archive}) == {"kubelet", "kube-proxy"}
    assert (
        machine.run("readlink", "/usr/local/bin/kubelet").stdout.strip() == f"/opt/kube_node/v{NEXT}/kubelet"
    )
    await_release(upgraded, NEXT)
    assert given({}) == {"kubelet", "kube-proxy"}
    await_release(upgraded, upgraded.version)
    assert set(machine.run("ls", "/opt/kube_node").stdout.split()) == {f"v{NEXT}", f"v{upgraded.version}"}


def test_a_proxy_reaches_runtime_and_kubelet_and_nobody_else_sees_it(upgraded, given):
    [machine] = upgraded.machines
    assert given({"proxy": {"https": PROXY}}) == {"containerd", "kubelet"}
    for unit in ("containerd", "kubelet"):
        pid = machine.run("systemctl", "show", "--property=MainPID", "--value", unit).stdout.strip()
        environment = machine.run("cat", f"/proc/{pid}/environ").stdout.split("\0")
        assert f"HTTPS_PROXY={PROXY}" in environment
        assert "s3cret" not in machine.run("systemctl", "show", unit).stdout
    assert machine.run("stat", "--format=%a %U", "/etc/kubernetes/proxy.env").stdout.split() == [
        "600",
        "root",
    ]
    assert given({}) == {"containerd", "kubelet"}
