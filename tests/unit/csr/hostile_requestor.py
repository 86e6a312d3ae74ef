"""Requests by somebody else, for other usages, or for a lifetime that nobody gives."""

from __future__ import annotations

from collections.abc import Iterator

import kube_node_tokens

from unit.csr.samples import (
    ATTESTED,
    CERTIFICATE,
    CREDENTIAL,
    DENY,
    IGNORE,
    MISSING,
    OTHER_DIGEST,
    RENEWAL,
    SERVING,
    TOKEN,
    Sample,
    sample,
)

SIGN, ENCIPHER, CLIENT_AUTH, SERVER_AUTH = (
    "digital signature",
    "key encipherment",
    "client auth",
    "server auth",
)
TOKENS, EVERYBODY, NODES, MASTERS = (
    "system:bootstrappers",
    "system:authenticated",
    "system:nodes",
    "system:masters",
)
# What the Secrets of two minions' derived tokens give their holders, and the user of a token file.
OWN_GROUP = kube_node_tokens.group("production", "worker-1.example.com", "worker-1")
OTHER_GROUP = kube_node_tokens.group("production", "worker-2.example.com", "worker-2")
FILE_USER = "kubelet-bootstrap"


def usages() -> Iterator[Sample]:
    for flow in (TOKEN, SERVING):
        role, other = (SERVER_AUTH, CLIENT_AUTH) if flow == SERVING else (CLIENT_AUTH, SERVER_AUTH)
        odd = {
            "none": [],
            "the role alone": [role],
            "no role": [SIGN, ENCIPHER],
            "the other role": [SIGN, other],
            "both roles": [SIGN, role, other],
            "signing twice": [SIGN, SIGN, role],
            "encipherment twice": [SIGN, ENCIPHER, ENCIPHER, role],
            "no signing": [ENCIPHER, role],
            "any": [SIGN, role, "any"],
            "any alone": ["any"],
            "cert sign": [SIGN, role, "cert sign"],
            "an unknown one": [SIGN, role, "flying"],
            "an empty one": [SIGN, role, ""],
            "upper case": [SIGN, role.title()],
            "a space more": [SIGN, role + " "],
            "a dash": [SIGN.replace(" ", "-"), role],
        }
        for name, value in odd.items():
            yield sample(f"usages: {name}", "usages", flow, csr={"spec.usages": value})
        yield sample("usages missing", "usages", flow, csr={"spec.usages": MISSING})
        yield sample("usages null", "usages", flow, csr={"spec.usages": None})


def lifetimes() -> Iterator[Sample]:
    for seconds in (0, -1, 599, -3600, 31_536_001, 2**31, 2**63, 10**5000):
        shown = seconds if seconds < 2**64 else "without end"
        yield sample(f"{shown} seconds", "expiration", csr={"spec.expirationSeconds": seconds})
    short = {"max_expiration_seconds": 3600}
    yield sample(
        "more than the policy gives",
        "expiration",
        SERVING,
        csr={"spec.expirationSeconds": 3601},
        policy=short,
    )
    long = {"min_expiration_seconds": 3600}
    yield sample(
        "less than the policy gives", "expiration", RENEWAL, csr={"spec.expirationSeconds": 3599}, policy=long
    )


def bootstrap_users() -> Iterator[Sample]:
    odd = (
        "kubernetes-admin",
        "kubelet-bootstrap",
        "system:bootstrap:",
        "system:bootstrap:abcde",
        "system:bootstrap:abcdefg",
        "system:bootstrap:ABCDEF",
        "System:bootstrap:abcdef",
        "system:bootstrap:abcdef ",
        "system:bootstrap:abcdef\n",
        "system:bootstrap:abcd\u0435f",
        "system:bootstrapper:abcdef",
        "system:serviceaccount:kube-system:abcdef",
        "system:anonymous",
        "system:kube-controller-manager",
        "",
        None,
        MISSING,
    )
    for user in odd:
        shown = "missing" if user is MISSING else repr(user)
        yield sample(f"user {shown}", "bootstrap_user", ATTESTED, csr={"spec.username": user})


def node_users() -> Iterator[Sample]:
    odd = (
        "system:node:worker-2",
        "system:node:worker-11",
        "system:node:worker",
        "system:node:Worker-1",
        "system:node:worker-1 ",
        "system:node:worker-1\0",
        "system:node:",
    )
    for flow in (RENEWAL, SERVING):
        for user in odd:
            yield sample(f"user {user!r}", "node_user", flow, csr={"spec.username": user})
    for user in ("system:bootstrap:abcdef", "kubernetes-admin", "SYSTEM:NODE:worker-1", "", None, MISSING):
        shown = "missing" if user is MISSING else repr(user)
        yield sample(f"user {shown}", "node_user", SERVING, csr={"spec.username": user})


