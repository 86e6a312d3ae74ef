"""What contradicts itself in a pillar is told by the key to change."""

from __future__ import annotations

from typing import Any

import kube_node_checks as checks
import pytest

from unit.nodes import compiled, faults, pillar, sources

NAME = "is not a lower-case RFC 1123 name, use letters a-z, digits, '-' and '.'"


@pytest.mark.parametrize("release", ["1.8.15", "1.38.0", "2.0.0", "0.0.0"])
def test_a_minor_without_facts_is_refused_with_the_range(release: str):
    minor = release.rpartition(".")[0]
    assert faults(pillar({"version": release})) == [
        f"version: Kubernetes {minor} is not known, choose a release of 1.9 to 1.37"
    ]


@pytest.mark.parametrize("release", ["1.9.0", "1.37.0", None])
def test_a_minor_with_facts_is_taken(release: str | None):
    assert checks.version(release, sources()["facts"]) == []


def test_a_minion_id_that_is_no_node_name_is_refused():
    assert faults(pillar(), id="Worker_1") == [
        f"node.name: is missing, and the minion id cannot stand for it: 'worker_1' {NAME}"
    ]


def test_a_minion_id_that_would_add_lines_is_refused():
    assert faults(pillar(), id="worker\n[Service]") == [
        f"node.name: is missing, and the minion id cannot stand for it: 'worker\\n[service]' {NAME}"
    ]


