"""The preflight on a machine that really has the fault: told in words, and nothing of the machine is changed.

What all machines of the lab share with the one below cannot be another for one of them, and is shown to one
run of Salt alone. An old kernel or another processor is what uname(2) says to a process of that personality
(setarch); memory, the kernel's configuration and the operating system's name are a file over theirs, as a
container's host (lxcfs) lays it; cgroup v2 is mounted over v1. As no machine has a clock of its own, the API
server's is wrong in its place. Swap is real, a file of the test's own, where there is no other.
"""

from __future__ import annotations

import ctypes
import json
import platform
import re
import shlex
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml
from lab import cgroups
from lab.machine import Machine

from nodes.conftest import changed, highstate, invocations
from nodes.test_bad_pillar import _listing

FORMULA = Path(__file__).parents[2]
OTHER_CA = (FORMULA / "tests/unit/ca.crt").read_text()
NOT_JOINED = {"kubelet": "/var/lib/other", "kubernetes": "/etc/other"}
LISTEN = "import socket; s = socket.create_server(('', 10300)); s.accept()"


@pytest.fixture
def machine(lab) -> Machine:
    """Return the machine that is disturbed here, the second."""
    return lab.machines[1]


@pytest.fixture(autouse=True)
def untouched(machine):
    """Fail a test that leaves a service restarted, or a file that the formula keeps another."""
    before = invocations(machine), _listing(machine)
    yield
    assert (invocations(machine), _listing(machine)) == before


@contextmanager
def with_unit(machine: Machine, name: str, *command: str):
    """Have a service of that name run, in place of one that a package may have brought."""
    path = f"/run/systemd/system/{name}.service"
    start = f"systemctl daemon-reload && systemctl start {name}"
    unit = f"[Service]\nExecStart={shlex.join(command)}\n"
    machine.run("sh", "-c", f"cat >{path} && {start}", input=unit)
    try:
        yield
    finally:
        machine.run("sh", "-c", f"systemctl stop {name}; rm {path}; systemctl daemon-reload")


@contextmanager
def with_file(machine: Machine, path: str, text: str = ""):
    """Have a file lie there."""
    machine.run("sh", "-c", f"mkdir -p $(dirname {path}) && cat > {path}", input=text)
    try:
        yield
    finally:
        machine.run("rm", path)


def findings(lab, machine: Machine, **pillar: object) -> list[str]:
    """Return what is found, a line each: severity, name, what and the way out."""
    answer = lab.master.salt(machine.minion_id, "state.apply", "kube_node.preflight", *given(pillar))
    return read(answer[machine.minion_id])


def shown(machine: Machine, what: str, *personality: str, **pillar: object) -> list[str]:
    """Return what is found by a run of Salt that alone sees what a script of the shell does to the mounts."""
    salt = [*personality, "salt-call", "--out=json", "state.apply", "kube_node.preflight", *given(pillar)]
    done = machine.run("unshare", "--mount", "sh", "-c", f'{what} && exec "$@"', "sh", *salt, check=False)
    return read(json.loads(done.stdout)["local"])


def given(pillar: dict) -> list[str]:
    return [f"pillar={json.dumps({'kube_node': pillar})}"] if pillar else []


def read(answer: dict) -> list[str]:
    [state] = answer.values()
    assert state["changes"] == {}
    head, *lines = state["comment"].splitlines()
    assert (state["result"], head) in ((True, "Nothing stands in the way"), (False, "Nothing was touched:"))
    return [line for line in lines if "resolv_conf: /etc/resolv.conf is not there" not in line]


def test_on_a_node_that_is_well_nothing_is_found(lab, machine):
    assert findings(lab, machine) == []


def test_a_taken_port_is_told_with_who_has_it(lab, machine):
    with with_unit(machine, "squatter", "python3", "-c", LISTEN):
        machine.run("sh", "-c", "until ss -ltn | grep -q :10300; do :; done")
        found = findings(lab, machine, kubelet={"config": {"healthzPort": 10300}})
    assert found == [
        "ports: port 10300 is taken by python3 of squatter.service, "
        "stop that, or choose another kubelet.config.healthzPort"
    ]


@pytest.mark.parametrize(
    ("pillar", "sentence"),
    [
        ({"network": {"mtu": 9001}}, "mtu: network.mtu 9001 does not fit through "),
        (
            {
                "network": {"plugin": "calico"},
                "kube_proxy": {"config": {"iptables": {"masqueradeAll": True}}},
            },
            "warning: masquerade: kube_proxy.config.iptables.masqueradeAll hides from calico's policies ",
        ),
    ],
)
def test_what_does_not_fit_the_network_is_told(lab, machine, pillar: dict, sentence: str):
    assert [line for line in findings(lab, machine, **pillar) if line.startswith(sentence)]


