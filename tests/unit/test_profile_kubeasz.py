"""The profile kubeasz-1.1: that role's units, option by option, and nothing that a newer kubelet refuses."""

from __future__ import annotations

from typing import Any

import kube_node_files
import kube_node_versions as versions
import pytest

from unit import systemd
from unit.nodes import compiled, faults, pillar, sources
from unit.test_kube_node_files import templates

FACTS = sources()["facts"]
# kubeasz 1.1.0, roles/kube-node/templates/kubelet.service.j2 and docs/setup/05-install_kube_node.md, for a
# node 192.168.1.42 called worker-1.
KUBELET = {
    "address": "192.168.1.42",
    "allow-privileged": "true",
    "anonymous-auth": "false",
    "authentication-token-webhook": "true",
    "authorization-mode": "Webhook",
    "pod-manifest-path": "/etc/kubernetes/manifest",
    "client-ca-file": "/etc/kubernetes/ssl/ca.pem",
    "cluster-dns": "10.68.0.2",
    "cluster-domain": "cluster.local.",
    "cni-bin-dir": "/opt/kube/bin",
    "cni-conf-dir": "/etc/cni/net.d",
    "fail-swap-on": "false",
    "hairpin-mode": "hairpin-veth",
    "hostname-override": "worker-1",
    "kubeconfig": "/etc/kubernetes/kubelet.kubeconfig",
    "max-pods": "110",
    "network-plugin": "cni",
    "pod-infra-container-image": "mirrorgooglecontainers/pause-amd64:3.1",
    "register-node": "true",
    "root-dir": "/var/lib/kubelet",
    "tls-cert-file": "/etc/kubernetes/ssl/kubelet.pem",
    "tls-private-key-file": "/etc/kubernetes/ssl/kubelet-key.pem",
    "cgroups-per-qos": "true",
    "cgroup-driver": "cgroupfs",
    "enforce-node-allocatable": "pods,kube-reserved",
    "kube-reserved": "cpu=200m,memory=500Mi,ephemeral-storage=1Gi",
    "kube-reserved-cgroup": "/system.slice/kubelet.service",
    "eviction-hard": "memory.available<200Mi,nodefs.available<10%",
    "v": "2",
}
KUBE_PROXY = {
    "bind-address": "192.168.1.42",
    "hostname-override": "worker-1",
    "kubeconfig": "/etc/kubernetes/kube-proxy.kubeconfig",
    "logtostderr": "true",
    "proxy-mode": "iptables",
    "v": "2",
}
MINORS = versions.minors(FACTS)
OF_THE_ROLE = ["1.13.12", "1.14.10"]


def change(version: str, **more: Any) -> dict[str, Any]:
    return {"version": version, "profile": "kubeasz-1.1", "certificates": {"mode": "static"}, **more}


def rendered(version: str, **more: Any) -> dict[str, str]:
    return kube_node_files.render(compiled(change(version, **more)), templates())


def unit(files: dict[str, str], name: str) -> dict[str, list[tuple[str, str]]]:
    return systemd.sections(files[f"/etc/systemd/system/{name}.service"])


def options(files: dict[str, str], name: str) -> dict[str, str]:
    """Return what the program of a unit is started with, by option."""
    program, *words = systemd.started(files[f"/etc/systemd/system/{name}.service"])
    assert program == f"/opt/kube/bin/{name}"
    return dict(word.removeprefix("--").split("=", 1) for word in words)


@pytest.mark.parametrize("version", OF_THE_ROLE)
def test_the_kubelets_options_are_the_roles(version: str):
    assert options(rendered(version), "kubelet") == KUBELET


@pytest.mark.parametrize("version", OF_THE_ROLE)
def test_kube_proxys_options_are_the_roles(version: str):
    assert options(rendered(version), "kube-proxy") == KUBE_PROXY


@pytest.mark.parametrize("version", OF_THE_ROLE)
def test_the_kubelet_goes_with_docker(version: str):
    dependencies = unit(rendered(version), "kubelet")["Unit"]
    assert ("Requires", "docker.service") in dependencies
    assert ("After", "network-online.target docker.service") in dependencies


