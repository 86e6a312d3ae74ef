"""What the cluster's network is asked to be: flannel's manifest by API generation, calico's, the operator's.

`KUBE_NODE_GOLDEN=write pytest tests/unit/test_network_manifests.py` writes the golden manifests anew.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import kube_node_calico as of_calico
import kube_node_flannel as of_flannel
import kube_node_manifest as manifest
import pytest

from unit import manifests

GOLDEN = Path(__file__).with_name("golden_network")
CHANGED = {
    "encapsulation": "VXLANCrossSubnet",
    "bgp": False,
    "log_level": "Warning",
    "node_port_ranges": ["30000:32767"],
}


def changed(network: dict[str, Any] | None = None, found: list | None = None) -> dict[str, Any]:
    """Return calico's objects by kind and name, changed to a pillar."""
    tree = manifests.node(plugin="calico", **(network or {}))
    objects, _ = of_calico.objects(tree, found or manifests.calico(), "calico.yaml")
    return {f"{one['kind']} {one['metadata']['name']}": one for one in objects}


def container(objects: dict[str, Any]) -> dict[str, Any]:
    return objects["DaemonSet calico-node"]["spec"]["template"]["spec"]["containers"][0]


def environment(objects: dict[str, Any]) -> dict[str, str]:
    return {one["name"]: one["value"] for one in container(objects)["env"] if "value" in one}


def backend(objects: list[manifest.Object]) -> dict[str, Any]:
    config = manifest.find(objects, "ConfigMap", "kube-flannel-cfg", "test")
    return json.loads(config["data"]["net-conf.json"])["Backend"]


def arguments(objects: list[manifest.Object]) -> list[str]:
    pod = manifest.find(objects, "DaemonSet", "kube-flannel-ds", "test")["spec"]["template"]["spec"]
    return pod["containers"][0]["args"]


GOLDENS = {
    "flannel-1.9.yaml": lambda: manifests.of_flannel("1.9.11"),
    "flannel-1.37.yaml": lambda: manifests.of_flannel("1.37.0"),
    "calico.yaml": lambda: [
        *changed({"calico": CHANGED, "mtu": 1400, "registry": "mirror.example.org/k8s"}).values()
    ],
    "operator.yaml": lambda: [
        of_calico.installation(manifests.node(plugin="calico", mtu=1400, registry="mirror.example.org"))
    ],
}


@pytest.mark.parametrize("name", GOLDENS)
def test_a_manifest_is_the_golden_one(name: str):
    found = manifest.text(manifest.marked(GOLDENS[name]()))
    if os.environ.get("KUBE_NODE_GOLDEN") == "write":
        GOLDEN.mkdir(exist_ok=True)
        (GOLDEN / name).write_text(found)
    assert found == (GOLDEN / name).read_text()


@pytest.mark.parametrize(
    ("network", "wanted"),
    [
        ({}, {"Type": "vxlan"}),
        ({"flannel": {"direct_routing": True}}, {"Type": "vxlan", "DirectRouting": True}),
        ({"flannel": {"backend": "host-gw"}}, {"Type": "host-gw"}),
        ({"flannel": {"backend": "wireguard"}}, {"Type": "wireguard"}),
    ],
)
def test_flannel_has_the_backend_of_the_pillar(network, wanted):
    assert backend(manifests.of_flannel(network=network)) == wanted


def test_flannel_takes_the_interface_that_reaches_the_api_server():
    assert "--iface-can-reach=10.0.0.10" in arguments(manifests.of_flannel())


@pytest.mark.parametrize(
    ("version", "network", "wanted"),
    [
        ("1.36.2", {"flannel": {"interface": "eth1"}}, ["--iface=eth1"]),
        ("1.18.20", {}, []),  # its flannel has no such flag
    ],
)
def test_flannels_interface_may_be_another(version: str, network, wanted):
    found = arguments(manifests.of_flannel(version, network))
    assert [one for one in found if one.startswith("--iface")] == wanted