@pytest.mark.parametrize(
    ("unit", "sentence"),
    [
        ("docker", "foreign_runtime: docker runs, and containerd is to be the runtime, "),
        ("crio", "foreign_runtime: cri-o runs, and containerd is to be the runtime, "),
        ("k3s-agent", "foreign_kubelet: k3s-agent.service runs a kubelet of its own, "),
        ("ufw", "warning: firewall: ufw.service is active, let it pass 10250/tcp, "),
    ],
)
def test_a_program_that_is_not_ours_is_told(lab, machine, unit: str, sentence: str):
    with with_unit(machine, unit, "sleep", "600"):
        [found] = findings(lab, machine)
    assert found.startswith(sentence)


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        (
            "/etc/cni/net.d/zz-foreign.conflist",
            "foreign_cni: /etc/cni/net.d/zz-foreign.conflist is a network that is not that of "
            "network.plugin none, move it away, or choose another paths.cni_config",
        ),
        (
            "/usr/lib/systemd/system/kubelet.service.d/10-kubeadm.conf",
            "foreign_kubelet: /usr/lib/systemd/system/kubelet.service.d/10-kubeadm.conf changes the command "
            "of our kubelet, remove the file",
        ),
    ],
)
def test_a_file_that_is_not_ours_is_told(lab, machine, path: str, sentence: str):
    with with_file(machine, path):
        assert findings(lab, machine) == [sentence]


def test_an_address_of_another_machine_is_told(lab, machine):
    [found] = findings(lab, machine, node={"addresses": ["10.77.0.99"]})
    assert found.startswith("addresses: 10.77.0.99 is on no interface of this machine")


def test_another_name_for_a_joined_node_is_told(lab, machine):
    [found] = findings(lab, machine, node={"name": "worker-7"})
    assert found == (
        "node_name: the node is to be worker-7, and its client certificate is that of worker-2, set "
        "node.name to worker-2, or delete that Node and here /var/lib/kubelet/pki and "
        "/etc/kubernetes/kubelet.kubeconfig"
    )


def test_another_cgroup_driver_for_a_joined_node_is_told(lab, machine):
    [found] = findings(lab, machine, runtime={"cgroup_driver": "cgroupfs"})
    assert found.startswith("cgroup_driver: the node has joined with the driver systemd, ")


def test_an_api_server_that_is_not_there_is_told(lab, machine):
    nowhere = {"api_server": "https://10.77.0.1:1"}
    sentence = "api_server: https://10.77.0.1:1 cannot be reached (Connection refused), "
    [found] = findings(lab, machine, cluster=nowhere, paths=NOT_JOINED)
    assert found.startswith(sentence)
    [found] = findings(lab, machine, cluster=nowhere)
    assert found.startswith(f"warning: {sentence}")


def test_an_api_server_of_another_authority_is_told(lab, machine):
    [found] = findings(lab, machine, cluster={"ca": OTHER_CA})
    assert found.startswith("api_server_certificate: https://10.77.0.1:")


def test_a_route_into_the_pods_network_is_told(lab, machine):
    machine.run("ip", "route", "add", "172.16.0.0/12", "dev", "host0")
    try:
        [found] = findings(lab, machine)
    finally:
        machine.run("ip", "route", "del", "172.16.0.0/12", "dev", "host0")
    assert found == (
        "routes: cluster.pod_cidr 172.20.0.0/16 overlaps the route to 172.16.0.0/12 by host0, "
        "choose a network that nobody else has"
    )


def test_a_resolver_that_pods_would_ask_themselves_is_told(lab, machine):
    with with_file(machine, "/root/loop.conf", "nameserver 127.0.0.53\n"):
        [found] = findings(lab, machine, kubelet={"config": {"resolvConf": "/root/loop.conf"}})
    assert found.startswith("resolv_conf: /root/loop.conf names 127.0.0.53")


def test_a_full_disk_is_told(lab, machine):
    machine.run("sh", "-c", "mkdir /root/small && mount -t tmpfs -o size=100m tmpfs /root/small")
    try:
        [found] = findings(lab, machine, paths=NOT_JOINED | {"kubelet": "/root/small/kubelet"})
    finally:
        machine.run("sh", "-c", "umount /root/small && rmdir /root/small")
    assert found == "disk: /root/small/kubelet has 100 MiB free (100 %), make room for 1024 MiB at least"


