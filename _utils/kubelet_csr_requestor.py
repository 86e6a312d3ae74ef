"""Rules on what is asked for and by whom: usages, lifetime, and the authenticated requestor."""

from __future__ import annotations

import re
from typing import Any

from kubelet_csr_case import (
    DENY,
    IGNORE,
    SERVING,
    STRANGE,
    Case,
    Finding,
    check,
    is_sha256,
    mapping,
    same_digest,
    show,
    show_all,
    text,
    texts,
)

_TOKEN_USER = re.compile(r"system:bootstrap:[a-z0-9]{6}")
_CREDENTIAL_ID = "authentication.kubernetes.io/credential-id"
_CERTIFICATE = re.compile(r"X509SHA256=([0-9a-f]{64})")
_ATTEST_AGAIN = "let the minion attest again"
_STOLEN = "an old or stolen certificate was used, find it and remove it"


def usages(case: Case) -> Finding:
    """The usages are the signer's, each once; key encipherment may be there or not.

    Kubelets up to 1.26 ask for it with every key, later ones with RSA keys.
    Source: pkg/apis/certificates/helpers.go, ValidateKubeletClientCSR and ValidateKubeletServingCSR.
    """
    asked = texts(case.spec.get("usages"))
    role = "server auth" if case.flow == SERVING else "client auth"
    needed = {"digital signature", role}
    right = set(asked) - {"key encipherment"} == needed and len(set(asked)) == len(asked)
    expected = f"the usages 'digital signature', '{role}' and perhaps 'key encipherment', each once"
    return check(right, DENY, expected, show_all(asked), STRANGE)


def expiration(case: Case) -> Finding:
    """The lifetime asked for, if any, is within the policy (api/certificates/v1/types.go: 600 s or more)."""
    seconds = case.spec.get("expirationSeconds")
    least, most = case.settings["min_expiration_seconds"], case.settings["max_expiration_seconds"]
    right = seconds is None or (type(seconds) is int and least <= seconds <= most)
    todo = "change the policy's expiration_seconds if that is meant"
    return check(right, DENY, f"no expirationSeconds or {least} to {most}", show(seconds), todo)


def bootstrap_user(case: Case) -> Finding:
    """A first certificate is asked for with a bootstrap token (auth/authenticator/token/bootstrap).

    Or with a token file's, whose user the pillar names: many share it, so the key must be attested as well.
    """
    right = _TOKEN_USER.fullmatch(case.username) is not None or _is_file_user(case)
    todo = "let the kubelet join with its minion's bootstrap token"
    return check(right, DENY, "the user system:bootstrap:<token id>", show(case.spec.get("username")), todo)


def _is_file_user(case: Case) -> bool:
    user = text(case.fact("bootstrap_user"))
    return user != "" and not user.startswith("system:") and user == case.username


def bootstrap_groups(case: Case) -> Finding:
    """The requestor has a bootstrap token's groups, and is neither master nor node (token/api/types.go).

    What groups a token file gives its user is the operator's to say.
    """
    wanted = (
        ("system:authenticated",) if _is_file_user(case) else ("system:bootstrappers", "system:authenticated")
    )
    return _groups(case, wanted, ("system:masters", "system:nodes"))


def node_groups(case: Case) -> Finding:
    """The requestor has a node's groups, and is no master (pkg/auth/nodeidentifier/default.go)."""
    return _groups(case, ("system:nodes", "system:authenticated"), ("system:masters",))


def _groups(case: Case, wanted: tuple[str, ...], forbidden: tuple[str, ...]) -> Finding:
    groups = texts(case.spec.get("groups"))
    right = set(wanted) <= set(groups) and not set(forbidden) & set(groups)
    expected = f"a requestor in {' and '.join(wanted)}, and not in {' or '.join(forbidden)}"
    return check(right, DENY, expected, show_all(groups), STRANGE)


def attested_key(case: Case) -> Finding:
    """The key is the one that the node's minion attests, if it does so. Threat: a leaked bootstrap token."""
    attested, digest = case.fact("attested_spki_sha256"), case.request.spki_sha256
    if attested is None:
        return check(True, DENY, "the attested key, if one is attested", "no attestation, the token decides")
    if not is_sha256(attested):
        return check(False, IGNORE, "an attestation of 64 hex digits", show(attested), _ATTEST_AGAIN)
    expected, found = f"the attested key {attested}", f"the key {digest}"
    todo = "let the minion attest again, and replace its bootstrap token if it has no such key"
    return check(same_digest(attested, digest), _if_attested_since(case), expected, found, todo)