@pytest.mark.parametrize("name", ["kubelet", "kube-proxy"])
def test_both_services_are_kept_running_as_the_role_did(name: str):
    service = dict(unit(rendered("1.14.10"), name)["Service"])
    kept = {key: service[key] for key in ("WorkingDirectory", "Restart", "RestartSec")}
    assert kept == {"WorkingDirectory": f"/var/lib/{name}", "Restart": "on-failure", "RestartSec": "5"}


def test_kube_proxy_may_open_as_many_files_as_with_the_role():
    assert ("LimitNOFILE", "65536") in unit(rendered("1.14.10"), "kube-proxy")["Service"]


def test_no_configuration_file_stands_beside_the_options():
    assert [path for path in rendered("1.14.10") if path.endswith("config.yaml")] == []


def test_the_kubelet_makes_no_cgroup_before_it_starts():
    assert "ExecStartPre" not in dict(unit(rendered("1.14.10"), "kubelet")["Service"])


def test_the_reserved_cgroup_is_made_by_its_slice():
    files = rendered("1.14.10")
    assert dict(unit(files, "kubelet")["Service"])["Slice"] == "system.slice"
    drop_in = systemd.sections(files["/etc/systemd/system/system.slice.d/kube-node.conf"])
    assert ("MemoryAccounting", "yes") in drop_in["Slice"]


def test_the_default_network_is_the_roles():
    network = {"plugin": "none", "pod_subnet": "172.20.7.0/24"}
    conf = rendered("1.14.10", network=network)["/etc/cni/net.d/10-default.conf"]
    for line in (
        '"name": "mynet"',
        '"type": "bridge"',
        '"bridge": "mynet0"',
        '"isDefaultGateway": true',
        '"ipMasq": true',
        '"hairpinMode": true',
        '"type": "host-local"',
    ):
        assert line in conf


def test_the_kubelet_speaks_with_the_certificate_that_is_there():
    kubeconfig = rendered("1.14.10")["/etc/kubernetes/kubelet.kubeconfig"]
    assert "client-certificate: /etc/kubernetes/ssl/kubelet.pem\n" in kubeconfig
    assert "client-key: /etc/kubernetes/ssl/kubelet-key.pem\n" in kubeconfig


def test_the_pause_image_is_that_of_the_processor():
    node = compiled(change("1.14.10"), processor="aarch64")
    assert node["runtime"]["sandbox_image"] == "mirrorgooglecontainers/pause-arm64:3.1"


def test_static_certificates_need_no_token():
    tree = pillar(change("1.14.10"))
    del tree["certificates"]["bootstrap_token"]
    assert faults(tree) == []


def test_the_certificates_of_the_role_are_what_the_profile_expects():
    tree = pillar(change("1.14.10"))
    del tree["certificates"]
    assert faults(tree) == []


@pytest.mark.parametrize("minor", MINORS)
@pytest.mark.parametrize("component", ["kubelet", "kube_proxy"])
def test_what_a_version_does_not_have_is_dropped(minor: str, component: str):
    version = f"{minor}.3"
    files = rendered(version, runtime={"containerd": {"version": "1.7.24"}})
    name = component.replace("_", "-")
    assert set(options(files, name)) <= set(versions.flags(FACTS, component, minor))


@pytest.mark.parametrize(
    ("version", "gone"),
    [
        ("1.15.12", {"allow-privileged"}),
        ("1.24.17", {"allow-privileged", "network-plugin", "cni-bin-dir", "cni-conf-dir"}),
        (
            "1.36.2",
            {
                "allow-privileged",
                "network-plugin",
                "cni-bin-dir",
                "cni-conf-dir",
                "pod-infra-container-image",
            },
        ),
    ],
)
def test_a_newer_kubelet_gets_the_roles_options_but_for_what_went(version: str, gone: set[str]):
    found = options(rendered(version), "kubelet")
    assert set(KUBELET) - set(found) == gone
    assert {name: found[name] for name in set(KUBELET) - gone} == {
        name: value for name, value in KUBELET.items() if name not in gone
    }


def test_without_dockershim_the_profile_takes_the_formulas_own_runtime():
    assert compiled(change("1.24.17"))["runtime"]["name"] == "containerd"


def test_kube_proxy_masquerades_nothing_for_pods():
    found = options(rendered("1.14.10"), "kube-proxy")
    assert not {"cluster-cidr", "masquerade-all"} & set(found)
