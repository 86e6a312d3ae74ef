"""Rules on the API object, and on what the master knows of the node that it is for.

Most of them ignore: such a request is not ours to judge, not ours any more, or not ours yet. Only the name of
the object and the types of its fields are the requestor's doing, and denied.
"""

from __future__ import annotations

import re
from itertools import permutations
from typing import Any

from kubelet_csr_case import (
    AS_EXPECTED,
    DEFAULT_POLICY,
    DENY,
    IGNORE,
    STRANGE,
    Case,
    Finding,
    check,
    mapping,
    moment,
    show,
    texts,
)
from kubelet_csr_request import digested_name

# Source: apimachinery/pkg/util/rand/rand.go, the alphabet of generateName's five characters.
_GENERATED_NAME = re.compile(r"csr-[bcdfghjklmnpqrstvwxz2456789]{5}")
_DIGESTED_NAME = re.compile(r"node-csr-[A-Za-z0-9_-]{43}")
_DECISIONS = ("approved", "denied", "failed")
_LARGEST_SETTING = 2**63


def policy(case: Case) -> Finding:
    """The approver's own settings have the documented types, else nothing is judged by them: fail closed."""
    wrong = _wrong_setting(case)
    found = f"{show(case.settings.get(wrong, case.policy))} as {wrong}" if wrong else AS_EXPECTED
    todo = "mend the approver's configuration"
    return check(wrong is None, IGNORE, "a policy of the documented types", found, todo)


def _wrong_setting(case: Case) -> str | None:
    if not isinstance(case.policy, dict):
        return "policy"
    settings = case.settings
    for key, default in DEFAULT_POLICY.items():
        if not _is_like(settings[key], default):
            return key
    return "serving_signer" if settings["client_signer"] == settings["serving_signer"] else None


def _is_like(value: Any, default: Any) -> bool:
    if isinstance(default, tuple):
        listed = isinstance(value, list | tuple | set | frozenset)
        return listed and all(isinstance(item, str) for item in value)
    if type(default) is int:
        return type(value) is int and 0 <= value < _LARGEST_SETTING
    return type(value) is type(default)


def kind(case: Case) -> Finding:
    """The object is a CertificateSigningRequest of certificates.k8s.io/v1 (api/certificates/v1/types.go).

    Older APIs give its fields another meaning: v1beta1 signs what names no signer at all.
    """
    csr = mapping(case.csr)
    found = f"{show(csr.get('kind'))} of {show(csr.get('apiVersion'))}" if csr else show(case.csr)
    right = (
        csr.get("kind") == "CertificateSigningRequest" and csr.get("apiVersion") == "certificates.k8s.io/v1"
    )
    if right and not all(isinstance(csr.get(part), dict) for part in ("metadata", "spec")):
        right, found = False, "one without metadata or spec"
    return check(right, IGNORE, "a CertificateSigningRequest of certificates.k8s.io/v1", found)


def signer(case: Case) -> Finding:
    """The signer is one of the kubelet's two; a request to another one is somebody else's to judge.

    Threat: an approver that answers for every signer (deckhouse/deckhouse issue 22901).
    """
    signers = [case.settings["client_signer"], case.settings["serving_signer"]]
    name = case.spec.get("signerName")
    todo = "this approver leaves other signers' requests alone"
    return check(name in signers, IGNORE, f"the signer {' or '.join(signers)}", show(name), todo)


def undecided(case: Case) -> Finding:
    """Nobody has decided the request, it has no certificate, and it is not being deleted.

    Source: api/certificates/v1/types.go; Approved and Denied are final.
    """
    decision = _decision(case)
    expected, todo = "a request that nobody has decided", "there is nothing left to decide"
    return check(decision is None, IGNORE, expected, decision or AS_EXPECTED, todo)


def _decision(case: Case) -> str | None:
    status = mapping(case.csr).get("status")
    if not isinstance(status, dict | None):
        return f"{show(status)} as its status"
    if case.metadata.get("deletionTimestamp") is not None:
        return "one that is being deleted"
    if mapping(status).get("certificate") not in (None, ""):
        return "one with a certificate"
    conditions = mapping(status).get("conditions")
    if not isinstance(conditions, list | None):
        return f"{show(conditions)} as its conditions"
    for condition in conditions or ():
        name = mapping(condition).get("type")
        if not isinstance(name, str) or name.strip().lower() in _DECISIONS:
            return f"the condition {show(name)}"
    return None


def preconditions(case: Case) -> Finding:
    """uid and resourceVersion are there for the write to name.

    Without them a PUT would hit an object of the same name made since, or override a decision made meanwhile:
    this resource allows unconditional updates, and a version of 0 is one.
    Source: registry/certificates/certificates/strategy.go; apiserver/pkg/registry/generic/registry/store.go.
    """
    uid, version = case.metadata.get("uid"), case.metadata.get("resourceVersion")
    right = isinstance(uid, str) and uid != "" and isinstance(version, str) and version.strip("0") != ""
    found = f"uid {show(uid)} and resourceVersion {show(version)}"
    return check(right, IGNORE, "a uid and a resourceVersion to write by", found, "read the request again")


