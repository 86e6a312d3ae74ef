"""The preflight: what stands in the way is told in a sentence, with the way out, and nothing else is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import kube_node_preflight
import pytest
from kube_node_findings import NAMES

from unit.machines import GOOD
from unit.nodes import ROOT, compiled, faults, pillar, sources

OPTIONS = sources()["facts"]["milestones"]["kernel_options"]
BUILT = dict.fromkeys((*OPTIONS["kubelet"], *OPTIONS["iptables"], *OPTIONS["ipip"]), "y")
NFTABLES = {"kube_proxy": {"config": {"mode": "nftables"}}}
DOCKER = {"runtime": {"name": "docker"}, "binaries": {"sha256": {"cri-dockerd": "c" * 64}}}
JOINED = "system:node:worker-1"


def told(change: dict[str, Any] | None = None, **machine: Any) -> list[tuple[str, str]]:
    """Return the severity and the sentence of all that is found on a good machine with `machine` changed."""
    return [(one.severity, str(one)) for one in kube_node_preflight.judge(compiled(change), GOOD | machine)]


def test_on_a_good_machine_nothing_is_found():
    assert told() == []


def route(network: str, interface: str = "eth0", gateway: bool = False) -> dict[str, Any]:
    return {"routes": [{"network": network, "interface": interface, "gateway": gateway}]}


def built_without(*names: str) -> dict[str, Any]:
    return {"options": {name: value for name, value in BUILT.items() if name not in names}}


def clock(ahead: int) -> dict[str, Any]:
    return {"api_server": GOOD["api_server"] | {"ahead": ahead}}


def disk(free_mib: int, free_percent: int) -> dict[str, Any]:
    return {"disks": {"/var/lib/kubelet": {"free_mib": free_mib, "free_percent": free_percent}}}


def port(number: int, program: str, unit: str | None = None) -> dict[str, Any]:
    return {"ports": {number: {"program": program, "unit": unit}}}


FOUND = [
    (
        {"processor": "i686"},
        {},
        "error architecture: Kubernetes has no programs for i686, "
        "take a machine with one of x86_64, aarch64, armv7l, ppc64le, s390x",
    ),
    (
        {"processor": "aarch64"},
        {},
        "error architecture: the processor is aarch64, not amd64, leave node.architecture out or write arm64",
    ),
    (
        {"os_family": "Arch"},
        {},
        "warning os_family: Arch is none of Debian, RedHat, Suse, whose packages are known, "
        "write os.packages and the runtime's package in the pillar",
    ),
    (
        {"kernel": "4.18.0-553.el8.x86_64"},
        {},
        "error kernel: the kernel is 4.18.0-553.el8.x86_64 and Kubernetes 1.36.2 needs 4.19 or later, "
        "boot a newer kernel",
    ),
    (
        {"kernel": "5.10.0-28-amd64"},
        NFTABLES,
        "error proxy_kernel: the kernel is 5.10.0-28-amd64 and kube-proxy's mode needs 5.13 or later, "
        "set kube_proxy.config.mode to iptables",
    ),
    (
        {"cgroups": 1},
        {},
        "error cgroup_v1: the machine has cgroup v1, on which the kubelet 1.36.2 does not start, "
        "boot with systemd.unified_cgroup_hierarchy=1 or set kubelet.config.failCgroupV1 to false",
    ),
    (
        {},
        {"version": "1.24.0"},
        "warning cgroup_v2: the machine has cgroup v2 alone, which Kubernetes knows well from 1.25 on and "
        "not in 1.24.0, boot with systemd.unified_cgroup_hierarchy=0",
    ),
    (
        {"modules": {"br_netfilter": "missing", "overlay": "loaded"}},
        {},
        "error kernel_modules: br_netfilter not in this kernel, neither as a module nor built in, "
        "install the kernel's modules (linux-modules-extra, kernel-modules) or boot the newest kernel",
    ),
    (
        {"modules": {"br_netfilter": "missing"}, "container": True},
        {},
        "info kernel_modules: br_netfilter not to be seen, and a container cannot load it, "
        "have its host load it if pods lack network",
    ),
    (
        {"modules": {"ip_vs": "left out"}, "container": True},
        {},
        "error kernel_modules: this kernel was built without ip_vs, "
        "boot another one, or choose another kube_proxy.config.mode",
    ),
    (
        {"modules": {"overlay": "unknown"}},
        {},
        "info kernel_modules: overlay neither loaded nor in a list of what is built in, "
        "look in the kernel's configuration",
    ),
    (
        built_without("MEMCG", "NETFILTER_XT_MARK"),
        {},
        "error kernel_config: the kernel was built without MEMCG, NETFILTER_XT_MARK, "
        "boot a kernel of the distribution",
    ),
    (
        built_without("NET_IPIP"),
        {},
        "warning kernel_config: the kernel was built without NET_IPIP, which network.plugin calico uses by "
        "default, boot a kernel of the distribution, or have the plugin do without",
    ),
    (
        {"memory_mib": 1699},
        {},
        "warning memory: 1699 MiB are little for a node, 1700 MiB are advised, "
        "give the machine more or set kubelet.config.maxPods low",
    ),
    (
        disk(900, 50),
        {},
        "error disk: /var/lib/kubelet has 900 MiB free (50 %), make room for 1024 MiB at least",
    ),
    (
        disk(9000, 9),
        {},
        "warning disk: /var/lib/kubelet has 9000 MiB free (9 %), and below 10 % the kubelet evicts pods, "
        "make room",
    ),
    (
        {"now": 0.0},
        {},
        "error clock: the clock says 1970-01-01, by which no certificate is valid, set it, and let NTP keep "
        "it right",
    ),
    (
        clock(-301),
        {},
        "error clock: the clock is 301 s behind the API server's, and new certificates are not yet "
        "valid here, set it, and let NTP keep it right",
    ),
    (
        clock(3600),
        {},
        "warning clock: the clock is 3600 s ahead of the API server's, and new certificates end early here, "
        "set it, and let NTP keep it right",
    ),
    (
        {"synchronised": False},
        {},
        "info clock_unsynchronised: nothing corrects the clock, "
        "let chrony or systemd-timesyncd keep it right",
    ),
    (
        {"swaps": ["/dev/sda2", "/dev/zram0"]},
        {},
        "error swap: swap is on (/dev/sda2, /dev/zram0), beside which the kubelet does not start, "
        "set os.swap to off, or kubelet.config.failSwapOn to false",
    ),
    (
        port(10250, "python3"),
        {},
        "error ports: port 10250 is taken by python3, stop that, or choose another kubelet.config.port",
    ),
    (
        port(10249, "kube-router", "kube-router.service"),
        {},
        "error ports: port 10249 is taken by kube-router of kube-router.service, "
        "stop that, or choose another kube_proxy.config.metricsBindAddress",
    ),
    (
        {"client_name": "system:node:node-7"},
        {},
        "error node_name: the node is to be worker-1, and its client certificate is that of node-7, "
        "set node.name to node-7, or delete that Node and here /var/lib/kubelet/pki and "
        "/etc/kubernetes/kubelet.kubeconfig",
    ),
    (
        {"client_name": "system:node:node-7"},
        {"certificates": {"mode": "static"}},
        "error node_name: the node is to be worker-1, and its client certificate is that of node-7, "
        "set node.name to node-7, or put a certificate of system:node:worker-1 there",
    ),
    (
        {"name_known": False},
        {},
        "warning node_name_unknown: worker-1 resolves to no address, name it in DNS or /etc/hosts",
    ),
    (
        {"client_name": JOINED, "root_dir": "/data/kubelet"},
        {},
        "error root_dir: the kubelet's folder is to be /var/lib/kubelet, and this node has joined with "
        "/data/kubelet, set paths.kubelet to /data/kubelet, or drain the node, delete it, stop the kubelet "
        "and remove /etc/kubernetes/kubelet.kubeconfig",
    ),
    (
        {"units": ["docker.service", "containerd.service"]},
        {},
        "error foreign_runtime: docker runs, and containerd is to be the runtime, "
        "stop and disable docker, or set runtime.name to docker",
    ),
    (
        {"units": ["crio.service", "docker.service", "containerd.service"]},
        DOCKER,
        "error foreign_runtime: cri-o runs, and docker is to be the runtime, stop and disable cri-o",
    ),
    (
        {"units": ["containerd.service"]},
        DOCKER,
        "warning foreign_runtime: containerd runs, and docker is to be the runtime, "
        "take it out of use first, or set runtime.name to containerd",
    ),
    (
        {"units": ["k3s-agent.service"]},
        {},
        "error foreign_kubelet: k3s-agent.service runs a kubelet of its own, uninstall it first",
    ),
    (
        {"drop_ins": ["/usr/lib/systemd/system/kubelet.service.d/10-kubeadm.conf"]},
        {},
        "error foreign_kubelet: /usr/lib/systemd/system/kubelet.service.d/10-kubeadm.conf changes the "
        "command of our kubelet, remove the file",
    ),
    (
        {"cni_files": ["10-calico.conflist", "10-default.conf", "87-podman-bridge.conflist"]},
        {},
        "error foreign_cni: /etc/cni/net.d/87-podman-bridge.conflist is a network that is not that of "
        "network.plugin calico, move it away, set takeover to true, or choose another paths.cni_config",
    ),
    (
        {"cni_files": ["87-podman-bridge.conflist"]},
        {"takeover": True},
        "info foreign_cni: /etc/cni/net.d/87-podman-bridge.conflist is a network that is not that of "
        "network.plugin calico, it is moved below /var/lib/kube_node/replaced",
    ),
    (
        {"cni_files": ["87-podman-bridge.conflist"], "ours": True},
        {"takeover": True},
        "error foreign_cni: /etc/cni/net.d/87-podman-bridge.conflist is a network that is not that of "
        "network.plugin calico, move it away, or choose another paths.cni_config",
    ),
    (
        {"client_name": JOINED, "cgroup_driver": "cgroupfs"},
        {},
        "error cgroup_driver: the node has joined with the driver cgroupfs, and runtime.cgroup_driver is "
        "systemd, set it to cgroupfs, or change it on a drained node as docs/runtime.md says",
    ),
    (
        {},
        {"network": {"mtu": 1481}},
        "error mtu: network.mtu 1481 does not fit through eth0, which takes 1500, "
        "write 1480 or less: 20 are the network's own",
    ),
    (
        {},
        {"kube_proxy": {"config": {"iptables": {"masqueradeAll": True}}}},
        "warning masquerade: kube_proxy.config.iptables.masqueradeAll hides from calico's policies which pod "
        "speaks to a service, remove it",
    ),
    (
        {"cgroups": 1},
        {
            "version": "1.14.10",
            "profile": "kubeasz-1.1",
            "network": {"plugin": "calico"},
            "runtime": {"name": "containerd"},
            "kube_proxy": {"config": {"clusterCIDR": "172.20.0.0/16"}},
        },
        "warning masquerade: by kube_proxy.config.clusterCIDR calico's policies see a node where somebody "
        "outside of 172.20.0.0/16 speaks, remove it",
    ),
    (
        {"units": ["ufw.service"]},
        {},
        "warning firewall: ufw.service is active, "
        "let it pass 10250/tcp, the network plugin's own traffic and what is forwarded for pods",
    ),
    (
        {"addresses": ["127.0.0.1"]},
        {},
        "error addresses: 192.168.1.42 is on no interface of this machine, and the kubelet announces it, "
        "correct node.addresses",
    ),
    (
        {},
        {"node": {"addresses": ["192.168.1.42", "203.0.113.9"]}},
        "warning addresses: 203.0.113.9 is on no interface of this machine, correct node.addresses",
    ),
    (
        {"resolvers": ["127.0.0.53"]},
        {},
        "error resolv_conf: /etc/resolv.conf names 127.0.0.53, which in a pod is the pod itself, "
        "set kubelet.config.resolvConf to a file that names the real servers",
    ),
    (
        {"resolvers": None},
        {},
        "warning resolv_conf: /etc/resolv.conf is not there, and pods get no DNS servers, "
        "set kubelet.config.resolvConf to the file that names the DNS servers",
    ),
    (
        route("172.20.4.0/24"),
        {},
        "error routes: cluster.pod_cidr 172.20.0.0/16 overlaps the route to 172.20.4.0/24 by eth0, "
        "choose a network that nobody else has",
    ),
    (
        route("10.0.0.0/8", gateway=True),
        {},
        "warning routes: cluster.service_cidr 10.68.0.0/16 overlaps the route to 10.0.0.0/8 by eth0, "
        "choose a network that nobody else has",
    ),
    (
        {"api_server": {"reached": False, "trusted": False, "why": "Connection refused"}},
        {},
        "error api_server: https://10.0.0.10:6443 cannot be reached (Connection refused), "
        "correct cluster.api_server, or let the firewalls between pass it",
    ),
    (
        {
            "api_server": {"reached": False, "trusted": False, "why": "Connection refused"},
            "client_name": JOINED,
        },
        {},
        "warning api_server: https://10.0.0.10:6443 cannot be reached (Connection refused), "
        "correct cluster.api_server, or let the firewalls between pass it",
    ),
    (
        {"api_server": {"reached": True, "trusted": False, "why": "self-signed certificate"}},
        {},
        "error api_server_certificate: https://10.0.0.10:6443 has a certificate that cluster.ca does not "
        "vouch for (self-signed certificate), paste the CA of that cluster, or correct cluster.api_server",
    ),
]


@pytest.mark.parametrize(("machine", "change", "sentence"), FOUND)
def test_what_stands_in_the_way_is_told_with_the_way_out(machine, change, sentence: str):
    severity, _, text = sentence.partition(" ")
    assert told(change, **machine) == [(severity, text)]


@pytest.mark.parametrize(
    ("takeover", "sentence"),
    [
        (
            False,
            "/etc/docker/daemon.json was there before us and would be replaced, move it away, or set "
            "takeover to true: then a copy is kept below /var/lib/kube_node/replaced",
        ),
        (
            True,
            "/etc/docker/daemon.json was there before us and is replaced, a copy is kept below "
            "/var/lib/kube_node/replaced",
        ),
    ],
)
def test_what_somebody_else_wrote_is_told_or_taken_over(takeover: bool, sentence: str):
    severity = "info" if takeover else "error"
    found = told({"takeover": takeover}, foreign_files=["/etc/docker/daemon.json"])
    assert found == [(severity, f"takeover: {sentence}")]


BORNE = [
    ({"client_name": JOINED, "cgroup_driver": "systemd"}, {}),
    ({"client_name": None, "cgroup_driver": "cgroupfs"}, {}),
    ({"cgroups": 1}, {"kubelet": {"config": {"failCgroupV1": False}}}),
    ({"cgroups": 1}, {"version": "1.34.1"}),
    ({"kernel": "4.18.0"}, {"version": "1.31.0"}),
    ({"kernel": "5.10.0"}, {}),
    ({"swaps": ["/dev/sda2"]}, {"kubelet": {"config": {"failSwapOn": False}}}),
    ({"swaps": ["/dev/sda2"]}, {"os": {"swap": "off"}}),
    ({"swaps": ["/dev/sda2"]}, {"os": {"swap": False}}),
    ({"synchronised": None}, {}),
    (clock(-300), {}),
    (clock(300), {}),
    ({"api_server": GOOD["api_server"] | {"ahead": None}}, {}),
    ({"options": BUILT}, {}),
    ({"name_known": None}, {}),
    ({"root_dir": "/data/kubelet"}, {}),
    ({"client_name": JOINED, "root_dir": "/var/lib/kubelet"}, {}),
    (port(10250, "kubelet", "kubelet.service"), {}),
    (port(10256, "kube-proxy", "kube-proxy.service"), {}),
    (port(10255, "python3"), {}),
    (port(10250, "python3"), {"kubelet": {"config": {"port": 10260}}}),
    ({"client_name": JOINED}, {}),
    ({"units": ["containerd.service"]}, {}),
    ({"units": ["containerd.service", "docker.service"]}, DOCKER),
    ({"cni_files": ["10-flannel.conflist"]}, {"network": {"plugin": "flannel"}}),
    ({"cni_files": ["10-default.conf"]}, {}),
    ({"cni_files": ["10-flannel.conflist"], "network_before": "flannel"}, {}),
    ({}, {"network": {"mtu": 1480}}),
    ({}, {"network": {"mtu": 1500, "calico": {"encapsulation": "None"}}}),
    ({"resolvers": ["127.0.0.53"]}, {"kubelet": {"config": {"resolvConf": ""}}}),
    (route("172.20.4.0/24", "cni0"), {}),
    (route("172.20.4.0/26") | {"client_name": JOINED}, {}),
    (route("0.0.0.0/0", gateway=True), {}),
    (route("fd00::/64"), {}),
    ({"api_server": None}, {}),
]


@pytest.mark.parametrize(("machine", "change"), BORNE)
def test_what_the_node_bears_is_not_told(machine, change):
    assert told(change, **machine) == []


def test_a_port_that_another_of_our_units_has_is_told():
    [(severity, sentence)] = told(**port(10250, "kube-proxy", "kube-proxy.service"))
    assert (severity, sentence[:40]) == ("error", "ports: port 10250 is taken by kube-proxy")


def test_errors_come_first():
    found = told(memory_mib=100, synchronised=False, swaps=["/dev/sda2"], units=["ufw.service"])
    assert [severity for severity, _ in found] == ["error", "warning", "warning", "info"]


def test_what_the_pillar_accepts_is_an_info():
    change = {"preflight": {"accept": ["swap", "memory"]}}
    assert told(change, swaps=["/dev/sda2"], memory_mib=100) == [
        ("info", "memory: 100 MiB are little for a node, 1700 MiB are advised, the pillar accepts it"),
        (
            "info",
            "swap: swap is on (/dev/sda2), beside which the kubelet does not start, the pillar accepts it",
        ),
    ]


def test_a_finding_that_there_is_not_cannot_be_accepted():
    assert faults(pillar({"preflight": {"accept": ["swp"]}})) == [
        f"preflight.accept: 'swp' is not known, choose one of {', '.join(NAMES)}"
    ]


def test_every_finding_has_a_test():
    tested = {sentence.split()[1].removesuffix(":") for _, _, sentence in FOUND}
    assert tested == set(NAMES)


def test_every_finding_has_a_test_on_a_machine():
    tests = Path(ROOT, "tests/nodes/test_preflight.py").read_text()
    assert [name for name in NAMES if f"{name}: " not in tests and f'"{name}"' not in tests] == []


def test_every_finding_is_in_the_table():
    table = Path(ROOT, "docs/preflight.md").read_text()
    assert [name for name in NAMES if f"| `{name}` |" not in table] == []
