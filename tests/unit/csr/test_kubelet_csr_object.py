"""What is not ours to judge, any more or yet, is left alone, and the operator is told why."""

from __future__ import annotations

import kubelet_csr_object
import pytest

from unit.csr import corpus

REFUSALS = {
    "token: policy.deny is wrong": (
        "Expected a policy of the documented types, but found 'false' as deny; mend the approver's "
        "configuration."
    ),
    "token: the policy is None": (
        "Expected a policy of the documented types, but found nothing as policy; mend the "
        "approver's configuration."
    ),
    "serving: kind 'Pod'": (
        "Expected a CertificateSigningRequest of certificates.k8s.io/v1, but found 'Pod' of "
        "'certificates.k8s.io/v1'."
    ),
    "token: no spec": (
        "Expected a CertificateSigningRequest of certificates.k8s.io/v1, but found one without "
        "metadata or spec."
    ),
    "token: signer 'kubernetes.io/legacy-unknown'": (
        "Expected the signer kubernetes.io/kube-apiserver-client-kubelet or "
        "kubernetes.io/kubelet-serving, but found 'kubernetes.io/legacy-unknown'; this approver "
        "leaves other signers' requests alone."
    ),
    "token: condition 'Denied'": (
        "Expected a request that nobody has decided, but found the condition 'Denied'; there is "
        "nothing left to decide."
    ),
    "serving: issued already": (
        "Expected a request that nobody has decided, but found one with a certificate; there is "
        "nothing left to decide."
    ),
    "token: deleted at '2026-11-23T11:59:59Z'": (
        "Expected a request that nobody has decided, but found one that is being deleted; there is "
        "nothing left to decide."
    ),
    "token: resourceVersion '0'": (
        "Expected a uid and a resourceVersion to write by, but found uid "
        "'6a1c2b9e-8f0d-4a53-9f57-0d8f0c1a2b3c' and resourceVersion '0'; read the request again."
    ),
    "token: creation an hour and a second old": (
        "Expected a request made at most 3600 s ago and 60 s ahead, but found one made 3601 s ago; "
        "restart the kubelet for a new one."
    ),
    "token: creation a minute and a second ahead": (
        "Expected a request made at most 3600 s ago and 60 s ahead, but found one made 61 s ahead; "
        "compare the clocks of master and API server."
    ),
    "token: creation of garbage": (
        "Expected a request made at most 3600 s ago and 60 s ahead, but found creationTimestamp "
        "'yesterday' at '2026-11-23T12:00:00Z'; both must be times in UTC."
    ),
    "attested: a stranger in the pillar": (
        "Expected a minion whose pillar has this node, but found none; give the minion a pillar "
        "with kube_node.node.name if the machine is to be a node."
    ),
    "token: the node's minion is None": (
        "Expected a minion whose pillar has this node, but found node 'worker-1' of minion "
        "nothing; give the minion a pillar with kube_node.node.name if the machine is to be a node."
    ),
    "attested: decommissioned": (
        "Expected the key of minion 'worker-1.example.com' to be accepted on this master, but "
        "found that it is not; accept it with salt-key -a 'worker-1.example.com' if the machine is "
        "to be a node."
    ),
    "attested: another minion's event": (
        "Expected an event of minion 'worker-1.example.com', but found one of minion "
        "'worker-2.example.com'; nothing to do, the node's own minion asks for itself."
    ),
    "attested: superseded": (
        "Expected the requestor's newest request for this node, but found that a newer one is "
        "pending; nothing to do, the cluster removes the older one after a day."
    ),
    "token: spec.expirationSeconds is True": (
        "Expected fields of the API's types, but found another type in spec.expirationSeconds; a "
        "kubelet does not do that, look who made this request."
    ),
    "token: name 'x?dryRun=All'": (
        "Expected the name csr-xxxxx or node-csr- with the request's digest, but found "
        "'x?dryRun=All'; look who made this request, and set check_name_digest: false for a "
        "kubelet up to 1.15."
    ),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_a_refusal_says_what_was_found_and_what_to_do(name: str) -> None:
    assert corpus.refusal(name) == REFUSALS[name]


def test_every_rule_has_such_a_sentence() -> None:
    assert corpus.rules_of(kubelet_csr_object) == {corpus.by_name(name).rule for name in REFUSALS}
