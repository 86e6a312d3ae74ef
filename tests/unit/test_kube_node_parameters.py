"""From the pillar to one node's parameters: what follows from what, and only faults come of bad input."""

from __future__ import annotations

import copy
import json
from typing import Any

import kube_node_parameters as parameters
import pytest
from kube_node_schema import Fault

from unit.nodes import MACHINE, compiled, faults, pillar, sources

LONGEST_SECONDS = 2


def option(node: dict[str, Any], name: str, component: str = "kubelet") -> str | None:
    found = [argument for argument in node[component]["arguments"] if argument.startswith(f"--{name}=")]
    return found[0].partition("=")[2] if found else None


def test_the_node_goes_by_the_minion_id_in_lower_case():
    assert compiled()["node"]["name"] == "worker-1"


def test_the_nodes_name_is_the_kubelets():
    assert option(compiled({"node": {"name": "node-7"}}), "hostname-override") == "node-7"


def test_the_nodes_name_is_kube_proxys():
    assert compiled({"node": {"name": "node-7"}})["kube_proxy"]["config"]["hostnameOverride"] == "node-7"


def test_the_kubelet_announces_the_pillars_first_address():
    node = compiled({"node": {"addresses": ["192.168.1.42", "2001:db8::42"]}})
    assert option(node, "node-ip") == "192.168.1.42"


def unaddressed(**machine: Any) -> dict[str, Any]:
    smallest = pillar()
    del smallest["node"]
    return parameters.compile_node(smallest, MACHINE | machine, sources())


def test_without_addresses_the_kubelet_announces_the_machines():
    assert option(unaddressed(address="192.168.1.7"), "node-ip") == "192.168.1.7"


def test_without_any_address_the_kubelet_finds_its_own():
    assert option(unaddressed(address=None), "node-ip") is None


def test_the_dns_address_is_the_second_of_the_services():
    node = compiled({"cluster": {"service_cidr": "10.96.0.0/12"}})
    assert node["cluster"]["dns_address"] == "10.96.0.2"
    assert node["kubelet"]["config"]["clusterDNS"] == ["10.96.0.2"]


def test_the_dns_address_of_the_pillar_wins():
    assert compiled({"cluster": {"dns_address": "10.68.0.10"}})["kubelet"]["config"]["clusterDNS"] == [
        "10.68.0.10"
    ]


def test_the_kubelets_own_setting_wins_over_what_follows():
    node = compiled({"kubelet": {"config": {"clusterDNS": ["169.254.20.10"]}}})
    assert node["kubelet"]["config"]["clusterDNS"] == ["169.254.20.10"]


def test_the_sandbox_image_is_the_minors():
    assert compiled({"version": "1.35.0"})["runtime"]["sandbox_image"] == "registry.k8s.io/pause:3.10.1"


def test_the_sandbox_image_of_the_pillar_wins():
    image = "registry.example.org/pause:1"
    assert compiled({"runtime": {"sandbox_image": image}})["runtime"]["sandbox_image"] == image


def test_the_cgroup_driver_is_the_runtimes_and_the_kubelets():
    node = compiled({"runtime": {"cgroup_driver": "cgroupfs"}})
    assert (node["runtime"]["systemd_cgroup"], node["kubelet"]["config"]["cgroupDriver"]) == (
        False,
        "cgroupfs",
    )


def test_labels_are_given_in_a_fixed_order():
    node = compiled({"node": {"labels": {"tier": "gold", "example.org/rack": ""}}})
    assert option(node, "node-labels") == "example.org/rack=,tier=gold"


def test_without_labels_there_is_no_such_option():
    assert option(compiled(), "node-labels") is None


def test_the_node_is_safe_without_a_word_about_it():
    config = compiled()["kubelet"]["config"]
    assert config["authentication"]["anonymous"] == {"enabled": False}
    assert config["authentication"]["webhook"] == {"enabled": True}
    assert config["authorization"] == {"mode": "Webhook"}
    assert config["readOnlyPort"] == 0
    assert config["rotateCertificates"]


def test_the_kubelet_asks_for_both_certificates():
    assert compiled()["kubelet"]["certificates"] == [
        "/var/lib/kubelet/pki/kubelet-client-current.pem",
        "/var/lib/kubelet/pki/kubelet-server-current.pem",
    ]


def test_a_kubelet_told_not_to_asks_for_no_serving_certificate():
    node = compiled({"kubelet": {"config": {"serverTLSBootstrap": False}}})
    assert node["kubelet"]["certificates"] == ["/var/lib/kubelet/pki/kubelet-client-current.pem"]


def test_with_the_operators_certificates_the_one_of_the_kubelet_is_looked_for():
    kubelet = compiled({"certificates": {"mode": "static"}})["kubelet"]
    assert kubelet["certificates"] == ["/etc/kubernetes/pki/kubelet.pem"]


