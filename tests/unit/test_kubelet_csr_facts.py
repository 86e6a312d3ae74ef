"""The facts that a decision is made on, from who the minion is."""

from __future__ import annotations

import kubelet_csr_facts
from kube_node_identity import Identity

OWNER = Identity("m1", "demo", "n1", ("10.0.0.1",), ("n1",), "aaaaaa", "10.96.0.0/12")


def test_the_judge_is_told_the_service_network_whose_addresses_no_node_may_name():
    assert kubelet_csr_facts.facts(OWNER, None, False)["service_cidr"] == "10.96.0.0/12"


def test_of_a_node_that_is_nobodys_nothing_is_told():
    facts = kubelet_csr_facts.facts(None, None, False)
    assert (facts["node"], facts["minion_accepted"], facts["bootstrap_token_id"]) == (None, False, None)