def test_cgroup_v1_is_told(lab, machine):
    if not cgroups.is_v1():
        pytest.skip("this machine has cgroup v2, and its containers with it")
    [found] = findings(lab, machine, kubelet={"config": {"failCgroupV1": True}})
    assert found.startswith(
        "cgroup_v1: the machine has cgroup v1, on which the kubelet 1.36.2 does not start"
    )


# A file of the machine's, changed by sed and laid over it.
CHANGED = "cp {file} /tmp/shown && sed -i '{change}' /tmp/shown && mount --bind /tmp/shown {file}"
IPVS = {"config": {"mode": "ipvs"}}


@pytest.mark.parametrize(
    ("personality", "sentence"),
    [
        ((), "architecture: the processor is x86_64, not arm64, leave node.architecture out or write amd64"),
        (
            ("setarch", "i386"),
            "architecture: Kubernetes has no programs for i686, take a machine ",
        ),
    ],
)
def test_another_processor_is_told(machine, personality: tuple[str, ...], sentence: str):
    if platform.machine() != "x86_64":
        pytest.skip(f"the machines here are {platform.machine()}")
    [found] = shown(machine, "true", *personality, node={"architecture": "arm64"})
    assert found.startswith(sentence)


def test_an_operating_system_that_is_not_known_is_told(machine):
    other = CHANGED.format(file="/etc/os-release", change="s/^ID=.*/ID=arch/; s/^NAME=.*/NAME=Arch/")
    containerd = {"containerd": {"package": "containerd", "version": "1.6.20"}}
    [found] = shown(machine, other, os={"packages": []}, runtime=containerd)
    assert found.startswith("warning: os_family: Arch is none of Debian, RedHat, Suse")


def test_an_old_kernel_is_told(machine):
    nftables = {"config": {"mode": "nftables"}}
    found = shown(machine, "true", "setarch", platform.machine(), "--uname-2.6", kube_proxy=nftables)
    assert [line.partition(" 2.6.")[0] for line in found] == [
        "kernel: the kernel is",
        "proxy_kernel: the kernel is",
    ]


def test_a_kernel_without_the_modules_of_a_mode_is_told(machine):
    if "CONFIG_IP_VS=" in kernel_configuration(machine):
        pytest.skip("this kernel has ip_vs")
    [found] = shown(machine, "true", kube_proxy=IPVS)
    assert found.startswith("kernel_modules: this kernel was built without ip_vs, ip_vs_rr, ")


def test_a_kernel_without_a_network_plugins_tunnel_is_told(machine):
    if "CONFIG_NET_IPIP=" in kernel_configuration(machine):
        pytest.skip("this kernel has NET_IPIP")
    [found] = shown(machine, "true", network={"plugin": "calico"})
    assert found.startswith("warning: kernel_config: the kernel was built without NET_IPIP")


def test_a_kernel_without_what_containers_need_is_told(machine):
    if not kernel_configuration(machine):
        pytest.skip("this kernel does not tell its configuration in /proc")
    less = "zcat /proc/config.gz | grep -v CONFIG_MEMCG= | gzip >/tmp/shown"
    [found] = shown(machine, f"{less} && mount --bind /tmp/shown /proc/config.gz")
    assert found == "kernel_config: the kernel was built without MEMCG, boot a kernel of the distribution"


def kernel_configuration(machine: Machine) -> str:
    return machine.run("zcat", "/proc/config.gz", check=False).stdout


def test_little_memory_is_told(machine):
    little = CHANGED.format(file="/proc/meminfo", change="s/^MemTotal:.*/MemTotal: 1048576 kB/")
    [found] = shown(machine, little)
    assert found.startswith("warning: memory: 1024 MiB are little for a node, 1700 MiB are advised")


def test_cgroup_v2_alone_before_1_25_is_told(lab, machine):
    file = lab.master.pillar / f"{machine.minion_id}.sls"
    original = file.read_text()
    pillar = yaml.safe_load(original)
    pillar["kube_node"] |= {"version": "1.24.0", "kubelet": {"config": {"failSwapOn": False}}}
    file.write_text(yaml.safe_dump(pillar))
    try:
        [found] = shown(machine, "mount -t cgroup2 none /sys/fs/cgroup")
    finally:
        file.write_text(original)
    assert found.startswith("warning: cgroup_v2: the machine has cgroup v2 alone")


