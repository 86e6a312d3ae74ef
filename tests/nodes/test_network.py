"""Real packets between two machines, and a network that is taken away beside a connection that stays open."""

from __future__ import annotations

import json
import re
import subprocess

import pytest
from lab import binaries, pods, waiting

from nodes.conftest import changed, highstate
from nodes.networks import ECHO, connection

SERVICE = "10.68.0.80"
# What a network would leave on a machine: calico, and flannel up to 0.14, whose rules bear no name.
LEFT = {
    "calico": """
mkdir -p /var/lib/calico && echo worker-1 >/var/lib/calico/nodename
echo '{"cniVersion": "0.3.1", "name": "k8s-pod-network", "plugins": []}' >/etc/cni/net.d/10-calico.conflist
ip link add cali0123456789a type veth peer name peer0
ip route add blackhole 172.20.9.0/26 proto 80
iptables -N cali-INPUT
iptables -A cali-INPUT -j RETURN
iptables -I INPUT -m comment --comment cali:Cz_u1IQiXIMmKD4c -j cali-INPUT
""",
    "flannel": """
mkdir -p /run/flannel && echo FLANNEL_MTU=1450 >/run/flannel/subnet.env
echo '{"cniVersion": "0.3.1", "name": "cbr0", "plugins": []}' >/etc/cni/net.d/10-flannel.conflist
ip link add flannel.1 type vxlan id 1 dev host0 dstport 8472
ip route add 172.20.9.0/24 via 10.77.0.1
iptables -t nat -A POSTROUTING -s 172.20.0.0/16 -d 172.20.0.0/16 -j RETURN
iptables -t nat -A POSTROUTING -s 172.20.0.0/16 ! -d 224.0.0.0/4 -j MASQUERADE --random-fully
iptables -t nat -A POSTROUTING ! -s 172.20.0.0/16 -d 172.20.9.0/24 -j RETURN
iptables -t nat -A POSTROUTING ! -s 172.20.0.0/16 -d 172.20.0.0/16 -j MASQUERADE --random-fully
iptables -A FORWARD -s 172.20.0.0/16 -j ACCEPT
iptables -A FORWARD -d 172.20.0.0/16 -j ACCEPT
""",
}
TRACES = re.compile(r"cali|flannel|172\.20\.9\.|172\.20\.0\.0/16")
# What is somebody else's.
MINE = """
ip route add blackhole 198.51.100.0/24 proto static
iptables -N MINE
iptables -A INPUT -j MINE
"""
AWAY = "iptables -D INPUT -j MINE; iptables -X MINE; ip route delete blackhole 198.51.100.0/24"


@pytest.fixture
def pair(lab):
    """Return a pod on each machine, on the default bridge."""
    pods.connect(lab.machines)
    found = [pods.add(machine, "pod") for machine in lab.machines]
    yield found
    for pod in found:
        pod.remove()
    pods.disconnect(lab.machines)


def test_pods_on_two_nodes_reach_each_other(pair):
    first, second = pair
    assert first.address.rpartition(".")[0] != second.address.rpartition(".")[0]
    assert first.reaches(second.address)
    assert second.reaches(first.address)


def test_a_pod_on_another_node_answers_at_a_services_address(lab, pair):
    if not binaries.real("kube-proxy"):
        pytest.skip("the double of kube-proxy lays down no rules")
    first, second = pair
    metadata = {"name": "echo", "namespace": "default"}
    port = {"name": "echo", "port": 80, "protocol": "TCP"}
    service = {"clusterIP": SERVICE, "ports": [{**port, "targetPort": ECHO}]}
    slice_ = {
        "metadata": {**metadata, "labels": {"kubernetes.io/service-name": "echo"}},
        "addressType": "IPv4",
        "endpoints": [{"addresses": [second.address]}],
        "ports": [{**port, "port": ECHO}],
    }
    kinds = {"Service": {"metadata": metadata, "spec": service}, "EndpointSlice": slice_}
    for kind, api_version in (("Service", "v1"), ("EndpointSlice", "discovery.k8s.io/v1")):
        lab.control_plane.apply(json.dumps({"apiVersion": api_version, "kind": kind, **kinds[kind]}))
    inside = ("ip", "netns", "exec", second.name)
    server = subprocess.Popen(second.machine.command(*inside, "socat", f"TCP-LISTEN:{ECHO},fork", "EXEC:cat"))
    try:
        command = ("sh", "-c", f"echo hello | socat -t5 - TCP:{SERVICE}:80,connect-timeout=2")
        waiting.until(lambda: first.run(*command, check=False) == "hello\n", "the service's answer", 60)
    finally:
        server.kill()
        server.wait()
        lab.control_plane.kubectl("delete", "service/echo", "endpointslice/echo")


@pytest.mark.parametrize("network", LEFT)
def test_what_a_network_left_is_taken_away_beside_an_open_connection(lab, network: str):
    machine = lab.machines[0]
    machine.run("sh", "-ec", f"{LEFT[network]}{MINE}echo {network} >/var/lib/kube_node/network")
    try:
        with connection(*lab.machines[:2]) as send:
            assert send("before") == "before"
            foretold = highstate(lab, machine.minion_id, "test=True")[machine.minion_id]
            done = highstate(lab, machine.minion_id)[machine.minion_id]
            assert changed(foretold) == changed(done) == {"no-other-network"}
            assert send("after") == "after"
        files = "ls /etc/cni/net.d; find /run/flannel -type f"
        look = f"ip -br link; ip route; iptables-save | grep -v KUBE; {files}"
        left = machine.run("sh", "-c", look, check=False).stdout
        assert TRACES.findall(left) == []
        assert all(word in left for word in ("-A INPUT -j MINE", "198.51.100.0/24", "10-default.conf"))
        assert changed(highstate(lab, machine.minion_id)[machine.minion_id]) == set()
    finally:
        machine.run("sh", "-c", AWAY, check=False)
