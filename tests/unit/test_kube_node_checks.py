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