def _if_attested_since(case: Case) -> str:
    """A difference to what was attested before the request was made says nothing: it may be new since."""
    return IGNORE if case.fact("attestation_is_current") is False else DENY


def bootstrap_token(case: Case) -> Finding:
    """Without an attested key the token must be the minion's own: a token is minted for one minion alone."""
    token, minion = case.fact("bootstrap_token_id"), show(case.node.get("minion_id"))
    expected = f"an attested key or the bootstrap token {show(token)} of minion {minion}"
    if case.is_attested:
        return check(True, IGNORE, expected, "an attested key")
    right = isinstance(token, str) and case.username == f"system:bootstrap:{token}"
    todo = "run the minion's highstate, so that its kubelet joins with its own token"
    return check(right, IGNORE, expected, f"the user {show(case.username)}", todo)


def token_group(case: Case) -> Finding:
    """The holder of a token that the master derived has the group that only its Secret gives.

    The ids of two minions' tokens can be the same, this group can't.
    """
    group = case.fact("bootstrap_group")
    expected = "the group of the minion's own token, if the master derived it"
    if group is None or case.is_attested:
        return check(
            True, IGNORE, expected, "an attested key" if case.is_attested else "a token of the operator's"
        )
    right = isinstance(group, str) and group in texts(case.spec.get("groups"))
    todo = "remove the Secret of that token: the approver makes it as it should be"
    return check(right, IGNORE, f"the group {show(group)}", show_all(texts(case.spec.get("groups"))), todo)


def node_not_ready(case: Case) -> Finding:
    """A token alone does not take over a Node that is Ready. Threat: a leaked token of a node at work."""
    node = mapping(case.fact("node_object"))
    expected = "an attested key, or a Node that is absent or not Ready"
    if case.is_attested:
        return check(True, IGNORE, expected, "an attested key")
    right = node.get("exists") is False or (node.get("exists") is True and node.get("ready") is False)
    todo = "delete the Node if its machine was made anew"
    return check(right, IGNORE, expected, _state(node), todo)


def node_exists(case: Case) -> Finding:
    """The Node is registered. A serving request can be a moment ahead of that: the next pass finds it."""
    node = mapping(case.fact("node_object"))
    todo = "wait until the kubelet has registered, and restart it if the Node was deleted"
    return check(node.get("exists") is True, IGNORE, "a registered Node", _state(node), todo)


def _state(node: dict[Any, Any]) -> str:
    exists, ready = node.get("exists"), node.get("ready")
    if exists is False:
        return "no Node"
    if exists is not True or not isinstance(ready, bool):
        return "no word on the Node"
    return "a Ready Node" if ready else "a Node that is not Ready"


def node_user(case: Case) -> Finding:
    """A node asks for itself: the requestor is the common name (sarapprove.go, isSelfNodeClientCert)."""
    user = case.spec.get("username")
    return check(
        user == case.node_username, DENY, f"the user {show(case.node_username)}", show(user), STRANGE
    )


def credential(case: Case) -> Finding:
    """The requestor's client certificate is the one that the node's minion attests. Threat: a stolen one.

    The API server stamps the digest of the certificate that authenticated the request; old ones stamp none.
    Source: apiserver/pkg/authentication/request/x509/x509.go.
    """
    extra = mapping(case.spec.get("extra"))
    stamped = {key: value for key, value in extra.items() if text(key).strip().lower() == _CREDENTIAL_ID}
    if not stamped:
        return check(True, DENY, "the node's own certificate, if one is named", "none named")
    values = texts(stamped.get(_CREDENTIAL_ID))
    digest = _CERTIFICATE.fullmatch(values[0]) if len(stamped) == len(values) == 1 else None
    if digest is None:
        found = show_all([item for value in stamped.values() for item in texts(value)])
        return check(False, DENY, "one credential-id X509SHA256=<64 hex digits>", found, STRANGE)
    attested = case.fact("attested_client_cert_sha256")
    if attested is not None and not is_sha256(attested):
        return check(False, IGNORE, "an attestation of 64 hex digits", show(attested), _ATTEST_AGAIN)
    right = attested is None or same_digest(attested, digest[1])
    expected = "any client certificate" if attested is None else f"the client certificate {attested}"
    verdict = _if_attested_since(case)
    return check(right, verdict, expected, digest[1], _STOLEN if verdict == DENY else _ATTEST_AGAIN)