def test_any_minion_id_will_do_where_the_pillar_names_the_node():
    assert compiled({"node": {"name": "worker-1"}}, id="Worker_1")["node"]["name"] == "worker-1"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"kubelet": {"extra_args": {"hostname-override": "other"}}},
            "kubelet.extra_args.hostname-override: 'other' is not the 'worker-1' of node.name, "
            "set node.name alone",
        ),
        (
            {"kube_proxy": {"config": {"hostnameOverride": "other"}}},
            "kube_proxy.config.hostnameOverride: 'other' is not the 'worker-1' of node.name, "
            "set node.name alone",
        ),
        (
            {"kube_proxy": {"extra_args": {"hostname-override": "other"}}},
            "kube_proxy.extra_args.hostname-override: 'other' is not the 'worker-1' of node.name, "
            "set node.name alone",
        ),
        (
            {"kubelet": {"config": {"cgroupDriver": "cgroupfs"}}},
            "kubelet.config.cgroupDriver: 'cgroupfs' is not the 'systemd' of runtime.cgroup_driver, "
            "set runtime.cgroup_driver alone",
        ),
        (
            {"kubelet": {"extra_args": {"cgroup-driver": "cgroupfs"}}},
            "kubelet.extra_args.cgroup-driver: 'cgroupfs' is not the 'systemd' of runtime.cgroup_driver, "
            "set runtime.cgroup_driver alone",
        ),
        (
            {"kubelet": {"extra_args": {"cert-dir": "/etc/pki"}}},
            "kubelet.extra_args.cert-dir: '/etc/pki' is not the '/var/lib/kubelet/pki' of paths.kubelet, "
            "set paths.kubelet alone",
        ),
        (
            {"kubelet": {"extra_args": {"config": "/etc/kubelet.yaml"}}},
            "kubelet.extra_args.config: '/etc/kubelet.yaml' is not the '/var/lib/kubelet/config.yaml' of "
            "paths.kubelet, set paths.kubelet alone",
        ),
        (
            {"kubelet": {"extra_args": {"root-dir": "/data"}}},
            "kubelet.extra_args.root-dir: '/data' is not the '/var/lib/kubelet' of paths.kubelet, "
            "set paths.kubelet alone",
        ),
        (
            {"kube_proxy": {"config": {"clientConnection": {"kubeconfig": "/etc/x"}}}},
            "kube_proxy.config.clientConnection.kubeconfig: '/etc/x' is not the "
            "'/etc/kubernetes/kube-proxy.kubeconfig' of paths.kubernetes, set paths.kubernetes alone",
        ),
        (
            {"kubelet": {"config": {"maxPods": 5}, "extra_args": {"max-pods": 6}}},
            "kubelet.extra_args.max-pods: says what kubelet.config.maxPods says, keep that one",
        ),
        (
            {"node": {"labels": {"tier": "gold"}}, "kubelet": {"extra_args": {"node-labels": "a=b"}}},
            "kubelet.extra_args.node-labels: says what node.labels says, keep that one",
        ),
        (
            {"node": {"labels": {"node-role.kubernetes.io/worker": ""}}},
            "node.labels: 'node-role.kubernetes.io/worker' is none that a kubelet of 1.36 may set, "
            "set it through the API",
        ),
        (
            {"kubelet": {"extra_args": {"node-labels": "a=b,kubernetes.io/role=node"}}},
            "kubelet.extra_args.node-labels: 'kubernetes.io/role' is none that a kubelet of 1.36 may set, "
            "set it through the API",
        ),
        (
            {"node": {"addresses": ["10.68.0.9"]}},
            "node.addresses: 10.68.0.9 is inside cluster.service_cidr 10.68.0.0/16, "
            "choose a network apart from the nodes'",
        ),
        (
            {"node": {"addresses": ["172.20.4.9"]}},
            "node.addresses: 172.20.4.9 is inside cluster.pod_cidr 172.20.0.0/16, "
            "choose a network apart from the nodes'",
        ),
        (
            {"kube_proxy": {"config": {"mode": "userspace"}}},
            "kube_proxy.config.mode: 'userspace' is not a mode of 1.36, "
            "choose one of iptables, ipvs, nftables",
        ),
        (
            {"version": "1.28.0", "kube_proxy": {"config": {"mode": "nftables"}}},
            "kube_proxy.config.mode: 'nftables' is not a mode of 1.28, choose one of iptables, ipvs",
        ),
        (
            {"kube_proxy": {"extra_args": {"proxy-mode": "ipvs"}}},
            "kube_proxy.extra_args.proxy-mode: is overlooked beside a configuration file, "
            "write kube_proxy.config.mode instead",
        ),
        (
            {"kube_proxy": {"settings_as": "flags", "config": {"nftables": {"masqueradeAll": True}}}},
            "kube_proxy.config.nftables.masqueradeAll: has no flag, and kube-proxy takes none beside a file: "
            "set kube_proxy.settings_as to file",
        ),
        (
            {"kubelet": {"config": {"featureGates": {"RotateKubeletClientCertificate": True}}}},
            "kubelet.config.featureGates.RotateKubeletClientCertificate: is not a feature gate of 1.36, "
            "remove it",
        ),
        (
            {"certificates": {"mode": "static"}, "kubelet": {"config": {"serverTLSBootstrap": True}}},
            "kubelet.config.serverTLSBootstrap: goes with certificates.mode bootstrap alone, "
            "remove one of the two",
        ),
        (
            {"paths": {"kube_proxy": "/var/lib/kubelet"}},
            "paths.kube_proxy: /var/lib/kubelet is paths.kubelet too, choose a folder of its own",
        ),
        (
            {"cluster": {"pod_cidr": "10.0.0.0/8"}},
            "cluster.pod_cidr: 10.0.0.0/8 overlaps cluster.service_cidr 10.68.0.0/16, choose one apart",
        ),
        (
            {"cluster": {"dns_address": "10.69.0.2"}},
            "cluster.dns_address: 10.69.0.2 is outside cluster.service_cidr 10.68.0.0/16, choose one inside",
        ),
        (
            {"network": {"plugin": "none"}},
            "network.pod_subnet: is missing, give this node a part of cluster.pod_cidr 172.20.0.0/16 "
            "of its own",
        ),
        (
            {"network": {"plugin": "none", "pod_subnet": "172.20.0.0/16"}},
            "network.pod_subnet: 172.20.0.0/16 is not a part of cluster.pod_cidr 172.20.0.0/16, "
            "choose a smaller one in it",
        ),
        (
            {"network": {"plugin": "none", "pod_subnet": "2001:db8::/64"}},
            "network.pod_subnet: 2001:db8::/64 is not a part of cluster.pod_cidr 172.20.0.0/16, "
            "choose a smaller one in it",
        ),
    ],
)
def test_a_contradiction_is_told_by_the_key_to_change(change: dict[str, Any], message: str):
    assert faults(pillar(change)) == [message]


