"""Who a minion is to Kubernetes: by the pillar alone, and nobody where the pillar is faulty."""

from __future__ import annotations

from typing import Any

import pytest
from kube_node_identity import Identity, identity, node_name

from unit.nodes import pillar, without


def test_the_pillar_says_who_a_minion_is():
    node = {"name": "node-7", "addresses": ["10.0.0.7", "2001:db8::7"], "dns_names": ["node-7.example.org"]}
    assert identity(pillar({"node": node}), "Worker-1") == Identity(
        minion_id="Worker-1",
        cluster="production",
        name="node-7",
        addresses=("10.0.0.7", "2001:db8::7"),
        dns_names=("node-7", "node-7.example.org"),
        bootstrap_token_id="k3s9x2",
    )


def test_a_minion_without_a_name_of_its_own_goes_by_its_id_in_lower_case():
    assert identity(pillar(), "Worker-1").name == "worker-1"


def test_a_name_is_among_the_dns_names_once():
    assert identity(pillar({"node": {"dns_names": ["worker-1", "w"]}}), "worker-1").dns_names == (
        "worker-1",
        "w",
    )


def test_a_minion_without_addresses_has_none():
    assert identity(without("node"), "worker-1").addresses == ()


def test_the_pillars_service_network_is_known():
    assert (
        identity(pillar({"cluster": {"service_cidr": "10.96.0.0/12"}}), "worker-1").service_cidr
        == "10.96.0.0/12"
    )


def test_a_minion_without_a_token_has_none():
    assert identity(without("certificates"), "worker-1").bootstrap_token_id is None


@pytest.mark.parametrize(
    "tree",
    [
        None,
        {},
        [],
        "production",
        without("cluster"),
        without("cluster", "name"),
        pillar({"cluster": {"name": "Production"}}),
        pillar({"node": {"addresses": "10.0.0.1"}}),
        pillar({"node": {"addresses": ["fe80::1%eth0"]}}),
        pillar({"stranger": 1}),
        pillar({"node": None}),
    ],
)
def test_a_faulty_pillar_makes_nobody(tree: Any):
    assert identity(tree, "worker-1") is None


@pytest.mark.parametrize("minion_id", ["worker_1", "", "worker 1", "worker-1\n"])
def test_an_id_that_is_no_node_name_makes_nobody(minion_id: str):
    assert identity(pillar(), minion_id) is None


def test_a_named_node_may_have_any_minion_id():
    assert identity(pillar({"node": {"name": "worker-1"}}), "worker_1").name == "worker-1"


def test_the_node_and_the_master_agree_on_the_name():
    assert node_name({"node": {"name": None}}, "Worker-1") == node_name({}, "Worker-1") == "worker-1"