def test_another_setting_starts_flannel_anew():
    pods = [
        manifest.find(manifests.of_flannel(network=network), "DaemonSet", "kube-flannel-ds", "test")["spec"][
            "template"
        ]
        for network in ({}, {"mtu": 1400})
    ]
    assert pods[0]["metadata"]["annotations"] != pods[1]["metadata"]["annotations"]


@pytest.mark.parametrize(
    ("given", "registry", "images", "wanted"),
    [
        ("quay.io/calico/node:v3", None, {}, "quay.io/calico/node:v3"),
        ("quay.io/calico/node:v3", "mirror.example.org/k8s", {}, "mirror.example.org/k8s/calico/node:v3"),
        ("calico/node:v3", "mirror.example.org", {}, "mirror.example.org/calico/node:v3"),
        (
            "host:5000/calico/node@sha256:0",
            "mirror.example.org",
            {},
            "mirror.example.org/calico/node@sha256:0",
        ),
        ("calico/node:v3", "mirror.example.org", {"node": "other.example.org/n:1"}, "other.example.org/n:1"),
    ],
)
def test_images_may_come_from_elsewhere(given, registry, images, wanted):
    assert manifest.image(given, registry, images) == wanted


@pytest.mark.parametrize(
    ("encapsulation", "ipip", "vxlan"),
    [
        ("IPIP", "Always", "Never"),
        ("IPIPCrossSubnet", "CrossSubnet", "Never"),
        ("VXLAN", "Never", "Always"),
        ("VXLANCrossSubnet", "Never", "CrossSubnet"),
        ("None", "Never", "Never"),
    ],
)
def test_calicos_pool_has_the_encapsulation_of_the_pillar(encapsulation: str, ipip: str, vxlan: str):
    found = environment(changed({"calico": {"encapsulation": encapsulation}}))
    assert (found["CALICO_IPV4POOL_IPIP"], found["CALICO_IPV4POOL_VXLAN"]) == (ipip, vxlan)


def test_calicos_pool_is_the_network_of_the_pods():
    assert environment(changed())["CALICO_IPV4POOL_CIDR"] == "172.20.0.0/16"


def test_calico_takes_the_address_that_reaches_the_api_server():
    assert environment(changed())["IP_AUTODETECTION_METHOD"] == "can-reach=10.0.0.10"


def test_calico_without_bgp_neither_runs_bird_nor_waits_for_it():
    found = changed({"calico": CHANGED})
    assert found["ConfigMap calico-config"]["data"]["calico_backend"] == "vxlan"
    probes = [container(found)[name]["exec"]["command"] for name in ("livenessProbe", "readinessProbe")]
    assert probes == [["/bin/calico-node", "-felix-live"], ["/bin/calico-node", "-felix-ready"]]


def test_calicos_folders_are_the_nodes():
    tree = manifests.node(plugin="calico")
    tree["paths"] |= {"cni_bin": "/opt/kube/bin", "cni_config": "/etc/cni/other"}
    objects, _ = of_calico.objects(tree, manifests.calico(), "calico.yaml")
    pod = manifest.find(objects, "DaemonSet", "calico-node", "")["spec"]["template"]["spec"]
    paths = {one["name"]: one["hostPath"]["path"] for one in pod["volumes"]}
    assert paths == {"cni-bin-dir": "/opt/kube/bin", "cni-net-dir": "/etc/cni/other"}


