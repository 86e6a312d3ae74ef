"""The verdict, its grounds, and its explanation rule by rule."""

from __future__ import annotations

import base64
import copy
import importlib.util
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import kubelet_csr_policy
import pytest
from kubelet_csr_policy import DEFAULT_POLICY, RULES, Rule, decide, explain
from kubelet_csr_request import outline

from unit.csr import corpus
from unit.csr.samples import ALL, ATTESTED, RENEWAL, SERVING, TOKEN, sample

UTILS = Path(kubelet_csr_policy.__file__).parent
HONEST = {flow: sample("honest", f"approved_{flow}", flow) for flow in ALL}
GROUNDS = {
    ATTESTED: "its minion attests the key",
    TOKEN: "the requestor holds the bootstrap token of its minion",
    RENEWAL: "the node renews its own client certificate",
    SERVING: "the node asks for its own names and addresses",
}


@pytest.mark.parametrize("flow", ALL)
def test_an_approval_tells_its_grounds_the_minion_and_the_key(flow: str) -> None:
    one = HONEST[flow]
    key = outline(one.csr).spki_sha256
    message = f"Node 'worker-1' of minion 'worker-1.example.com': {GROUNDS[flow]}; key SHA-256 {key}."
    assert decide(one.csr, one.facts, {}) == ("approve", f"approved_{flow}", message)


@pytest.mark.parametrize("flow", ALL)
def test_nothing_that_is_judged_is_changed(flow: str) -> None:
    one = HONEST[flow]
    before = copy.deepcopy((one.csr, one.facts, one.policy))
    decide(one.csr, one.facts, one.policy)
    assert (one.csr, one.facts, one.policy) == before


def test_with_deny_off_every_denial_is_an_ignore_for_the_same_reason() -> None:
    for one in corpus.hostile():
        if one.verdict == "deny":
            denied, ignored = (
                decide(one.csr, one.facts, {**one.policy, "deny": deny}) for deny in (True, False)
            )
            assert ignored == ("ignore", denied.rule, denied.message)


def test_the_defaults_are_the_policy_that_is_meant_where_nothing_is_said() -> None:
    for one in (*corpus.hostile(), *corpus.honest_ones()):
        if one.policy == {}:
            assert decide(one.csr, one.facts, dict(DEFAULT_POLICY)) == decide(one.csr, one.facts, {})


def test_unknown_settings_change_nothing() -> None:
    one = HONEST[TOKEN]
    assert decide(one.csr, one.facts, {"colour": "blue"}).verdict == "approve"


def test_a_request_of_just_the_largest_size_is_approved() -> None:
    one = HONEST[TOKEN]
    size = len(base64.b64decode(one.csr["spec"]["request"]))
    assert decide(one.csr, one.facts, {"max_request_bytes": size}).verdict == "approve"
    assert decide(one.csr, one.facts, {"max_request_bytes": size - 1}).rule == "request_size"


def test_a_request_that_went_through_json_is_judged_alike() -> None:
    one = HONEST[SERVING]
    assert decide(json.loads(json.dumps(one.csr)), one.facts, {}).verdict == "approve"


@pytest.mark.parametrize("flow", ALL)
def test_an_approval_is_explained_by_rules_that_all_passed(flow: str) -> None:
    one = HONEST[flow]
    results = explain(one.csr, one.facts, {})
    assert {result.state for result in results} == {"passed"}
    assert all(result.expected and result.found and not result.todo for result in results)


def test_a_refusal_is_explained_by_what_passed_what_failed_and_what_was_not_reached() -> None:
    one = corpus.by_name("serving: DNS name 'worker-2' beside ours")
    results = explain(one.csr, one.facts, {})
    states = [result.state for result in results]
    failed = states.index("failed")
    assert states == ["passed"] * failed + ["failed"] + ["not reached"] * (len(states) - failed - 1)
    assert results[failed] == (
        "dns_names",
        "failed",
        "DNS names of 'worker-1', 'worker-1.example.com'",
        "'worker-2'",
        "add it to the node's pillar if it is the node's, else look who made this request",
    )
    assert results[-1] == ("node_exists", "not reached", "", "", "")


def test_an_explanation_is_of_the_rules_for_that_kind_of_request() -> None:
    names = {
        flow: {result.name for result in explain(one.csr, one.facts, {})} for flow, one in HONEST.items()
    }
    assert "dns_names" in names[SERVING] - names[RENEWAL]
    assert "attested_key" in names[TOKEN] - names[RENEWAL]
    assert "credential" in names[RENEWAL] - names[TOKEN]


def test_decision_and_explanation_never_differ() -> None:
    for one in corpus.hostile():
        failed = [result for result in explain(one.csr, one.facts, one.policy) if result.state == "failed"]
        assert [result.name for result in failed] == [decide(one.csr, one.facts, one.policy).rule]


def test_a_fault_of_the_judge_itself_approves_nothing() -> None:
    def broken(_case: Any) -> Any:
        raise ZeroDivisionError

    one = HONEST[TOKEN]
    decision = decide(one.csr, one.facts, {}, (Rule(broken, (*ALL, "bootstrap")), *RULES))
    message = (
        "Expected a judge without faults, but found ZeroDivisionError in broken; report it with the request."
    )
    assert decision == ("ignore", "broken", message)


def test_every_rule_tells_its_source() -> None:
    assert [rule.name for rule in RULES if not rule.check.__doc__] == []


def test_the_judge_needs_neither_salt_nor_a_path(formula: Path) -> None:
    code = "import sys; sys.path.insert(0, '_utils'); import kubelet_csr_policy; print('salt' in sys.modules)"
    ran = subprocess.run(
        [sys.executable, "-I", "-c", code], cwd=formula, capture_output=True, text=True, check=True
    )
    assert ran.stdout == "False\n"


@pytest.mark.parametrize("path", sorted(UTILS.glob("kubelet_csr_*.py")), ids=lambda path: path.stem)
def test_a_module_loads_as_salts_loader_loads_it(path: Path) -> None:
    """By its path, and unknown to sys.modules: a dataclass with deferred annotations does not bear that."""
    spec = importlib.util.spec_from_file_location("loaded.utils." + path.stem, path)
    spec.loader.exec_module(importlib.util.module_from_spec(spec))


def test_a_p256_request_is_judged_within_a_millisecond() -> None:
    one, seconds = HONEST[TOKEN], []
    for _ in range(300):
        start = time.process_time()
        decide(one.csr, one.facts, {})
        seconds.append(time.process_time() - start)
    assert statistics.median(seconds) < 0.001
