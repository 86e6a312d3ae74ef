"""Linux' own tables read as values, as real machines write them."""

from __future__ import annotations

import sys

import kube_node_proc as proc
import pytest

TCP = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:2809 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 6558042 1 0000 100
   1: 0B004D0A:A3F2 01004D0A:1F40 01 00000000:00000000 02:00000D5C 00000000     0        0 6559000 2 0000 20
"""
FIB_TRIE = """\
Main:
  +-- 0.0.0.0/0 3 0 5
        |-- 127.0.0.0
           /8 host LOCAL
        |-- 127.0.0.1
           /32 host LOCAL
     |-- 192.168.1.42
        /32 host LOCAL
     |-- 192.168.1.255
        /32 link BROADCAST
"""
IF_INET6 = "fe800000000000000a0027fffe000001 02 40 20 80     eth0\n"
ROUTE = """\
Iface	Destination	Gateway 	Flags	RefCnt	Use	Metric	Mask		MTU	Window	IRTT
eth0	00000000	0101A8C0	0003	0	0	0	00000000	0	0	0
eth0	0001A8C0	00000000	0001	0	0	0	00FFFFFF	0	0	0
*	0000140A	00000000	0201	0	0	0	0000FFFF	0	0	0
"""
ZEROS = "0" * 32
IPV6_ROUTE = f"""\
fd000000000000000000000000000000 40 {ZEROS} 00 {ZEROS} 00000100 00000001 00000000 00000001     eth0
fe800000000000000000000000000000 40 {ZEROS} 00 {ZEROS} 00000100 00000002 00000000 00000001     eth0
"""


def test_a_port_that_is_listened_on_has_its_socket():
    assert proc.listening(TCP) == {10249: "6558042"}


@pytest.mark.parametrize(
    ("cgroup", "unit"),
    [
        ("0::/system.slice/kubelet.service\n", "kubelet.service"),
        (
            "12:memory:/\n1:name=systemd:/system.slice/kube-proxy.service\n0::/init.scope\n",
            "kube-proxy.service",
        ),
        ("0::/system.slice/docker.service/supervisor\n", "docker.service"),
        ("0::/user.slice/user-0.slice/session-1.scope\n", None),
    ],
)
def test_a_process_belongs_to_the_unit_of_its_control_group(cgroup: str, unit: str | None):
    assert proc.unit(cgroup) == unit


def test_addresses_are_those_of_both_families():
    assert proc.addresses(FIB_TRIE, IF_INET6) == ["127.0.0.1", "192.168.1.42", "fe80::a00:27ff:fe00:1"]


@pytest.mark.skipif(sys.byteorder == "big", reason="the table is one of a little-endian machine")
def test_routes_are_those_that_lead_somewhere():
    assert proc.routes(ROUTE, IPV6_ROUTE) == [
        {"network": "0.0.0.0/0", "interface": "eth0", "gateway": True},
        {"network": "192.168.1.0/24", "interface": "eth0", "gateway": False},
        {"network": "fd00::/64", "interface": "eth0", "gateway": False},
    ]


def test_memory_is_all_of_it():
    assert proc.memory_mib("MemTotal:        4000000 kB\nMemFree:  1 kB\n") == 3906


def test_compressed_memory_is_swap_too():
    table = "Filename\t\tType\t\tSize\tUsed\tPriority\n/dev/zram0   partition\t1000\t0\t100\n"
    assert proc.swaps(table) == ["/dev/zram0"]


def test_resolvers_are_the_name_servers_alone():
    assert proc.resolvers("# nameserver 1.1.1.1\nsearch a\nnameserver 127.0.0.53\nnameserver ::1\n") == [
        "127.0.0.53",
        "::1",
    ]


@pytest.mark.parametrize(
    ("name", "state"),
    [
        ("overlay", "loaded"),
        ("nf_conntrack", "built in"),
        ("br_netfilter", "loadable"),
        ("ip_vs_rr", "loadable"),
        ("nf_tables", "missing"),
    ],
)
def test_a_module_is_found_wherever_it_is(name: str, state: str):
    loaded = "overlay 151552 0 - Live 0x0000000000000000\n"
    built_in = "kernel/net/netfilter/nf_conntrack.ko\n"
    loadable = (
        "kernel/net/bridge/br_netfilter.ko.xz: kernel/net/bridge/bridge.ko.xz\n"
        "kernel/net/netfilter/ipvs/ip_vs_rr.ko: kernel/net/netfilter/ipvs/ip_vs.ko\n"
    )
    assert proc.modules([name], loaded, built_in, loadable, {}) == {name: state}


@pytest.mark.parametrize(
    ("name", "state"),
    [
        ("nf_tables", "built in"),
        ("br_netfilter", "missing"),
        ("ip_vs", "left out"),
        ("ip_vs_rr", "left out"),
        ("dm_thin_pool", "missing"),
    ],
)
def test_a_kernels_configuration_says_what_no_list_says(name: str, state: str):
    options = proc.kernel_options(
        "CONFIG_NF_TABLES=y\nCONFIG_BRIDGE_NETFILTER=m\n# CONFIG_IP_VS is not set\nCONFIG_X=7\n"
    )
    assert proc.modules([name], "", "", "", options) == {name: state}


def test_without_a_list_of_what_is_built_in_nothing_is_said_to_be_missing():
    assert proc.modules(["nf_tables"], "", None, None, {}) == {"nf_tables": "unknown"}


def test_a_route_that_leads_nowhere_is_no_default_one():
    """As calico lays them, for each block of addresses that is a node's."""
    table = (
        "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n"
        "*\t000914AC\t00000000\t0001\t0\t0\t0\tC0FFFFFF\t0\t0\t0\n"
        "eth0\t00000000\t0101A8C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n"
    )
    assert [route["network"] for route in proc.routes(table, "")] == ["172.20.9.0/26", "0.0.0.0/0"]
