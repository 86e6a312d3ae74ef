"""Every rule is needed: with it alone left out, something that it must catch is approved."""

from __future__ import annotations

import pytest
from kubelet_csr_policy import RULES, Rule, decide

from unit.csr import corpus


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_without_the_rule_a_hostile_request_is_approved(rule: Rule) -> None:
    others = [other for other in RULES if other.name != rule.name]
    caught = [sample for sample in corpus.hostile() if sample.rule == rule.name]
    verdicts = (decide(sample.csr, sample.facts, sample.policy, others).verdict for sample in caught)
    assert "approve" in verdicts


def test_every_rule_has_a_name_of_its_own() -> None:
    names = [rule.name for rule in RULES]
    assert len(set(names)) == len(names)
