"""No hostile request of the corpus is approved, each is caught by its rule; every honest one is approved."""

from __future__ import annotations

import pytest
from kubelet_csr_policy import decide

from unit.csr import corpus
from unit.csr.samples import Sample

HOSTILE, HONEST = corpus.hostile(), corpus.honest_ones()


@pytest.mark.parametrize("sample", HOSTILE, ids=lambda sample: sample.name)
def test_a_hostile_request_is_caught_by_its_rule(sample: Sample) -> None:
    decision = decide(sample.csr, sample.facts, sample.policy)
    assert (decision.verdict, decision.rule) == (sample.verdict, sample.rule), decision.message


@pytest.mark.parametrize("sample", HONEST, ids=lambda sample: sample.name)
def test_an_honest_request_is_approved(sample: Sample) -> None:
    decision = decide(sample.csr, sample.facts, sample.policy)
    assert (decision.verdict, decision.rule) == ("approve", sample.rule), decision.message


def test_the_corpus_is_large_and_nothing_is_in_it_twice() -> None:
    names = [sample.name for sample in (*HOSTILE, *HONEST)]
    assert len(set(names)) == len(names)
    assert len(HOSTILE) >= 300
    assert len(HONEST) >= 60