def age(case: Case) -> Finding:
    """The request is new, and not from the future. Threat: replay of an old request.

    A kubelet waits 15 minutes, without rotation an hour, and makes a new one (certificate_manager.go).
    """
    created, now = moment(case.metadata.get("creationTimestamp")), moment(case.fact("now"))
    oldest, skew = case.settings["max_csr_age_seconds"], case.settings["max_future_skew_seconds"]
    expected = f"a request made at most {oldest} s ago and {skew} s ahead"
    if created is None or now is None:
        found = (
            f"creationTimestamp {show(case.metadata.get('creationTimestamp'))} at {show(case.fact('now'))}"
        )
        return check(False, IGNORE, expected, found, "both must be times in UTC")
    seconds = (now - created).total_seconds()
    found = f"one made {abs(seconds):.0f} s {'ahead' if seconds < 0 else 'ago'}"
    todo = (
        "compare the clocks of master and API server" if seconds < 0 else "restart the kubelet for a new one"
    )
    return check(-skew <= seconds <= oldest, IGNORE, expected, found, todo)


def node_known(case: Case) -> Finding:
    """A minion's pillar says that it is this node: nothing else makes a node ours."""
    name, minion = case.node.get("name"), case.node.get("minion_id")
    right = all(isinstance(value, str) and value for value in (name, minion))
    found = f"node {show(name)} of minion {show(minion)}" if case.node else "none"
    todo = "give the minion a pillar with kube_node.node.name if the machine is to be a node"
    return check(right, IGNORE, "a minion whose pillar has this node", found, todo)


def minion_accepted(case: Case) -> Finding:
    """The key of the node's minion is accepted now. Threat: a machine that was taken out of service."""
    accepted, minion = case.fact("minion_accepted") is True, show(case.node.get("minion_id"))
    expected = f"the key of minion {minion} to be accepted on this master"
    todo = f"accept it with salt-key -a {minion} if the machine is to be a node"
    return check(accepted, IGNORE, expected, AS_EXPECTED if accepted else "that it is not", todo)


def event_minion(case: Case) -> Finding:
    """A pass that a minion asked for is for that minion's node. Threat: another minion forges the event."""
    asked, minion = case.fact("event_minion_id"), case.node.get("minion_id")
    found = "a sweep" if asked is None else f"one of minion {show(asked)}"
    todo = "nothing to do, the node's own minion asks for itself"
    return check(asked in (None, minion), IGNORE, f"an event of minion {show(minion)}", found, todo)


def newest(case: Case) -> Finding:
    """Of one requestor's pending requests the newest is judged: its kubelet watches no other.

    A kubelet that ends before the approval leaves one request at every start (certificate_manager.go).
    """
    superseded = case.fact("superseded")
    right = superseded is None or superseded is False
    expected = "the requestor's newest request for this node"
    todo = "nothing to do, the cluster removes the older one after a day"
    return check(right, IGNORE, expected, AS_EXPECTED if right else "that a newer one is pending", todo)


def field_types(case: Case) -> Finding:
    """The fields have the API's types: a list is no string, true is no number (certificates/v1/types.go)."""
    wrong = [path for path, value, right in _fields(case) if value is not None and not right]
    found = f"another type in {', '.join(wrong)}" if wrong else AS_EXPECTED
    return check(not wrong, DENY, "fields of the API's types", found, STRANGE)


def _fields(case: Case) -> list[tuple[str, Any, bool]]:
    strings = [("metadata.name", case.metadata.get("name"))]
    strings += [(f"spec.{key}", case.spec.get(key)) for key in ("request", "username", "uid")]
    lists = [(f"spec.{key}", case.spec.get(key)) for key in ("groups", "usages")]
    extra, seconds = case.spec.get("extra"), case.spec.get("expirationSeconds")
    return [
        *((path, value, isinstance(value, str)) for path, value in strings),
        *((path, value, _is_texts(value)) for path, value in lists),
        ("spec.extra", extra, isinstance(extra, dict) and all(_is_texts(value) for value in extra.values())),
        ("spec.expirationSeconds", seconds, type(seconds) is int),
    ]


def _is_texts(value: Any) -> bool:
    return isinstance(value, list) and len(texts(value)) == len(value)


def object_name(case: Case) -> Finding:
    """The object has a kubelet's name: csr- and five generated characters, or node-csr- and a digest.

    The API server takes any name (ValidateCertificateRequestName), also one that is an option or a path to a
    careless tool. The digest is over key, subject and usages, whose order 1.27 changed. Up to 1.15 it is over
    the private key, so nobody else can compute it: `check_name_digest: False` takes any digest of the right
    form, for nodes of such a version only.
    Source: pkg/kubelet/certificate/bootstrap/bootstrap.go, digestedName; certificate_manager.go.
    """
    name = case.metadata.get("name")
    right = isinstance(name, str) and (
        _GENERATED_NAME.fullmatch(name) is not None
        or (_DIGESTED_NAME.fullmatch(name) is not None and _is_own_digest(case, name))
    )
    todo = "look who made this request, and set check_name_digest: false for a kubelet up to 1.15"
    return check(right, DENY, "the name csr-xxxxx or node-csr- with the request's digest", show(name), todo)


def _is_own_digest(case: Case, name: str) -> bool:
    if not case.settings["check_name_digest"]:
        return True
    usages = texts(case.spec.get("usages"))
    orders = permutations(usages) if len(usages) <= 3 else (usages,)
    return any(digested_name(case.request, order) == name for order in orders)
