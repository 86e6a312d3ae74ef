"""How one request of the corpus is made: an honest kubelet's, with one thing changed."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from unit.csr import der, keys

APPROVE, DENY, IGNORE = "approve", "deny", "ignore"
# The four ways in which an honest kubelet asks.
ATTESTED, TOKEN, RENEWAL, SERVING = "attested", "token", "renewal", "serving"
CLIENT = (ATTESTED, TOKEN, RENEWAL)
ALL = (*CLIENT, SERVING)

NOW, CREATED = "2026-11-23T12:00:00Z", "2026-11-23T11:59:30Z"
CERTIFICATE = hashlib.sha256(b"the node's client certificate").hexdigest()
OTHER_DIGEST = hashlib.sha256(b"something else").hexdigest()
CREDENTIAL = "authentication.kubernetes.io/credential-id"

SUBJECT = der.node_subject("system:node:worker-1", der.PRINTABLE)
NAMES = (der.dns("worker-1"), der.dns("worker-1.example.com"), der.ip(bytes((192, 168, 1, 42))))

NODE = {
    "name": "worker-1",
    "minion_id": "worker-1.example.com",
    "dns_names": ["worker-1", "worker-1.example.com"],
    "ips": ["192.168.1.42", "2001:db8:0:0::42"],
    "roles": ["worker"],
}

MISSING = object()


class Sample(NamedTuple):
    """One request with the facts and the policy to judge it by, and the verdict and rule that it must get."""

    name: str
    csr: Any
    facts: Any
    policy: Any
    verdict: str
    rule: str


def sample(
    name: str,
    rule: str,
    flow: str = TOKEN,
    *,
    key: Any = None,
    subject: bytes = SUBJECT,
    attributes: Sequence[bytes] | None = None,
    text: Callable[[bytes], Any] = lambda data: der.b64(der.pem(data)),
    csr: Mapping[str, Any] | None = None,
    facts: Mapping[str, Any] | None = None,
    policy: Mapping[str, Any] | None = None,
    verdict: str = DENY,
    **request: Any,
) -> Sample:
    """An honest kubelet's request of this flow, changed.

    Args:
        name: what was changed, with the flow the test's id.
        rule: the rule that must catch it, or the approval's name.
        key: the key, P-256 if none is given; it is the attested one.
        subject, attributes, request: parts of the request, as `der.request` takes them.
        text: how the request's DER becomes spec.request.
        csr, facts: dotted paths into the object and the facts, and their new values.
        policy: settings.
        verdict: what must become of it.
    """
    key = key or keys.curve("P-256")
    if attributes is None:
        attributes = [der.extension_request(der.names(*NAMES))] if flow == SERVING else []
    data = der.request(key, subject, attributes, **request)
    digest = hashlib.sha256(request.get("key_info") or der.spki(key)).hexdigest()
    return Sample(
        f"{flow}: {name}",
        changed(honest_object(flow, text(data)), csr or {}),
        changed(honest_facts(flow, digest), facts or {}),
        dict(policy or {}),
        verdict,
        rule,
    )


def honest_object(flow: str, text: str) -> dict[str, Any]:
    """The API object of an honest kubelet's request."""
    kind = "kubelet-serving" if flow == SERVING else "kube-apiserver-client-kubelet"
    by_token = flow in (ATTESTED, TOKEN)
    return {
        "apiVersion": "certificates.k8s.io/v1",
        "kind": "CertificateSigningRequest",
        "metadata": {
            "name": "csr-7xkz2",
            "generateName": "csr-",
            "uid": "6a1c2b9e-8f0d-4a53-9f57-0d8f0c1a2b3c",
            "resourceVersion": "81524",
            "creationTimestamp": CREATED,
        },
        "spec": {
            "request": text,
            "signerName": f"kubernetes.io/{kind}",
            "usages": ["digital signature", "server auth" if flow == SERVING else "client auth"],
            "username": "system:bootstrap:abcdef" if by_token else "system:node:worker-1",
            "groups": ["system:bootstrappers" if by_token else "system:nodes", "system:authenticated"],
            **({} if by_token else {"extra": {CREDENTIAL: [f"X509SHA256={CERTIFICATE}"]}}),
        },
        "status": {},
    }


def honest_facts(flow: str, digest: str) -> dict[str, Any]:
    """What the master knows of the honest kubelet's node."""
    return {
        "now": NOW,
        "event_minion_id": "worker-1.example.com",
        "minion_accepted": True,
        "node": copy.deepcopy(NODE),
        "attested_spki_sha256": digest if flow == ATTESTED else None,
        "bootstrap_token_id": "abcdef" if flow == TOKEN else None,
        "attested_client_cert_sha256": CERTIFICATE if flow in (RENEWAL, SERVING) else None,
        "node_object": {"exists": flow != TOKEN, "ready": flow != TOKEN},
        "superseded": False,
    }


def changed(value: dict[str, Any], changes: Mapping[str, Any]) -> Any:
    """The value with what lies at these dotted paths replaced, or gone if MISSING; path "" is the whole."""
    for path, new in changes.items():
        if not path:
            return new
        *parents, last = path.split(".")
        place = value
        for parent in parents:
            place = place[parent]
        if new is MISSING:
            del place[last]
        else:
            place[last] = new
    return value