@pytest.mark.parametrize(
    ("change", "waiting"),
    [
        ({}, None),
        (
            {"kubelet": {"config": {"rotateCertificates": False}}},
            {
                "key": "/var/lib/kubelet/pki/kubelet-client.key.tmp",
                "certificate": "/var/lib/kubelet/pki/kubelet-client-current.pem",
            },
        ),
        (
            {"version": "1.10.13", "runtime": {"name": "docker"}},
            {
                "key": "/var/lib/kubelet/pki/kubelet-client.key",
                "certificate": "/var/lib/kubelet/pki/kubelet-client.crt",
            },
        ),
        (
            {"certificates": {"mode": "static"}},
            {"key": "/etc/kubernetes/pki/kubelet-key.pem", "certificate": None},
        ),
    ],
)
def test_it_is_known_where_a_key_waits_for_its_certificate(change, waiting):
    assert compiled(change)["kubelet"]["waiting_key"] == waiting


def test_a_binary_has_a_folder_of_its_release_and_a_link():
    node = compiled({"binaries": {"source": "salt://kubernetes/"}})
    assert node["binaries"]["files"] == [
        {
            "name": "kube-proxy",
            "link": "/usr/local/bin/kube-proxy",
            "path": "/opt/kube_node/v1.36.2/kube-proxy",
            "source": "salt://kubernetes/kube-proxy",
            "sha256": "b" * 64,
            "whole": False,
            "keys": {"source": "binaries.source", "sha256": "binaries.sha256.kube-proxy"},
        },
        {
            "name": "kubelet",
            "link": "/usr/local/bin/kubelet",
            "path": "/opt/kube_node/v1.36.2/kubelet",
            "source": "salt://kubernetes/kubelet",
            "sha256": "a" * 64,
            "whole": False,
            "keys": {"source": "binaries.source", "sha256": "binaries.sha256.kubelet"},
        },
    ]


@pytest.mark.parametrize(
    ("path", "layer"),
    [
        (("version",), "pillar"),
        (("paths", "bin"), "defaults"),
        (("cluster", "dns_address"), "derived"),
        (("kubelet", "config", "maxPods"), "pillar"),
        (("kubelet", "config", "readOnlyPort"), "defaults"),
        (("kubelet", "extra_args", "node-ip"), "derived"),
    ],
)
def test_each_value_says_which_layer_set_it(path: tuple[str, ...], layer: str):
    change = pillar({"kubelet": {"config": {"maxPods": 5}}})
    assert parameters.explain_node(change, MACHINE, sources())[1][path] == layer


def test_a_profile_lies_between_defaults_and_pillar():
    profile = {"paths": {"bin": "/usr/bin", "versions": "/opt/releases"}}
    known = sources() | {"profiles": {"default": profile}}
    paths = parameters.compile_node(pillar({"paths": {"versions": "/srv"}}), MACHINE, known)["paths"]
    assert (paths["bin"], paths["versions"], paths["cni_bin"]) == ("/usr/bin", "/srv", "/opt/cni/bin")


def test_a_profiles_setting_that_the_minor_lacks_is_left_out():
    known = sources() | {"profiles": {"default": {"kubelet": {"extra_args": {"allow-privileged": True}}}}}
    assert option(parameters.compile_node(pillar(), MACHINE, known), "allow-privileged") is None


def test_a_profiles_setting_that_the_pillar_adds_to_is_the_pillars():
    profile = {"kubelet": {"config": {"evictionHard": {"memory.available": "200Mi"}}}}
    known = sources() | {"profiles": {"default": profile}}
    change = {"kubelet": {"config": {"evictionHard": {"nodefs.available": 5}}}}
    with pytest.raises(
        parameters.ParameterError, match=r"^kubelet\.config\.evictionHard: 5 is not a threshold"
    ):
        parameters.compile_node(pillar(change), MACHINE, known)


def test_compiling_changes_nothing_that_it_is_given():
    before = copy.deepcopy((pillar(), MACHINE, sources()))
    given_pillar = pillar()
    parameters.compile_node(given_pillar, MACHINE, sources())
    assert (given_pillar, MACHINE, sources()) == before


def test_compiling_twice_gives_the_same():
    assert compiled() == compiled()


def test_the_parameters_can_be_sent_as_json():
    assert json.loads(json.dumps(compiled())) == compiled()


def test_all_faults_come_at_once_each_once_and_sorted():
    tree = pillar({"version": "1.36", "node": {"name": "A"}, "kubelet": {"config": 5}, "wrong": 1})
    assert [line.partition(":")[0] for line in faults(tree)] == [
        "kubelet.config",
        "node.name",
        "version",
        "wrong",
    ]


def test_two_keys_that_read_alike_are_one_fault():
    assert len(faults(pillar({"node": {5: 1, "5": 1}}))) == 1


def test_an_error_has_its_faults_beside_its_text():
    with pytest.raises(parameters.ParameterError) as error:
        parameters.compile_node(None, MACHINE, sources())
    assert error.value.faults == [
        Fault("kube_node", "the pillar has no such tree, write it as pillar.example shows")
    ]
