"""The container runtime: one that the kubelet can speak with, configured in the words of its release."""

from __future__ import annotations

import json
from typing import Any

import kube_node_files
import pytest

from unit import systemd
from unit.nodes import compiled, faults, pillar
from unit.test_kube_node_files import templates

ADAPTER = {"binaries": {"sha256": {"cri-dockerd": "c" * 64}}}
CONFIG = "/etc/containerd/config.toml"


def of(version: str, name: str | None = None, **runtime: Any) -> dict[str, Any]:
    return {"version": version, "runtime": {**({"name": name} if name else {}), **runtime}}


def rendered(change: dict[str, Any], **machine: Any) -> dict[str, str]:
    return kube_node_files.render(compiled(change, **machine), templates())


def toml(text: str) -> dict[str, Any]:
    tomllib = pytest.importorskip("tomllib", reason="tomllib came with Python 3.11")
    return tomllib.loads(text)


def option(node: dict[str, Any], name: str) -> str | None:
    found = [word for word in node["kubelet"]["arguments"] if word.startswith(f"--{name}=")]
    return found[0].partition("=")[2] if found else None


@pytest.mark.parametrize(("version", "name"), [("1.9.11", "docker"), ("1.10.0", "containerd")])
def test_containerd_is_the_default_wherever_the_kubelet_can_speak_with_it(version: str, name: str):
    assert compiled({"version": version})["runtime"]["name"] == name


@pytest.mark.parametrize(("release", "schema"), [("1.6.20", 2), ("1.7.24", 2), ("2.0.6", 3), ("2.3.3", 4)])
def test_containerds_configuration_has_the_schema_of_its_release(release: str, schema: int):
    config = toml(rendered(of("1.36.2", containerd={"version": release}))[CONFIG])
    assert config["version"] == schema


@pytest.mark.parametrize("release", ["1.6.20", "2.0.6", "2.3.3"])
def test_every_schema_says_the_same(release: str):
    text = rendered(of("1.36.2", containerd={"version": release}))[CONFIG]
    plugins = toml(text)["plugins"]
    if release == "1.6.20":
        images = runtime = plugins["io.containerd.grpc.v1.cri"]
        image = images["sandbox_image"]
    else:
        runtime = plugins["io.containerd.cri.v1.runtime"]
        image = plugins["io.containerd.cri.v1.images"]["pinned_images"]["sandbox"]
    folders = runtime["cni"].get("bin_dirs") or [runtime["cni"]["bin_dir"]]
    options = runtime["containerd"]["runtimes"]["runc"]["options"]
    assert (image, folders, runtime["cni"]["conf_dir"], options["SystemdCgroup"]) == (
        "registry.k8s.io/pause:3.10.2",
        ["/opt/cni/bin"],
        "/etc/cni/net.d",
        True,
    )


def test_containerds_release_is_that_of_the_operating_system():
    assert compiled(os_release="Debian-13")["runtime"]["containerd"]["version"] == "1.7.24"


def test_the_release_in_the_pillar_wins_over_the_operating_systems():
    node = compiled(of("1.36.2", containerd={"version": "2.3.3"}), os_release="Debian-12")
    assert node["runtime"]["schema"] == 4


def test_an_operating_system_whose_containerd_is_not_known_is_asked_about():
    assert faults(pillar(), os_family="RedHat", os_release="Rocky Linux-9") == [
        "runtime.containerd.version: is missing, write the release that the package installs, "
        "for instance 1.7.24"
    ]


@pytest.mark.parametrize(("family", "package"), [("Debian", "containerd"), ("RedHat", "containerd.io")])
def test_the_package_is_called_as_the_family_calls_it(family: str, package: str):
    node = compiled(of("1.36.2", containerd={"version": "1.7.24"}), os_family=family)
    assert node["runtime"]["containerd"]["package"] == package


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            of("1.9.11", "containerd"),
            "runtime.name: no containerd speaks the CRI of Kubernetes 1.9, choose docker",
        ),
        (
            of("1.22.17", "containerd", containerd={"version": "2.0.6"}),
            "runtime.containerd.version: containerd 2.0.6 does not speak the CRI of Kubernetes 1.22, "
            "choose another release",
        ),
        (
            of("1.26.0", "containerd", containerd={"version": "1.5.8"}),
            "runtime.containerd.version: containerd 1.5.8 does not speak the CRI of Kubernetes 1.26, "
            "choose another release",
        ),
        (
            of("1.20.0", "containerd", containerd={"version": "1.2.13"}),
            "runtime.containerd.version: containerd 1.2.13 is not known, choose 1.3 or later",
        ),
        (
            of("1.24.0", "docker"),
            "binaries.sha256.cri-dockerd: is missing, Kubernetes 1.24 needs cri-dockerd for docker: put the "
            "program beside kubelet in binaries.source and write its digest here, or set runtime.name to "
            "containerd",
        ),
    ],
)
def test_a_runtime_that_the_kubelet_cannot_speak_with_is_refused(change: dict[str, Any], message: str):
    assert faults(pillar(change)) == [message]