def groups() -> Iterator[Sample]:
    odd = {
        TOKEN: (
            [TOKENS, EVERYBODY, MASTERS],
            [TOKENS, EVERYBODY, NODES],
            [TOKENS],
            [EVERYBODY],
            [NODES, EVERYBODY],
        ),
        RENEWAL: ([NODES, EVERYBODY, MASTERS], [NODES], [EVERYBODY], [TOKENS, EVERYBODY]),
        SERVING: ([NODES, EVERYBODY, MASTERS], [NODES], [EVERYBODY], ["System:nodes", EVERYBODY]),
    }
    odd[ATTESTED] = odd[TOKEN]
    for flow, lists in odd.items():
        rule = "bootstrap_groups" if flow in (ATTESTED, TOKEN) else "node_groups"
        for value in (*lists, [], None, MISSING, [f"{NODES},{EVERYBODY}", f"{TOKENS},{EVERYBODY}"]):
            shown = "missing" if value is MISSING else repr(value)
            yield sample(f"groups {shown}", rule, flow, csr={"spec.groups": value})


def attestations() -> Iterator[Sample]:
    other = {"attested_spki_sha256": OTHER_DIGEST}
    yield sample("another key is attested", "attested_key", ATTESTED, facts=other)
    yield sample("the minion's token, but another key is attested", "attested_key", TOKEN, facts=other)
    yield sample(
        "the same in upper case", "attested_key", TOKEN, facts={"attested_spki_sha256": OTHER_DIGEST.upper()}
    )
    for value in (
        OTHER_DIGEST[:16],
        OTHER_DIGEST + "0",
        "",
        "x" * 64,
        OTHER_DIGEST + "\n",
        7,
        True,
        [OTHER_DIGEST],
    ):
        facts = {"attested_spki_sha256": value}
        yield sample(f"an attestation of {value!r}", "attested_key", facts=facts, verdict=IGNORE)


def tokens() -> Iterator[Sample]:
    def ignored(name: str, rule: str, **changes: object) -> Sample:
        return sample(name, rule, TOKEN, verdict=IGNORE, **changes)

    for value in (
        "zzzzzz",
        "ABCDEF",
        "abcdef.0123456789abcdef",
        "abcde",
        "",
        None,
        7,
        True,
        ["abcdef"],
        MISSING,
    ):
        shown = "missing" if value is MISSING else repr(value)
        yield ignored(f"the minted token is {shown}", "bootstrap_token", facts={"bootstrap_token_id": value})
    yield ignored(
        "another minion's token", "bootstrap_token", csr={"spec.username": "system:bootstrap:zzzzzz"}
    )
    for value in (
        {"exists": True, "ready": True},
        {"exists": True},
        {"exists": True, "ready": None},
        {"exists": True, "ready": 0},
        {"exists": None, "ready": False},
        {"exists": 0, "ready": False},
        {"ready": False},
        {},
        None,
        [],
        "absent",
        MISSING,
    ):
        shown = "missing" if value is MISSING else repr(value)
        yield ignored(f"a token while the Node is {shown}", "node_not_ready", facts={"node_object": value})


def derived_tokens() -> Iterator[Sample]:
    """Another token that has the id of the minion's own: six letters can be the same twice."""

    def ignored(name: str, groups: list[str], group: object = OWN_GROUP) -> Sample:
        facts = {"bootstrap_group": group}
        return sample(name, "token_group", TOKEN, csr={"spec.groups": groups}, facts=facts, verdict=IGNORE)

    yield ignored("a derived token's id without its group", [TOKENS, EVERYBODY])
    yield ignored("another minion's token of the same id", [TOKENS, OTHER_GROUP, EVERYBODY])
    yield ignored("a group of which the own one is a part", [TOKENS, f"{OWN_GROUP}0", EVERYBODY])
    yield ignored("a part of the own group", [TOKENS, OWN_GROUP[:-1], EVERYBODY])
    yield ignored("the own group in upper case", [TOKENS, OWN_GROUP.upper(), EVERYBODY])
    for value in ("", 7, True, False, [OWN_GROUP], {}):
        yield ignored(f"the own group is {value!r}", [TOKENS, OWN_GROUP, EVERYBODY], value)


