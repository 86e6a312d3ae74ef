"""The preflight on a machine that really has the fault: told in words, and nothing of the machine is changed.

Swap and the kernel are of the machine below, which no test may touch: these are in the unit tests alone.
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from pathlib import Path

import pytest
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
    """Have a service of that name run."""
    machine.run("systemd-run", f"--unit={name}", "--quiet", *command)
    try:
        yield
    finally:
        machine.run("systemctl", "stop", name)


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
    arguments = [f"pillar={json.dumps({'kube_node': pillar})}"] if pillar else []
    answer = lab.master.salt(machine.minion_id, "state.apply", "kube_node.preflight", *arguments)
    [state] = answer[machine.minion_id].values()
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
        [found] = findings(lab, machine, paths={"kubelet": "/root/small/kubelet"}, node={"name": "worker-2"})
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


def test_what_is_accepted_stands_in_nobodys_way(lab, machine):
    with with_file(machine, "/etc/cni/net.d/zz-foreign.conflist"):
        assert findings(lab, machine, preflight={"accept": ["foreign_cni"]}) == []


def test_an_error_stops_the_highstate_before_anything_is_touched(lab, machine):
    """A test run goes on to tell what else would be done, and tells the error all the same."""
    pillar = {"kube_node": {"kubelet": {"config": {"maxPods": 7}}, "node": {"addresses": ["10.77.0.99"]}}}
    run = (machine.minion_id, "state.highstate", f"pillar={json.dumps(pillar)}")
    [stopped] = lab.master.salt(*run, timeout=120)[machine.minion_id].values()
    assert (stopped["__id__"], stopped["result"], stopped["changes"]) == ("preflight-passed", False, {})
    assert "addresses: 10.77.0.99 is on no interface" in stopped["comment"]
    tested = lab.master.salt(*run, "test=True", timeout=120)[machine.minion_id].values()
    [failed] = [state for state in tested if state["result"] is False]
    assert failed["comment"] == stopped["comment"]


def test_all_findings_are_data_on_the_machine_itself(machine):
    said = json.loads(machine.run("salt-call", "--out=json", "kube_node.preflight").stdout)["local"]
    assert {"error", "warning"} & {one["severity"] for one in said} <= {"warning"}
    assert all(set(one) == {"name", "severity", "found", "fix"} for one in said)


def test_a_second_run_changes_nothing(lab, machine):
    states = highstate(lab, machine.minion_id)[machine.minion_id]
    assert changed(states) == set()
