"""Flannel's own packets between two machines, by the manifest that the orchestration laid down; and all that
it left there taken away again. The tests build on one another, in this order.

flanneld and its CNI plugin come from the folder of KUBEBUILDER_ASSETS. They lie on the machines where an
image would hold them; all else is the DaemonSet's own (lab/daemonset.py): its pods, commands, arguments,
environment, mounts, capabilities, and its service account's rights.
"""

from __future__ import annotations

import ipaddress
import json
import os
import re
from pathlib import Path

import pytest
from lab import daemonset, host, pods
from lab.lab import Lab
from lab.machine import Machine

from nodes.conftest import await_ready, changed, highstate
from nodes.networks import connection, give, grant, orchestrate

ASSETS = Path(os.environ.get("KUBEBUILDER_ASSETS", "/nonexistent"))
PLACES = {"flanneld": "/opt/bin/flanneld", "flannel": "/flannel"}
DAEMON_SET = "apps/v1 DaemonSet kube-system/kube-flannel-ds"
FILES = ["/etc/cni/net.d/10-flannel.conflist", "/run/flannel/subnet.env"]
# What is somebody else's.
MINE = """
iptables -N MINE
iptables -A FORWARD -j MINE
ip route add blackhole 198.51.100.0/24 proto static
"""
# Of a backend its settings, and the way between the nodes.
BACKENDS = {
    "vxlan": ({"backend": "vxlan"}, "dev flannel.1"),
    "direct": ({"backend": "vxlan", "direct_routing": True}, "via {address}"),
    "wireguard": ({"backend": "wireguard"}, "dev flannel-wg"),
    "host-gw": ({"backend": "host-gw"}, "via {address}"),
}


@pytest.fixture(scope="module")
def lab():
    """Return a lab whose nodes have had their first highstate with flannel, which is not laid down yet."""
    if reason := host.unable():
        pytest.skip(reason)
    if lacking := [name for name in PLACES if not (ASSETS / name).is_file()]:
        pytest.skip(f"KUBEBUILDER_ASSETS has no {' and no '.join(lacking)}: flannel's packets are not tried")
    with Lab("flannel") as running:
        grant(running)
        give(running, "flannel")
        running.master.salt("*", "saltutil.refresh_pillar", "wait=True")  # status goes by what a minion has
        running.first_highstate = highstate(running)
        running.units = {}
        for machine in running.machines:
            for name, place in PLACES.items():
                daemonset.put(machine, ASSETS / name, place)
        yield running


def run_flannel(lab: Lab) -> None:
    """Have the DaemonSet's pods as they are now run on all machines, in place of those that do."""
    for machine in lab.machines:
        end_flannel(lab, machine)
        lab.units[machine.name] = daemonset.start(
            lab.control_plane, machine, "kube-system", "kube-flannel-ds"
        )


def end_flannel(lab: Lab, machine: Machine) -> None:
    if units := lab.units.pop(machine.name, None):
        daemonset.stop(machine, units)


def missing(lab: Lab) -> list[list[str]]:
    """Return what each node says is missing of its network."""
    return [told["network"]["missing"] for told in lab.master.salt("*", "kube_node.status").values()]


def pod_cidr(lab: Lab, machine: Machine) -> ipaddress.IPv4Network:
    output = "--output=jsonpath={.spec.podCIDR}"
    return ipaddress.ip_network(lab.control_plane.kubectl("get", "node", machine.minion_id, output))


def test_the_first_highstate_ends_with_what_flannel_is_to_bring(lab):
    for minion, states in lab.first_highstate.items():
        [state] = [state for state in states.values() if state["__id__"] == "node-ready"]
        assert state["comment"].startswith(
            f"{minion} is registered and lacks its network alone: {' and '.join(FILES)} are not there yet"
        )
    assert missing(lab) == [FILES, FILES]
    for screen in lab.master.salt("*", "kube_node.diagnosis").values():
        assert f"network       flannel: {', '.join(FILES)} not there;" in screen
        assert "no pod of the DaemonSet kube-flannel-ds is on this node" in " ".join(screen.split())