def test_up_to_1_23_the_kubelet_speaks_with_docker_itself():
    node = compiled(of("1.23.17", "docker"))
    assert option(node, "container-runtime") is None
    assert option(node, "container-runtime-endpoint") is None
    assert (option(node, "network-plugin"), option(node, "cni-bin-dir"), option(node, "cni-conf-dir")) == (
        "cni",
        "/opt/cni/bin",
        "/etc/cni/net.d",
    )
    assert node["runtime"]["unit"] == "docker.service"


def test_up_to_1_23_cri_dockerd_is_not_installed():
    node = compiled(of("1.23.17", "docker") | ADAPTER)
    assert [binary["name"] for binary in node["binaries"]["files"]] == ["kube-proxy", "kubelet"]
    assert "/etc/systemd/system/cri-docker.service" not in rendered(of("1.23.17", "docker") | ADAPTER)


def test_from_1_24_on_the_kubelet_speaks_with_cri_dockerd():
    node = compiled(of("1.24.0", "docker") | ADAPTER)
    assert option(node, "container-runtime-endpoint") == "unix:///run/cri-dockerd.sock"
    assert node["runtime"]["unit"] == "cri-docker.service"


def test_cri_dockerd_is_one_of_the_binaries():
    files = compiled(of("1.24.0", "docker") | ADAPTER)["binaries"]["files"]
    assert files[0] == {
        "name": "cri-dockerd",
        "link": "/usr/local/bin/cri-dockerd",
        "path": "/opt/kube_node/v1.24.0/cri-dockerd",
        "source": "salt://kubernetes/cri-dockerd",
        "sha256": "c" * 64,
        "whole": False,
        "keys": {"source": "binaries.source", "sha256": "binaries.sha256.cri-dockerd"},
    }


def cri_dockerd(version: str) -> list[str]:
    """Return cri-dockerd's command line."""
    files = rendered(of(version, "docker") | ADAPTER)
    return systemd.started(files["/etc/systemd/system/cri-docker.service"])


def test_cri_dockerd_has_its_own_word_about_the_sandbox_image():
    assert "--pod-infra-container-image=registry.k8s.io/pause:3.10.2" in cri_dockerd("1.36.2")


@pytest.mark.parametrize(("version", "is_told"), [("1.25.16", False), ("1.26.0", True)])
def test_cri_dockerd_streams_on_loopback_where_it_can_be_told(version: str, is_told: bool):
    assert ("--streaming-bind-addr=127.0.0.1" in cri_dockerd(version)) is is_told


def test_the_socket_is_where_the_kubelet_looks_for_it():
    change = of("1.36.2", "docker", cri_dockerd={"endpoint": "unix:///run/docker/cri.sock"}) | ADAPTER
    socket = systemd.sections(rendered(change)["/etc/systemd/system/cri-docker.socket"])["Socket"]
    assert dict(socket)["ListenStream"] == "/run/docker/cri.sock"
    assert compiled(change)["kubelet"]["config"]["containerRuntimeEndpoint"] == "unix:///run/docker/cri.sock"


def test_exec_works_through_cri_dockerd():
    gates = compiled(of("1.36.2", "docker") | ADAPTER)["kubelet"]["config"]["featureGates"]
    assert gates == {"ExtendWebSocketsToKubelet": False}


@pytest.mark.parametrize("driver", ["systemd", "cgroupfs"])
def test_docker_has_the_cgroup_driver_of_the_kubelet(driver: str):
    change = of("1.23.17", "docker", cgroup_driver=driver)
    daemon = json.loads(rendered(change)["/etc/docker/daemon.json"])
    assert daemon["exec-opts"] == [f"native.cgroupdriver={driver}"]
    assert compiled(change)["kubelet"]["config"]["cgroupDriver"] == driver


def test_docker_is_configured_as_the_pillar_says():
    docker = {
        "registry_mirrors": ["https://mirror.example.org"],
        "max_concurrent_downloads": 3,
        "log_level": "info",
        "log_max_size": "50m",
        "log_max_file": 5,
        "data_root": "/data/docker",
    }
    assert json.loads(rendered(of("1.23.17", "docker", docker=docker))["/etc/docker/daemon.json"]) == {
        "exec-opts": ["native.cgroupdriver=systemd"],
        "registry-mirrors": ["https://mirror.example.org"],
        "max-concurrent-downloads": 3,
        "log-driver": "json-file",
        "log-level": "info",
        "log-opts": {"max-size": "50m", "max-file": "5"},
        "data-root": "/data/docker",
    }


def test_docker_is_started_from_where_its_package_has_it():
    unit = systemd.sections(rendered(of("1.23.17", "docker"))["/etc/systemd/system/docker.service"])
    assert ("ExecStart", "/usr/sbin/dockerd") in unit["Service"]


def test_docker_adds_no_rule_at_every_start():
    unit = systemd.sections(rendered(of("1.23.17", "docker"))["/etc/systemd/system/docker.service"])
    assert dict(unit["Service"])["ExecStartPost"] == "/sbin/iptables --policy FORWARD ACCEPT"
