"""The states on the families of distributions: packages by their names there, and all requisites found."""

from __future__ import annotations

from typing import Any

import pytest
from unit.nodes import pillar

VERSION = {"runtime": {"containerd": {"version": "2.1.4"}}}
DOCKER = {
    "version": "1.24.0",
    "runtime": {"name": "docker"},
    "binaries": {"sha256": dict.fromkeys(("kubelet", "kube-proxy", "cri-dockerd"), "a" * 64)},
}
DEBIAN = ["conntrack", "ebtables", "ethtool", "iptables", "socat"]
RED_HAT = ["conntrack-tools", "ethtool", "iptables", "socat"]
SUSE = ["conntrack-tools", "ebtables", "ethtool", "iptables", "socat"]


@pytest.fixture
def states_on(modules, node, monkeypatch):
    """Return a function that tells the states of a node, by id, on a machine with such grains."""

    def told(change: dict[str, Any], **grains: str) -> dict[str, dict[str, Any]]:
        for known in (modules.pack["__grains__"], modules.opts["grains"]):
            for name, value in grains.items():
                monkeypatch.setitem(known, name, value)
        node(pillar(change))
        chunks = modules.state.show_low_sls("kube_node")
        assert [chunk for chunk in chunks if isinstance(chunk, str)] == []
        return {chunk["__id__"]: chunk for chunk in chunks}

    return told


@pytest.mark.parametrize("processor", ["x86_64", "aarch64"])
@pytest.mark.parametrize(
    ("family", "release", "packages", "containerd"),
    [
        ("Debian", "Debian-13", DEBIAN, "containerd"),
        ("Debian", "Ubuntu-24.04", DEBIAN, "containerd"),
        ("RedHat", "Rocky Linux-9", RED_HAT, "containerd.io"),
        ("RedHat", "CentOS Stream-10", RED_HAT, "containerd.io"),
        ("Suse", "SLES-15", SUSE, "containerd"),
        ("Suse", "openSUSE Leap-15", SUSE, "containerd"),
    ],
)
def test_packages_go_by_the_family(
    modules, states_on, family: str, release: str, packages: list, containerd: str, processor: str
):
    change = VERSION if family != "Debian" else {}
    states = states_on(change, os_family=family, osfinger=release, cpuarch=processor)
    assert states["node-packages"]["pkgs"] == packages
    assert states["containerd-installed"]["name"] == containerd
    image = {"x86_64": "amd64", "aarch64": "arm64"}[processor]
    assert modules.kube_node.parameters()["node"]["architecture"] == image


@pytest.mark.parametrize(
    ("family", "release", "package", "dockerd"),
    [
        ("Debian", "Debian-12", "docker.io", "/usr/sbin/dockerd"),
        ("RedHat", "Rocky Linux-9", "docker-ce", "/usr/bin/dockerd"),
        ("Suse", "SLES-15", "docker", "/usr/bin/dockerd"),
    ],
)
def test_docker_goes_by_the_family(modules, states_on, family: str, release: str, package: str, dockerd: str):
    states = states_on(DOCKER, os_family=family, osfinger=release, cpuarch="x86_64")
    assert states["docker-installed"]["name"] == package
    assert f"ExecStart={dockerd}" in modules.kube_node.render()["/etc/systemd/system/docker.service"]


@pytest.mark.parametrize("family", ["Debian", "RedHat", "Suse"])
def test_packages_can_be_left_to_somebody_else_everywhere(states_on, family: str):
    states = states_on(VERSION | {"os": {"packages": []}}, os_family=family, osfinger="-", cpuarch="x86_64")
    assert states["node-packages"]["state"] == "test"