def with_etcd() -> list[manifest.Object]:
    """Return calico's manifest for etcd."""
    found = manifests.calico()
    data = manifest.find(found, "ConfigMap", "calico-config", "")["data"]
    data |= {"etcd_endpoints": "http://<ETCD_IP>:<ETCD_PORT>", "etcd_ca": "", "etcd_cert": "", "etcd_key": ""}
    metadata = {"name": "calico-etcd-secrets", "namespace": "kube-system"}
    return [*found, {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": None}]


def test_calico_with_etcd_reads_the_operators_own_secret():
    network = {
        "calico": {
            "datastore": "etcd",
            "etcd_endpoints": ["https://10.0.0.11:2379", "https://10.0.0.12:2379"],
        }
    }
    found = changed(network, with_etcd())
    data = found["ConfigMap calico-config"]["data"]
    assert data["etcd_endpoints"] == "https://10.0.0.11:2379,https://10.0.0.12:2379"
    assert data["etcd_key"] == "/calico-secrets/etcd-key"
    assert "Secret calico-etcd-secrets" not in found


def without(kind: str, name: str) -> list[manifest.Object]:
    return [one for one in manifests.calico() if (one["kind"], one["metadata"]["name"]) != (kind, name)]


def lacking(change) -> list[manifest.Object]:
    """Return a manifest after something was taken out of its DaemonSet or its ConfigMap."""
    found = manifests.calico()
    change(
        manifest.find(found, "DaemonSet", "calico-node", "")["spec"]["template"]["spec"],
        manifest.find(found, "ConfigMap", "calico-config", "")["data"],
    )
    return found


@pytest.mark.parametrize(
    ("found", "fault"),
    [
        (without("DaemonSet", "calico-node"), "calico.yaml has no DaemonSet calico-node"),
        (without("ConfigMap", "calico-config"), "calico.yaml has no ConfigMap calico-config"),
        (
            lacking(lambda pod, _: pod["containers"][0].update(name="other")),
            "the DaemonSet calico-node of calico.yaml has no container calico-node",
        ),
        (
            lacking(lambda pod, _: pod["containers"][0]["env"].pop()),
            "calico-node of calico.yaml has no variable CALICO_IPV4POOL_VXLAN",
        ),
        (
            lacking(lambda pod, _: pod["volumes"].pop()),
            "the DaemonSet calico-node of calico.yaml has no volume",
        ),
        (
            lacking(lambda _, data: data.pop("calico_backend")),
            "ConfigMap calico-config of calico.yaml has no",
        ),
        (with_etcd(), "calico.yaml is for the datastore etcd"),
    ],
)
def test_a_manifest_that_lacks_something_is_refused_with_its_name(found, fault: str):
    with pytest.raises(manifest.ManifestError, match=f"^{fault}"):
        changed(found=found)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("a: [", "it is not YAML"),
        ("- a", "it is not a manifest"),
        ("kind: Pod", "it is not a manifest"),
        ("kind: Pod\napiVersion: v1\nmetadata: {name: 1}", "it is not a manifest"),
    ],
)
def test_what_is_no_manifest_is_refused(text: str, fault: str):
    with pytest.raises(manifest.ManifestError) as raised:
        manifest.parse(text, "it")
    assert fault.split()[-1] in str(raised.value)


def test_what_only_calicos_own_manifest_has_is_refused_with_the_operators():
    with pytest.raises(manifest.ManifestError, match=r"^network\.calico\.log_level: "):
        of_calico.installation(manifests.node(plugin="calico", calico={"log_level": "Debug"}))


def test_the_operators_manifest_is_known_by_its_deployment():
    objects, workloads = of_calico.objects(manifests.node(plugin="calico"), manifests.operator(), "it")
    assert objects[-1]["kind"] == "Installation"
    assert ("DaemonSet", "calico-system", "calico-node") in workloads


@pytest.mark.parametrize(
    ("spec", "faults"),
    [
        ({"podCIDR": "172.20.1.0/24"}, 0),
        ({}, 1),
        ({"podCIDR": "10.244.1.0/24"}, 1),
    ],
)
def test_each_node_must_have_its_part_of_the_pods_network(spec, faults: int):
    found = of_flannel.subnet_faults([{"metadata": {"name": "worker-1"}, "spec": spec}], "172.20.0.0/16")
    assert len(found) == faults
    assert all("--allocate-node-cidrs=true --cluster-cidr=172.20.0.0/16" in fault for fault in found)
