"""The facts that a decision is made on: who the minion is, which token is its, and what it attests."""

from __future__ import annotations

from datetime import datetime, timezone

import kube_node_tokens
import kubelet_csr_facts
import pytest
from kube_node_identity import Identity

from unit.ground import Ground, derived

OWN = Identity("m1", "demo", "n1", ("10.0.0.1",), ("n1",), "aaaaaa", "10.96.0.0/12")
DERIVED = Identity("m1", "demo", "n1", (), ("n1",), None, derives_token=True)
CREATED = datetime(2026, 11, 23, 12, tzinfo=timezone.utc)


def facts(owner: Identity | None, user: str = "", attested: dict | None = None) -> dict:
    ground = Ground(attested={"m1": attested} if attested else {})
    request = {"metadata": {"creationTimestamp": "2026-11-23T12:00:00Z"}, "spec": {"username": user}}
    return kubelet_csr_facts.facts(request, ground, owner, None, False)


def test_the_judge_is_told_the_service_network_whose_addresses_no_node_may_name():
    assert facts(OWN)["service_cidr"] == "10.96.0.0/12"


def test_of_a_node_that_is_nobodys_nothing_is_told():
    found = facts(None)
    assert (found["node"], found["minion_accepted"], found["bootstrap_token_id"]) == (None, False, None)


def test_a_token_that_the_operator_gave_needs_no_group():
    found = facts(OWN, "system:bootstrap:aaaaaa")
    assert (found["bootstrap_token_id"], found["bootstrap_group"]) == ("aaaaaa", None)


@pytest.mark.parametrize("user", ["system:bootstrap:m10000", "system:bootstrap:bbbbbb", "", "system:node:n1"])
def test_of_a_derived_token_the_judge_is_told_the_minions_and_its_group(user):
    found = facts(DERIVED, user)
    assert found["bootstrap_token_id"] == derived(DERIVED).id
    assert found["bootstrap_group"] == kube_node_tokens.group("demo", "m1", "n1")


@pytest.mark.parametrize(("seconds", "current"), [(-5, False), (0, False), (1, True)])
def test_what_is_attested_is_current_only_if_it_was_attested_after_the_request_was_made(seconds, current):
    at = CREATED.timestamp() + seconds
    found = facts(OWN, attested={"client_cert_sha256": "a" * 64, "spki_sha256": None, "at": at})
    assert found["attested_client_cert_sha256"] == "a" * 64
    assert found["attestation_is_current"] is current
