"""Which of the kubelets' certificate signing requests are approved: one pure function and its ordered rules.

A request is approved if every rule passes. The first that does not pass decides: deny for what is aimed at
our signer and our node and is wrong; ignore for what is not ours (to judge, any more, or yet) or lacks facts.
A denial can't be undone, so it is used sparingly. Each rule's docstring names its source.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import kubelet_csr_content as content
import kubelet_csr_names as names
import kubelet_csr_object as api_object
import kubelet_csr_requestor as requestor
from kubelet_csr_case import (
    APPROVE,
    BOOTSTRAP,
    DEFAULT_POLICY,
    DENY,
    IGNORE,
    RENEWAL,
    SERVING,
    STRANGE,
    Case,
    Finding,
    check,
    show,
)
from kubelet_csr_der import Unreadable

__all__ = ["DEFAULT_POLICY", "RULES", "Decision", "Rule", "RuleResult", "decide", "explain"]

PASSED = "passed"
FAILED = "failed"
NOT_REACHED = "not reached"


class Decision(NamedTuple):
    """The verdict (approve, deny or ignore), the rule that decided, and why in one sentence."""

    verdict: str
    rule: str
    message: str


class RuleResult(NamedTuple):
    """One rule of an explanation: its state is passed, failed or not reached."""

    name: str
    state: str
    expected: str = ""
    found: str = ""
    todo: str = ""


class Rule(NamedTuple):
    """One rule and the kinds of request that it is for."""

    check: Callable[[Case], Finding]
    flows: tuple[str, ...]

    @property
    def name(self) -> str:
        """The rule's short, stable name."""
        return self.check.__name__


def _rules(flows: tuple[str, ...], *checks: Callable[[Case], Finding]) -> tuple[Rule, ...]:
    return tuple(Rule(item, flows) for item in checks)


RULES: tuple[Rule, ...] = (
    *_rules(
        (BOOTSTRAP, RENEWAL, SERVING),
        api_object.policy,
        api_object.kind,
        api_object.signer,
        api_object.undecided,
        api_object.preconditions,
        api_object.age,
        api_object.node_known,
        api_object.minion_accepted,
        api_object.event_minion,
        api_object.newest,
        api_object.field_types,
        content.request_size,
        content.request_base64,
        content.request_pem,
        content.request_der,
        content.request_version,
        content.subject_form,
        content.common_name,
        content.organization,
        content.key_algorithm,
        content.ec_point,
        content.rsa_size,
        content.rsa_exponent,
        content.signature_algorithm,
        content.proof_of_possession,
        content.attributes,
        requestor.usages,
        requestor.expiration,
        api_object.object_name,
    ),
    *_rules(
        (BOOTSTRAP,),
        requestor.bootstrap_user,
        requestor.bootstrap_groups,
        requestor.attested_key,
        requestor.bootstrap_token,
        requestor.token_group,
        requestor.node_not_ready,
    ),
    *_rules((RENEWAL, SERVING), requestor.node_user, requestor.node_groups, requestor.credential),
    *_rules(
        (SERVING,),
        names.pillar_names,
        names.names_present,
        names.name_types,
        names.names_distinct,
        names.ip_form,
        names.dns_names,
        names.ip_addresses,
        names.names_of_nobody,
    ),
    *_rules((RENEWAL, SERVING), requestor.node_exists),
)


def decide(csr: Any, facts: Any, policy: Any, rules: Sequence[Rule] = RULES) -> Decision:
    """Judge one certificate signing request. Pure; never raises, whatever it is given.

    Args:
        csr: the API object as JSON gives it, nothing in it trusted; kind and apiVersion must be there, which
            the API server leaves out within a list.
        facts: what the master knows:
            now: the time in UTC, a datetime or RFC 3339 text.
            event_minion_id: the minion that asked for this pass, None for a sweep.
            minion_accepted: whether the key of the node's minion is accepted on this master now.
            node: None, or {name, minion_id, dns_names, ips, roles} from the pillar compiled for the minion.
            attested_spki_sha256: None, or the SHA-256 in hex of the SubjectPublicKeyInfo the minion attests.
            bootstrap_token_id: None, or the id of the token minted for the minion.
            attested_client_cert_sha256: None, or the SHA-256 in hex of the node's client certificate.
            node_object: {exists, ready} from the Kubernetes API.
            superseded: whether the requestor has a newer pending request of this signer for this node.
            attestation_is_current: may be left out; False where what is attested is older than the request,
                so that a difference is no reason to deny it.
            bootstrap_group: may be left out; the group that the minion's derived token gives.
            bootstrap_user: may be left out; a token file's user, who needs an attested key beside it.
            service_cidr: may be left out; a network, or a list of them, whose addresses no node may name.
        policy: settings over DEFAULT_POLICY; times in seconds, sizes in bytes and bits. What it says of
            check_name_digest stands in the rule object_name.
        rules: the rules in their order; tests leave one out to show that it is needed.

    Returns:
        Its verdict is approve, deny or ignore; with `deny: False` in the policy approve or ignore.
    """
    case = Case(csr, facts, policy)
    for rule, finding in _walk(case, rules):
        if finding.verdict is not None:
            return Decision(_softened(case, finding.verdict), rule.name, finding.message)
    return _approval(case)


def explain(csr: Any, facts: Any, policy: Any, rules: Sequence[Rule] = RULES) -> list[RuleResult]:
    """Say rule by rule what was expected and found, up to the one that decided; arguments as for `decide`."""
    case = Case(csr, facts, policy)
    results = [
        RuleResult(
            rule.name, FAILED if finding.verdict else PASSED, finding.expected, finding.found, finding.todo
        )
        for rule, finding in _walk(case, rules)
    ]
    unseen = _applying(case, rules)[len(results) :]
    return results + [RuleResult(rule.name, NOT_REACHED) for rule in unseen]


def _walk(case: Case, rules: Sequence[Rule]) -> Iterator[tuple[Rule, Finding]]:
    """The rules that apply and their findings, up to and with the first that does not pass."""
    for rule in _applying(case, rules):
        finding = _ask(rule.check, case)
        yield rule, finding
        if finding.verdict is not None:
            return


def _applying(case: Case, rules: Sequence[Rule]) -> list[Rule]:
    return [rule for rule in rules if case.flow in rule.flows]


def _ask(rule: Callable[[Case], Finding], case: Case) -> Finding:
    """A rule's finding. What can't be read is wrong; a fault of the judge itself fails closed."""
    try:
        return rule(case)
    except Unreadable as error:
        return check(False, DENY, "a certificate request that can be read", str(error), STRANGE)
    except Exception as error:
        todo = "report it with the request"
        return check(
            False, IGNORE, "a judge without faults", f"{type(error).__name__} in {rule.__name__}", todo
        )


def _softened(case: Case, verdict: str) -> str:
    return IGNORE if verdict == DENY and case.settings["deny"] is False else verdict


def _approval(case: Case) -> Decision:
    """The approval with its grounds, the minion and the key, for the object's condition and the audit."""
    name, why = {
        BOOTSTRAP: ("approved_token", "the requestor holds the bootstrap token of its minion"),
        RENEWAL: ("approved_renewal", "the node renews its own client certificate"),
        SERVING: ("approved_serving", "the node asks for its own names and addresses"),
    }[case.flow]
    if case.flow == BOOTSTRAP and case.is_attested:
        name, why = "approved_attested", "its minion attests the key"
    node, minion = show(case.node.get("name")), show(case.node.get("minion_id"))
    message = f"Node {node} of minion {minion}: {why}; key SHA-256 {case.request.spki_sha256}."
    return Decision(APPROVE, name, message)
