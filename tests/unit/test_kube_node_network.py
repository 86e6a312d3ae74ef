"""What in the pillar's network contradicts itself is told by its key, with the way out."""

from __future__ import annotations

import pytest

from unit.nodes import faults, pillar

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
