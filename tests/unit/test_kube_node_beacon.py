"""The beacon's configuration: what a node's parameters make of it, and what of another is wrong."""

from __future__ import annotations

import kube_node_beacon as beacon
import pytest

from unit.nodes import compiled


def test_a_node_has_the_beacon_look_at_its_kubelet():
    assert beacon.settings(compiled()["kubelet"]["beacon"]) == {
        "interval": 5,
        "unit": "kubelet.service",
        "slice": "system.slice",
        "certificates": {
            "client": "/var/lib/kubelet/pki/kubelet-client-current.pem",
            "serving": "/var/lib/kubelet/pki/kubelet-server-current.pem",
        },
        "waiting_key": None,
        "bootstrap_kubeconfig": "/etc/kubernetes/bootstrap.kubeconfig",
    }


def test_it_looks_as_often_as_the_pillar_says():
    node = compiled({"certificates": {"knock_seconds": 60}})
    assert beacon.settings(node["kubelet"]["beacon"])["interval"] == 60


def test_it_looks_for_the_certificates_that_the_kubelet_asks_for():
    node = compiled({"kubelet": {"config": {"serverTLSBootstrap": False}}})
    assert list(beacon.settings(node["kubelet"]["beacon"])["certificates"]) == ["client"]


def test_it_knows_the_kubelets_slice():
    reserved = {"enforceNodeAllocatable": ["pods", "kube-reserved"], "kubeReservedCgroup": "/kube.slice"}
    node = compiled({"kubelet": {"config": reserved}})
    assert beacon.settings(node["kubelet"]["beacon"])["slice"] == "kube.slice"


def test_with_the_operators_certificates_there_is_nothing_to_look_for():
    assert compiled({"certificates": {"mode": "static"}})["kubelet"]["beacon"] is None


@pytest.mark.parametrize("version", ["1.9.11", "1.11.10", "1.13.12"])
def test_what_the_formula_configures_is_sound(version):
    node = compiled({"version": version, "runtime": {"name": "docker"}})
    assert beacon.fault(node["kubelet"]["beacon"]) is None


def changed(**settings) -> list[dict]:
    """Return a sound configuration with some settings changed, or left out where they are None."""
    given = beacon.settings(compiled()["kubelet"]["beacon"]) | settings
    return [{key: value} for key, value in given.items() if value is not None]


@pytest.mark.parametrize(
    ("config", "fault"),
    [
        (None, "must be a list of single settings"),
        ({}, "must be a list of single settings"),
        (["unit"], "must be a list of single settings"),
        ([], "unit must be text"),
        (changed(unit=5), "unit must be text"),
        (changed(slice=[]), "slice must be text"),
        (changed(bootstrap_kubeconfig={}), "bootstrap_kubeconfig must be text"),
        (changed(certificates={}), "certificates must be a mapping that has client"),
        (changed(certificates=["/a.pem"]), "certificates must be a mapping that has client"),
        (changed(certificates={"client": 5}), "certificates must give paths to client and serving"),
        (
            changed(certificates={"client": "/a", "other": "/b"}),
            "certificates must give paths to client and serving",
        ),
        (changed(waiting_key={}), "waiting_key must be a mapping that has key, or null"),
        (changed(waiting_key="/a.key"), "waiting_key must be a mapping that has key, or null"),
    ],
)
def test_what_is_wrong_is_told(config, fault):
    assert beacon.fault(config) == fault


def test_a_setting_of_salts_own_is_left_to_salt():
    assert beacon.fault([*changed(), {"disable_during_state_run": True}]) is None
