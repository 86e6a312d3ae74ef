"""What a node needs of its machine follows from its version, its mode and its settings."""

from __future__ import annotations

from typing import Any

import pytest

from unit.nodes import compiled, faults, pillar

IPVS = {"kube_proxy": {"config": {"mode": "ipvs"}}}
NFTABLES = {"kube_proxy": {"config": {"mode": "nftables"}}}


def ports(change: dict[str, Any]) -> list[int]:
    return [need["port"] for need in compiled(change)["preflight"]["needs"]["ports"]]


@pytest.mark.parametrize(
    ("change", "kernel", "modules"),
    [
        ({}, "6.1.0", ["br_netfilter", "nf_conntrack", "overlay"]),
        (
            IPVS,
            "6.1.0",
            ["br_netfilter", "ip_vs", "ip_vs_rr", "ip_vs_sh", "ip_vs_wrr", "nf_conntrack", "overlay"],
        ),
        (
            IPVS,
            "3.10.0-1160.el7",
            ["br_netfilter", "ip_vs", "ip_vs_rr", "ip_vs_sh", "ip_vs_wrr", "nf_conntrack_ipv4", "overlay"],
        ),
        (
            {"kube_proxy": {"config": {"mode": "nftables"}}},
            "6.1.0",
            ["br_netfilter", "nf_conntrack", "nf_tables", "overlay"],
        ),
        ({"os": {"modules": ["overlay"]}}, "6.1.0", ["overlay"]),
    ],
)
def test_the_modules_follow_from_kube_proxys_mode(change, kernel: str, modules: list[str]):
    bridge = {"network": {"plugin": "none", "pod_subnet": "172.20.1.0/24"}}
    assert compiled({**bridge, **change}, kernel=kernel)["os"]["modules"] == modules


@pytest.mark.parametrize(
    ("network", "modules"),
    [
        ({"plugin": "calico"}, {"ipip", "xt_set"}),
        ({"plugin": "calico", "calico": {"encapsulation": "VXLANCrossSubnet"}}, {"vxlan", "xt_set"}),
        ({"plugin": "calico", "calico": {"encapsulation": "None"}}, {"xt_set"}),
        ({"plugin": "flannel"}, {"vxlan"}),
        ({"plugin": "flannel", "flannel": {"backend": "host-gw"}}, set()),
        ({"plugin": "flannel", "flannel": {"backend": "wireguard"}}, {"wireguard"}),
    ],
)
def test_the_network_adds_the_modules_of_its_mode(network, modules: set[str]):
    found = compiled({"network": network})["os"]["modules"]
    assert set(found) - {"br_netfilter", "nf_conntrack", "overlay"} == modules


def test_the_ports_are_those_that_the_settings_say():
    assert ports({}) == [10250, 10248, 10249, 10256]
    assert ports({"kubelet": {"config": {"port": 10260, "healthzPort": 0, "readOnlyPort": 10255}}}) == [
        10260,
        10255,
        10249,
        10256,
    ]
    addresses = {"metricsBindAddress": "127.0.0.1:9000", "healthzBindAddress": "[::]:9001"}
    assert ports({"kube_proxy": {"config": addresses}})[2:] == [9000, 9001]


def test_an_ipv6_pod_network_is_forwarded():
    change = {"cluster": {"pod_cidr": "fd00:1::/56", "service_cidr": "fd00:2::/112"}}
    assert compiled(change)["os"]["sysctl"]["net.ipv6.conf.all.forwarding"] == 1


def test_what_the_kubelet_protects_is_set_where_it_insists():
    insisting = compiled({"kubelet": {"config": {"protectKernelDefaults": True}}})["os"]["sysctl"]
    assert (insisting["vm.overcommit_memory"], insisting["kernel.panic"]) == (1, 10)
    assert "kernel.panic" not in compiled()["os"]["sysctl"]


@pytest.mark.parametrize(
    ("family", "change", "packages"),
    [
        ("Debian", {}, ["conntrack", "ebtables", "ethtool", "iptables", "socat"]),
        ("Debian", IPVS, ["conntrack", "ebtables", "ethtool", "ipset", "iptables", "socat"]),
        ("RedHat", {}, ["conntrack-tools", "ethtool", "iptables", "socat"]),
        ("RedHat", NFTABLES, ["conntrack-tools", "ethtool", "iptables", "nftables", "socat"]),
        ("Suse", {}, ["conntrack-tools", "ebtables", "ethtool", "iptables", "socat"]),
        ("Arch", {}, []),
        ("Debian", IPVS | {"os": {"packages": []}}, []),
    ],
)
def test_the_packages_go_by_the_family(family: str, change, packages: list[str]):
    # The release decides the runtime's version, which the pillar says where it is not known.
    release = {"runtime": {"containerd": {"version": "1.6.20"}}}
    assert compiled(change | release, os_family=family)["os"]["packages"] == packages


@pytest.mark.parametrize("value", [False, "off"])
def test_swap_is_turned_off_by_the_word_off(value):
    assert compiled({"os": {"swap": value}})["os"]["swap_off"] is True


def test_swap_is_left_alone_by_default():
    assert compiled()["os"]["swap_off"] is False


@pytest.mark.parametrize("value", [True, 0, "on", []])
def test_swap_is_off_or_kept(value):
    assert faults(pillar({"os": {"swap": value}})) == [
        f"os.swap: {value!r} is not known, write off to have it turned off, or keep"
    ]
