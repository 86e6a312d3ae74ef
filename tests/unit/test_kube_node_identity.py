"""Who a minion is to Kubernetes: by the pillar alone, and nobody where the pillar is faulty."""

from __future__ import annotations

from typing import Any

import kube_node_network
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kube_node_identity import (
    Identity,
    hint,
    identity,
    node_name,
    wants_token,
    with_derived_token,
    without_token,
)

from unit.nodes import pillar, without

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["kube_node", "cluster", "node", "name", "certificates", "mode"]), inner
        )
    ),
)


def test_the_pillar_says_who_a_minion_is():
    node = {"name": "node-7", "addresses": ["10.0.0.7", "2001:db8::7"], "dns_names": ["node-7.example.org"]}
    assert identity(pillar({"node": node}), "Worker-1") == Identity(
        minion_id="Worker-1",
        cluster="production",
        name="node-7",
        addresses=("10.0.0.7", "2001:db8::7"),
        dns_names=("node-7", "node-7.example.org"),
        bootstrap_token_id="k3s9x2",
        network=kube_node_network.digest(pillar()),
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


def test_a_token_files_user_is_known():
    change = {"certificates": {"bootstrap_user": "kubelet-bootstrap"}}
    assert identity(pillar(change), "worker-1").bootstrap_user == "kubelet-bootstrap"


def test_a_user_of_the_clusters_own_makes_nobody():
    """No pillar makes a scheduler a token file's user."""
    change = {"certificates": {"bootstrap_user": "system:kube-scheduler"}}
    assert identity(pillar(change), "worker-1") is None


def test_a_token_of_the_operators_is_said_to_be_no_derived_one():
    found = identity(pillar(), "worker-1")
    assert with_derived_token(found, {"abcdef"}) == found


def test_a_token_that_is_among_the_derived_ones_is_said_to_be_so():
    found = with_derived_token(identity(pillar(), "worker-1"), {"abcdef", "k3s9x2"})
    assert (found.derives_token, found.bootstrap_token_id) == (True, None)


def test_a_minion_without_a_token_derives_none():
    found = identity(without("certificates"), "worker-1")
    assert with_derived_token(found, {"abcdef"}) == found


def test_who_a_minion_is_without_its_token_is_the_same_whichever_token_it_has():
    given, none = identity(pillar(), "worker-1"), identity(without("certificates"), "worker-1")
    derived = with_derived_token(given, {"k3s9x2"})
    assert without_token(given) == without_token(derived) == without_token(none)


def test_nobody_without_a_token_is_nobody():
    assert without_token(None) is None


@pytest.mark.parametrize("certificates", [None, {}, {"mode": "bootstrap"}, {"wait_seconds": 60}])
def test_a_pillar_that_says_nothing_of_a_token_leaves_it_to_the_master(certificates: Any):
    tree = without("certificates")
    assert wants_token(tree if certificates is None else tree | {"certificates": certificates})


@pytest.mark.parametrize(
    "certificates",
    [
        {"bootstrap_token": "k3s9x2.q7w5e1r8t4y6u0p3"},
        {"bootstrap_token": None},
        {"bootstrap_token": ""},
        {"bootstrap_user": "kubelet-bootstrap"},
        {"mode": "static"},
        {"mode": None},
        {"mode": ["bootstrap"]},
        None,
        [],
        "bootstrap",
    ],
)
def test_a_pillar_that_says_anything_of_a_token_or_of_another_mode_gets_none(certificates: Any):
    assert not wants_token({"certificates": certificates})


@pytest.mark.parametrize("tree", [None, [], "x", 7])
def test_what_is_no_pillar_gets_no_token(tree: Any):
    assert not wants_token(tree)


def test_a_whole_pillar_hints_at_cluster_and_node():
    whole = {"kube_node": pillar({"node": {"name": "node-7"}})}
    assert hint(whole, "Worker-1") == ("production", "node-7")


@pytest.mark.parametrize("node", [{}, {"name": None}, {"name": 7}, [], None, "x"])
def test_a_pillar_without_a_node_name_hints_at_the_minions_id(node: Any):
    whole = {"kube_node": {"cluster": {"name": "production"}, "node": node}}
    assert hint(whole, "Worker-1") == ("production", "worker-1")


@pytest.mark.parametrize(
    "whole",
    [{}, {"kube_node": None}, {"kube_node": {}}, {"kube_node": {"cluster": {"name": 7}}}, {"other": {}}],
)
def test_a_pillar_without_a_cluster_hints_at_nothing(whole: Any):
    assert hint(whole, "worker-1") is None


@settings(deadline=None)
@given(whole=ANYTHING)
def test_whatever_a_cached_pillar_holds_is_at_most_a_hint(whole: Any):
    found = hint(whole, "worker-1")
    assert found is None or all(isinstance(part, str) for part in found)
    assert wants_token(whole) in (True, False)