def file_users() -> Iterator[Sample]:
    """Those who hold the token of a token file, which many share."""

    def by(user: object, *groups: str) -> dict[str, object]:
        return {"spec.username": user, "spec.groups": [*groups, EVERYBODY]}

    known = {"bootstrap_user": FILE_USER}
    yield sample(
        "a token file's user without an attested key",
        "bootstrap_token",
        csr=by(FILE_USER),
        facts=known,
        verdict=IGNORE,
    )
    yield sample(
        "another key is attested to a token file's user",
        "attested_key",
        csr=by(FILE_USER),
        facts={**known, "attested_spki_sha256": OTHER_DIGEST},
    )
    for user in ("kubelet-bootstrap-2", "Kubelet-bootstrap", "kubelet-bootstrap ", "", None):
        yield sample(
            f"user {user!r}, not a token file's", "bootstrap_user", ATTESTED, csr=by(user), facts=known
        )
    for user in ("system:kube-scheduler", "system:bootstrap", "system:", "system:anonymous"):
        facts = {"bootstrap_user": user}
        yield sample(
            f"user {user!r} as a token file's", "bootstrap_user", ATTESTED, csr=by(user), facts=facts
        )
    for value in ("", None, 7, True, [FILE_USER]):
        facts = {"bootstrap_user": value}
        user = FILE_USER if value else value
        yield sample(
            f"a token file's user is {value!r}", "bootstrap_user", ATTESTED, csr=by(user), facts=facts
        )
    for groups in ((MASTERS,), (NODES,), (TOKENS, MASTERS)):
        csr = by(FILE_USER, *groups)
        yield sample(f"a token file's user in {groups}", "bootstrap_groups", ATTESTED, csr=csr, facts=known)
    csr = {"spec.username": FILE_USER, "spec.groups": [TOKENS]}
    yield sample(
        "a token file's user whom nobody vouches for", "bootstrap_groups", ATTESTED, csr=csr, facts=known
    )


def stale_attestations() -> Iterator[Sample]:
    """What was attested before the request was made: only that it is the same says something."""
    for current in (False, True, 0, None, "no", MISSING):
        verdict = IGNORE if current is False else DENY
        said = {} if current is MISSING else {"attestation_is_current": current}
        when = "of unknown age" if current is MISSING else f"whose being current is {current!r}"
        for flow in (ATTESTED, TOKEN):
            facts = {"attested_spki_sha256": OTHER_DIGEST, **said}
            yield sample(f"another key, {when}", "attested_key", flow, facts=facts, verdict=verdict)
        for flow in (RENEWAL, SERVING):
            facts = {"attested_client_cert_sha256": OTHER_DIGEST, **said}
            yield sample(f"another certificate, {when}", "credential", flow, facts=facts, verdict=verdict)
    for flow in (RENEWAL, SERVING):
        extra = {"spec.extra": {CREDENTIAL: ["JTI=1"]}}
        facts = {"attestation_is_current": False}
        yield sample("a token's id while the attestation is old", "credential", flow, csr=extra, facts=facts)


def node_objects() -> Iterator[Sample]:
    for flow in (RENEWAL, SERVING):
        for value in ({"exists": False, "ready": False}, {"exists": 1}, {"ready": True}, None, "x", MISSING):
            shown = "missing" if value is MISSING else repr(value)
            facts = {"node_object": value}
            yield sample(f"the Node is {shown}", "node_exists", flow, facts=facts, verdict=IGNORE)


def credentials() -> Iterator[Sample]:
    stamped = f"X509SHA256={CERTIFICATE}"
    odd = {
        "another certificate": {CREDENTIAL: [f"X509SHA256={OTHER_DIGEST}"]},
        "two certificates": {CREDENTIAL: [stamped, f"X509SHA256={OTHER_DIGEST}"]},
        "our certificate twice": {CREDENTIAL: [stamped, stamped]},
        "no value": {CREDENTIAL: []},
        "an empty value": {CREDENTIAL: [""]},
        "a token's id": {CREDENTIAL: ["JTI=8a0a5a36-4d4f-4a3c-8b73-3f4d7a1c9a11"]},
        "a digest of upper case": {CREDENTIAL: [f"X509SHA256={CERTIFICATE.upper()}"]},
        "a prefix of lower case": {CREDENTIAL: [f"x509sha256={CERTIFICATE}"]},
        "a digest cut short": {CREDENTIAL: [stamped[:-1]]},
        "a digest with a letter more": {CREDENTIAL: [stamped + "0"]},
        "a newline at its end": {CREDENTIAL: [stamped + "\n"]},
        "a digest without prefix": {CREDENTIAL: [CERTIFICATE]},
        "a key of upper case": {CREDENTIAL.upper(): [stamped]},
        "two keys": {CREDENTIAL: [stamped], CREDENTIAL.title(): [stamped]},
        "a key with a space": {CREDENTIAL + " ": [stamped]},
    }
    for flow in (RENEWAL, SERVING):
        for name, extra in odd.items():
            yield sample(f"credential: {name}", "credential", flow, csr={"spec.extra": extra})
        other = {"attested_client_cert_sha256": OTHER_DIGEST}
        yield sample("another certificate is attested", "credential", flow, facts=other)
        for value in ("", CERTIFICATE[:32], stamped, 7, True, [CERTIFICATE]):
            facts = {"attested_client_cert_sha256": value}
            yield sample(f"{value!r} is attested", "credential", flow, facts=facts, verdict=IGNORE)


def samples() -> Iterator[Sample]:
    yield from usages()
    yield from lifetimes()
    yield from bootstrap_users()
    yield from node_users()
    yield from groups()
    yield from attestations()
    yield from tokens()
    yield from derived_tokens()
    yield from file_users()
    yield from stale_attestations()
    yield from node_objects()
    yield from credentials()
