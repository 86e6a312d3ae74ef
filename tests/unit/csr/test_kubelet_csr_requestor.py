"""A request by somebody else or for something else is refused, and the operator is told what."""

from __future__ import annotations

import kubelet_csr_requestor
import pytest

from unit.csr import corpus

REFUSALS = {
    "token: usages: any": (
        "Expected the usages 'digital signature', 'client auth' and perhaps 'key encipherment', "
        "each once, but found 'digital signature', 'client auth', 'any'; a kubelet does not do "
        "that, look who made this request."
    ),
    "serving: usages: the other role": (
        "Expected the usages 'digital signature', 'server auth' and perhaps 'key encipherment', "
        "each once, but found 'digital signature', 'client auth'; a kubelet does not do that, look "
        "who made this request."
    ),
    "token: 599 seconds": (
        "Expected no expirationSeconds or 600 to 31536000, but found 599; change the policy's "
        "expiration_seconds if that is meant."
    ),
    "attested: user 'kubernetes-admin'": (
        "Expected the user system:bootstrap:<token id>, but found 'kubernetes-admin'; let the "
        "kubelet join with its minion's bootstrap token."
    ),
    "token: groups ['system:bootstrappers', 'system:authenticated', 'system:masters']": (
        "Expected a requestor in system:bootstrappers and system:authenticated, and not in "
        "system:masters or system:nodes, but found 'system:bootstrappers', 'system:authenticated', "
        "'system:masters'; a kubelet does not do that, look who made this request."
    ),
    "renewal: groups ['system:nodes']": (
        "Expected a requestor in system:nodes and system:authenticated, and not in system:masters, "
        "but found 'system:nodes'; a kubelet does not do that, look who made this request."
    ),
    "attested: another key is attested": (
        "Expected the attested key {other}, but found the key {key}; let the minion attest again, "
        "and replace its bootstrap token if it has no such key."
    ),
    "token: an attestation of ''": (
        "Expected an attestation of 64 hex digits, but found ''; let the minion attest again."
    ),
    "token: another minion's token": (
        "Expected an attested key or the bootstrap token 'abcdef' of minion "
        "'worker-1.example.com', but found the user 'system:bootstrap:zzzzzz'; run the minion's "
        "highstate, so that its kubelet joins with its own token."
    ),
    "token: another minion's token of the same id": (
        "Expected the group '{own group}', but found 'system:bootstrappers', '{other group}', "
        "'system:authenticated'; remove the Secret of that token: the approver makes it as it should be."
    ),
    "token: a derived token's id without its group": (
        "Expected the group '{own group}', but found 'system:bootstrappers', 'system:authenticated'; "
        "remove the Secret of that token: the approver makes it as it should be."
    ),
    "token: a token file's user without an attested key": (
        "Expected an attested key or the bootstrap token 'abcdef' of minion 'worker-1.example.com', "
        "but found the user 'kubelet-bootstrap'; run the minion's highstate, so that its kubelet joins "
        "with its own token."
    ),
    "attested: user 'kubelet-bootstrap-2', not a token file's": (
        "Expected the user system:bootstrap:<token id>, but found 'kubelet-bootstrap-2'; let the "
        "kubelet join with its minion's bootstrap token."
    ),
    "attested: user 'system:kube-scheduler' as a token file's": (
        "Expected the user system:bootstrap:<token id>, but found 'system:kube-scheduler'; let the "
        "kubelet join with its minion's bootstrap token."
    ),
    "attested: a token file's user in ('system:masters',)": (
        "Expected a requestor in system:authenticated, and not in system:masters or system:nodes, but "
        "found 'system:masters', 'system:authenticated'; a kubelet does not do that, look who made this "
        "request."
    ),
    "attested: another key, whose being current is False": (
        "Expected the attested key {other}, but found the key {key}; let the minion attest again, "
        "and replace its bootstrap token if it has no such key."
    ),
    "serving: another certificate, whose being current is False": (
        "Expected the client certificate {other}, but found {certificate}; let the minion attest again."
    ),
    "token: a token while the Node is {'exists': True, 'ready': True}": (
        "Expected an attested key, or a Node that is absent or not Ready, but found a Ready Node; "
        "delete the Node if its machine was made anew."
    ),
    "token: a token while the Node is {}": (
        "Expected an attested key, or a Node that is absent or not Ready, but found no word on the "
        "Node; delete the Node if its machine was made anew."
    ),
    "serving: user 'system:node:worker-2'": (
        "Expected the user 'system:node:worker-1', but found 'system:node:worker-2'; a kubelet "
        "does not do that, look who made this request."
    ),
    "serving: the Node is {'exists': False, 'ready': False}": (
        "Expected a registered Node, but found no Node; wait until the kubelet has registered, and "
        "restart it if the Node was deleted."
    ),
    "renewal: credential: another certificate": (
        "Expected the client certificate {certificate}, but found {other}; an old or stolen "
        "certificate was used, find it and remove it."
    ),
    "renewal: credential: a token's id": (
        "Expected one credential-id X509SHA256=<64 hex digits>, but found "
        "'JTI=8a0a5a36-4d4f-4a3c-8b73-3f4d7a1c9a11'; a kubelet does not do that, look who made "
        "this request."
    ),
    "renewal: '' is attested": (
        "Expected an attestation of 64 hex digits, but found ''; let the minion attest again."
    ),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_a_refusal_says_what_was_found_and_what_to_do(name: str) -> None:
    assert corpus.refusal(name) == REFUSALS[name]


def test_every_rule_has_such_a_sentence() -> None:
    assert corpus.rules_of(kubelet_csr_requestor) == {corpus.by_name(name).rule for name in REFUSALS}
