"""What in the pillar's network contradicts itself is told by its key, with the way out."""

from __future__ import annotations

import kube_node_network as network
import pytest

from unit.nodes import compiled, faults, pillar

CALICO = {"network": {"plugin": "calico"}}


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"cluster": {"pod_cidr": "172.20.0.0/27"}}, "cluster.pod_cidr"),
        ({"cluster": {"pod_cidr": "172.20.0.0/25"}, "network": {"plugin": "flannel"}}, "cluster.pod_cidr"),
        ({"network": {"plugin": "none", "pod_subnet": "172.20.1.0/30"}}, "network.pod_subnet"),
        ({"network": {"mtu": 100}}, "network.mtu"),
        ({"network": {"registry": "https://mirror.example.org"}}, "network.registry"),
        (
            {"network": {"plugin": "flannel", "flannel": {"backend": "host-gw", "direct_routing": True}}},
            "network.flannel.direct_routing",
        ),
        ({"network": {"plugin": "flannel", "flannel": {"backend": "udp"}}}, "network.flannel.backend"),
        (
            {"version": "1.18.20", "network": {"plugin": "flannel", "flannel": {"backend": "wireguard"}}},
            "network.flannel.backend",
        ),
        ({"network": {"calico": {"bgp": False}}}, "network.calico.bgp"),
        ({"network": {"calico": {"encapsulation": "ipip"}}}, "network.calico.encapsulation"),
        ({"network": {"calico": {"datastore": "etcd"}}}, "network.calico.etcd_endpoints"),
        (
            {"network": {"calico": {"etcd_endpoints": ["https://10.0.0.11:2379"]}}},
            "network.calico.etcd_endpoints",
        ),
        (
            {"network": {"calico": {"manifest": {"source": "salt://calico.yaml"}}}},
            "network.calico.manifest.sha256",
        ),
        ({"network": {"calico": {"ip_autodetection": "eth0"}}}, "network.calico.ip_autodetection"),
        ({"network": {"calico": {"node_port_ranges": ["32767:30000"]}}}, "network.calico.node_port_ranges"),
    ],
)
def test_a_contradiction_is_told_by_its_key(change, key: str):
    assert [fault.partition(": ")[0] for fault in faults(pillar(change))] == [key]


def test_wireguard_on_an_older_cluster_goes_with_an_image_of_ones_own():
    flannel = {"backend": "wireguard", "image": "registry.example.org/flannel:v0.28.9"}
    assert faults(pillar({"version": "1.18.20", "network": {"plugin": "flannel", "flannel": flannel}})) == []


@pytest.mark.parametrize(
    ("change", "keys"),
    [
        ({}, []),
        ({"network": {"plugin": "calico"}}, []),  # as it is by default
        ({"network": {"pod_subnet": "172.20.7.0/24"}}, []),  # each node's own
        ({"network": {"mtu": 1400}}, ["network.mtu"]),
        (
            {"cluster": {"pod_cidr": "172.21.0.0/16"}, "network": {"flannel": {"backend": "host-gw"}}},
            ["cluster.pod_cidr", "network.flannel.backend"],
        ),
    ],
)
def test_nodes_of_one_cluster_say_the_same_of_its_network(change, keys: list[str]):
    assert network.differing(compiled({}), compiled(change)) == keys


@pytest.mark.parametrize(
    ("change", "same"),
    [
        ({"network": {"pod_subnet": "172.20.7.0/24"}}, True),
        ({"node": {"labels": {"a": "b"}}}, True),
        ({"network": {"mtu": 1400}}, False),
        ({"cluster": {"pod_cidr": "172.21.0.0/16"}}, False),
        ({"profile": "kubeasz-1.1"}, False),
    ],
)
def test_pillars_that_say_the_same_of_the_network_are_known_by_a_digest(change, same: bool):
    assert (network.digest(pillar(change)) == network.digest(pillar())) is same