@pytest.mark.parametrize(
    "change",
    [
        {"kube_proxy": {"config": {"hostnameOverride": "worker-1"}}},
        {"runtime": {"cgroup_driver": "cgroupfs"}, "kubelet": {"config": {"cgroupDriver": "cgroupfs"}}},
        {"paths": {"kubelet": "/data/kubelet"}, "kubelet": {"extra_args": {"cert-dir": "/data/kubelet/pki"}}},
        {"network": {"plugin": "none", "pod_subnet": "172.20.7.0/24"}},
        {"cluster": {"service_cidr": "2001:db8::/108", "pod_cidr": "172.20.0.0/16"}},
    ],
)
def test_the_same_said_twice_is_no_contradiction(change: dict[str, Any]):
    assert faults(pillar(change)) == []


def test_a_label_that_a_kubelet_may_not_set_was_free_before():
    labels = {"node": {"labels": {"node-role.kubernetes.io/worker": ""}}}
    assert faults(pillar({"version": "1.15.12", **labels})) == []


def test_what_the_pillar_says_by_a_flag_silences_the_default_in_the_file():
    node = compiled({"kubelet": {"extra_args": {"cluster-domain": "example.org"}}})
    assert "--cluster-domain=example.org" in node["kubelet"]["arguments"]
    assert "clusterDomain" not in node["kubelet"]["config_yaml"]


def test_what_the_pillar_says_by_a_field_silences_the_default_flag():
    node = compiled({"kubelet": {"config": {"logging": {"verbosity": 4}}}})
    assert "--v=2" not in node["kubelet"]["arguments"]


def test_faults_of_every_kind_come_together():
    change = {
        "versoin": 1,
        "cluster": {"dns_address": "10.69.0.2"},
        "node": {"labels": {"kubernetes.io/role": "node"}},
        "kubelet": {"config": {"maxPods": -1}, "extra_args": {"allow-privileged": True}},
        "kube_proxy": {"config": {"mode": "userspace"}},
        "runtime": {"name": "docker"},
    }
    assert [line.partition(": ")[0] for line in faults(pillar(change))] == [
        "binaries.sha256.cri-dockerd",
        "cluster.dns_address",
        "kube_proxy.config.mode",
        "kubelet.config.maxPods",
        "kubelet.extra_args.allow-privileged",
        "node.labels",
        "versoin",
    ]


def test_a_fault_brings_no_other_about_the_same_place():
    change = {"cluster": {"service_cidr": "10.68.0.1/16", "pod_cidr": "10.68.0.0/20"}}
    assert faults(pillar(change)) == [
        "cluster.service_cidr: '10.68.0.1/16' is an address in a network, write 10.68.0.0/16"
    ]


def test_a_gate_is_switched_on_for_the_mode_that_needs_it():
    node = compiled({"version": "1.30.1", "kube_proxy": {"config": {"mode": "nftables"}}})
    assert node["kube_proxy"]["config"]["featureGates"] == {"NFTablesProxyMode": True}


@pytest.mark.parametrize(("version", "gate"), [("1.11.10", True), ("1.12.0", None)])
def test_a_gate_is_switched_on_for_serving_certificates_where_it_is_off(version: str, gate: bool | None):
    gates = compiled({"version": version})["kubelet"]["config"]["featureGates"] or {}
    assert gates.get("RotateKubeletServerCertificate") is gate


def test_systemds_stub_resolver_is_gone_round():
    place = "/run/systemd/resolve/resolv.conf"
    assert compiled(resolv_conf=place)["kubelet"]["config"]["resolvConf"] == place


def test_without_a_stub_resolver_the_kubelet_keeps_its_own_default():
    assert "resolvConf" not in compiled()["kubelet"]["config_yaml"]