def test_flannel_is_laid_down_once(lab):
    foretold, made, again = orchestrate(lab, "test=True"), orchestrate(lab), orchestrate(lab)
    assert (foretold["result"], made["result"], again["result"]) == (None, True, True), made
    assert DAEMON_SET in made["changes"]
    assert set(foretold["changes"]) == set(made["changes"])
    assert again["changes"] == {}


def test_a_daemon_set_that_is_not_out_is_told_of_with_its_reason(lab):
    told = orchestrate(lab, wait_seconds=1)
    assert told["result"] is False
    assert "DaemonSet kube-system/kube-flannel-ds: 0 of 2 pods are ready; kube-flannel-ds-" in told["comment"]


def test_with_flannel_the_nodes_are_ready(lab):
    run_flannel(lab)
    for machine in lab.machines:
        await_ready(lab, machine)
    assert missing(lab) == [[], []]
    assert {minion: changed(states) for minion, states in highstate(lab).items()} == {
        machine.minion_id: set() for machine in lab.machines
    }


@pytest.mark.parametrize("name", BACKENDS)
def test_pods_reach_each_other_by_each_backend(lab, name: str):
    settings, way = BACKENDS[name]
    first, second = lab.machines
    if name == "wireguard" and first.run("modprobe", "wireguard", check=False).returncode:
        pytest.skip("the kernel has no module wireguard")
    give(lab, "flannel", flannel=settings)
    if orchestrate(lab)["changes"]:
        run_flannel(lab)
    highstate(lab)
    made = [pods.add(machine, "pod") for machine in lab.machines]
    try:
        for machine, pod in zip(lab.machines, made, strict=True):
            assert ipaddress.ip_address(pod.address) in pod_cidr(lab, machine)
        assert way.format(address=second.address) in first.run("ip", "route", "get", made[1].address).stdout
        largest = json.loads(made[0].run("ip", "-json", "link", "show", "eth0"))[0]["mtu"] - 28
        for pod, other in (made, reversed(made)):
            assert pod.reaches(other.address, "-M", "do", "-s", str(largest))
    finally:
        for pod in made:
            pod.remove()


def test_what_flannel_left_is_taken_away_beside_an_open_connection(lab):
    machine, other = lab.machines
    pod = pods.add(machine, "pod")
    machine.run("sh", "-ec", MINE)
    give(lab, "none")
    assert orchestrate(lab)["changes"][DAEMON_SET] == "removed"
    with connection(machine, other) as send:
        assert send("before") == "before"
        [still] = [one for one in run(lab, machine).values() if one["__id__"] == "no-other-network"]
        assert "flannel still runs on this machine" in still["comment"]
        assert still["changes"] == {}
        end_flannel(lab, machine)
        foretold, done = run(lab, machine, "test=True"), run(lab, machine)
        assert changed(foretold) == changed(done) >= {"no-other-network", "cni-default-network"}
        assert send("after") == "after"
    look = "find /etc/cni/net.d /run/flannel -type f; ip -br link; ip route; ip6tables-save; iptables-save"
    left = machine.run("sh", "-c", look).stdout
    traces = re.compile(r"flannel|cni0|^172\.20\.", re.IGNORECASE | re.MULTILINE)
    assert traces.findall(left) == []
    assert all(word in left for word in ("-A FORWARD -j MINE", "198.51.100.0/24", "10-default.conf"))
    assert changed(run(lab, machine)) == set()
    pod.remove()
    await_ready(lab, machine)


def run(lab: Lab, machine: Machine, *arguments: str) -> dict[str, dict]:
    """Run one machine's highstate; return its states."""
    return highstate(lab, machine.minion_id, *arguments)[machine.minion_id]