@pytest.mark.parametrize(
    ("seconds", "sentence"),
    [
        (3600, r"clock: the clock is 3[56]\d\d s behind the API server's, "),
        (-3600, r"warning: clock: the clock is 3[56]\d\d s ahead of the API server's, "),
    ],
)
def test_a_clock_that_is_not_the_api_servers_is_told(lab, machine, seconds: int, sentence: str):
    if lab.control_plane.flavour != "double":
        pytest.skip("the real API server has this machine's clock")
    fault = {"action": "clock", "seconds": seconds, "path": "^/$"}
    lab.control_plane.kubectl("create", "--raw=/lab/faults", "--filename=-", input=json.dumps(fault))
    try:
        [found] = findings(lab, machine)
    finally:
        lab.control_plane.kubectl("delete", "--raw=/lab/faults")
    assert re.match(sentence, found)


def test_a_clock_that_nothing_corrects_is_an_info(machine):
    if ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(512)) != 5:
        pytest.skip("this machine's clock is corrected")
    said = json.loads(machine.run("salt-call", "--out=json", "kube_node.preflight").stdout)["local"]
    assert ("clock_unsynchronised", "info") in {(one["name"], one["severity"]) for one in said}


def test_swap_is_told(lab, machine):
    if len(Path("/proc/swaps").read_text().splitlines()) > 1:
        pytest.skip("this machine swaps")
    file = "/var/lib/containerd/swap"
    make = f"dd if=/dev/zero of={file} bs=1M count=8 status=none && chmod 600 {file} && mkswap -q {file}"
    machine.run("sh", "-c", f"{make} && swapon {file}")
    try:
        [found] = findings(lab, machine, kubelet={"config": {"failSwapOn": True}})
        assert found.startswith(f"swap: swap is on ({file}), beside which the kubelet does not start")
        assert findings(lab, machine, kubelet={"config": {"failSwapOn": True}}, os={"swap": "off"}) == []
    finally:
        machine.run("sh", "-c", f"swapoff {file}; rm {file}")


def test_a_name_that_nobody_knows_is_told_until_the_node_has_joined(machine):
    impatient = "nameserver 10.77.0.254\\noptions timeout:1 attempts:1\\n"
    asked = f"printf '{impatient}' >/tmp/asked && mount --bind /tmp/asked /etc/resolv.conf"
    hidden = f"{asked} && {CHANGED.format(file='/etc/hosts', change='/worker-2/d')}"
    [found] = shown(machine, hidden, paths=NOT_JOINED)
    assert found == (
        "warning: node_name_unknown: worker-2 resolves to no address, name it in DNS or /etc/hosts"
    )
    assert shown(machine, hidden) == []


def test_another_folder_for_a_joined_node_is_told(lab, machine):
    [found] = findings(lab, machine, paths={"kubelet": "/data/kubelet"}, node={"name": "worker-2"})
    assert found.startswith(
        "root_dir: the kubelet's folder is to be /data/kubelet, and this node has joined with "
        "/var/lib/kubelet, set paths.kubelet to /var/lib/kubelet, "
    )


def test_what_is_accepted_stands_in_nobodys_way(lab, machine):
    with with_file(machine, "/etc/cni/net.d/zz-foreign.conflist"):
        assert findings(lab, machine, preflight={"accept": ["foreign_cni"]}) == []


def test_an_error_stops_the_highstate_before_anything_is_touched(lab, machine):
    """A test run goes on to tell what else would be done, and tells the error all the same."""
    pillar = {"kube_node": {"kubelet": {"config": {"maxPods": 7}}, "node": {"addresses": ["10.77.0.99"]}}}
    run = (machine.minion_id, "state.highstate", f"pillar={json.dumps(pillar)}")
    [stopped] = lab.master.salt(*run)[machine.minion_id].values()
    assert (stopped["__id__"], stopped["result"], stopped["changes"]) == ("preflight-passed", False, {})
    assert "addresses: 10.77.0.99 is on no interface" in stopped["comment"]
    tested = lab.master.salt(*run, "test=True")[machine.minion_id].values()
    [failed] = [state for state in tested if state["result"] is False]
    assert failed["comment"] == stopped["comment"]


def test_all_findings_are_data_on_the_machine_itself(machine):
    said = json.loads(machine.run("salt-call", "--out=json", "kube_node.preflight").stdout)["local"]
    assert {"error", "warning"} & {one["severity"] for one in said} <= {"warning"}
    assert all(set(one) == {"name", "severity", "found", "fix"} for one in said)


def test_a_second_run_changes_nothing(lab, machine):
    states = highstate(lab, machine.minion_id)[machine.minion_id]
    assert changed(states) == set()
