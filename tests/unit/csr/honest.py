"""Requests of honest kubelets, of all versions and in all circumstances in which they are to be approved."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timezone
from ipaddress import ip_address
from itertools import permutations
from typing import Any

from unit.csr import der, keys
from unit.csr.hostile_requestor import (
    CLIENT_AUTH,
    ENCIPHER,
    EVERYBODY,
    FILE_USER,
    OWN_GROUP,
    SERVER_AUTH,
    SIGN,
    TOKENS,
)
from unit.csr.samples import (
    ALL,
    APPROVE,
    ATTESTED,
    MISSING,
    OTHER_DIGEST,
    RENEWAL,
    SERVING,
    TOKEN,
    Sample,
    sample,
)


def honest(name: str, flow: str, **changes: Any) -> Sample:
    return sample(name, f"approved_{flow}", flow, verdict=APPROVE, **changes)


def key_kinds() -> Iterator[Sample]:
    for flow in ALL:
        for name in ("P-256", "P-384", "P-521"):
            for hash_name in ("sha256", "sha384", "sha512"):
                yield honest(f"{name} with {hash_name}", flow, key=keys.curve(name), hash_name=hash_name)
        yield honest("RSA of 2048 bits", flow, key=keys.real_rsa())
    for primes in (5, 6, 8, 16):
        for hash_name in ("sha256", "sha384", "sha512"):
            yield honest(
                f"RSA of about {primes * 512} bits with {hash_name}",
                RENEWAL,
                key=keys.rsa_of(primes),
                hash_name=hash_name,
            )
    yield honest(
        "an RSA key of just the policy's size", TOKEN, key=keys.real_rsa(), policy={"max_rsa_bits": 2048}
    )


def subjects() -> Iterator[Sample]:
    for flow in ALL:
        yield honest("UTF8String", flow, subject=der.node_subject("system:node:worker-1"))
    mixed = der.subject(
        der.attribute(der.O, "system:nodes", der.PRINTABLE), der.attribute(der.CN, "system:node:worker-1")
    )
    yield honest("both string types", TOKEN, subject=mixed)
    for name in (
        "1",
        "a.b",
        "0.0",
        "xn--wrker-kva",
        "worker-1.eu-west-1.compute.internal",
        "a" * 63 + "." + "b" * 189,
    ):
        subject = der.node_subject(f"system:node:{name}", der.PRINTABLE)
        yield honest(f"node name {name[:40]}", ATTESTED, subject=subject, facts={"node.name": name})
        csr = {"spec.username": f"system:node:{name}"}
        yield honest(f"node name {name[:40]}", RENEWAL, subject=subject, facts={"node.name": name}, csr=csr)


def usages() -> Iterator[Sample]:
    for flow in ALL:
        role = SERVER_AUTH if flow == SERVING else CLIENT_AUTH
        for value in ([role, SIGN], [SIGN, ENCIPHER, role], [SIGN, role, ENCIPHER]):
            yield honest(f"usages {value}", flow, csr={"spec.usages": value})


def lifetimes() -> Iterator[Sample]:
    for flow, seconds in ((TOKEN, 600), (RENEWAL, 86_400), (SERVING, 31_536_000), (ATTESTED, None)):
        yield honest(f"{seconds} seconds", flow, csr={"spec.expirationSeconds": seconds})
    short = {"min_expiration_seconds": 60, "max_expiration_seconds": 60}
    yield honest("the policy's own seconds", RENEWAL, csr={"spec.expirationSeconds": 60}, policy=short)


def object_names() -> Iterator[Sample]:
    for key in (keys.curve("P-256"), keys.real_rsa()):
        kind = "RSA" if key is keys.real_rsa() else "EC"
        for value in ([SIGN, CLIENT_AUTH], [SIGN, ENCIPHER, CLIENT_AUTH], [SIGN, CLIENT_AUTH, ENCIPHER]):
            for asked in permutations(value) if kind == "EC" else (value,):
                name = der.digested_name(der.spki(key), "worker-1", value)
                csr = {"metadata.name": name, "metadata.generateName": MISSING, "spec.usages": list(asked)}
                yield honest(f"the {kind} digest of {value}, asked {list(asked)}", TOKEN, key=key, csr=csr)
    unchecked = {"metadata.name": "node-csr-" + "A-_0" * 10 + "zzz"}
    yield honest("a digest of 1.15", ATTESTED, csr=unchecked, policy={"check_name_digest": False})
    yield honest("another generated name", SERVING, csr={"metadata.name": "csr-bcdfg"})


def times() -> Iterator[Sample]:
    for name, now, created in (
        ("made this second", "2026-11-23T12:00:00Z", "2026-11-23T12:00:00Z"),
        ("just an hour old", "2026-11-23T12:00:00Z", "2026-11-23T11:00:00Z"),
        ("a minute ahead", "2026-11-23T12:00:00Z", "2026-11-23T12:01:00Z"),
        ("judged at a fraction", "2026-11-23T12:00:00.123456Z", "2026-11-23T12:00:00Z"),
        ("judged by nanoseconds", "2026-11-23T12:00:00.123456789Z", "2026-11-23T12:00:00Z"),
        ("judged at an offset of zero", "2026-11-23T12:00:00+00:00", "2026-11-23T11:59:00Z"),
        ("judged by a datetime", datetime(2026, 11, 23, 12, tzinfo=timezone.utc), "2026-11-23T11:59:00Z"),
        ("judged by a datetime without a zone", datetime(2026, 11, 23, 12), "2026-11-23T11:59:00Z"),
        ("judged over midnight", "2026-12-01T00:00:10Z", "2026-11-30T23:59:50Z"),
    ):
        yield honest(name, TOKEN, facts={"now": now}, csr={"metadata.creationTimestamp": created})


def circumstances() -> Iterator[Sample]:
    for flow in ALL:
        yield honest("a sweep", flow, facts={"event_minion_id": None})
        yield honest(
            "nothing said of the event, nor of newer ones",
            flow,
            facts={"event_minion_id": MISSING, "superseded": MISSING},
        )
        yield honest("no status", flow, csr={"status": MISSING})
        yield honest("deny off", flow, policy={"deny": False})
    yield honest("status null", TOKEN, csr={"status": None})
    yield honest("conditions null", RENEWAL, csr={"status": {"conditions": None, "certificate": None}})
    yield honest(
        "another controller's condition",
        SERVING,
        csr={"status": {"conditions": [{"type": "Seen", "status": "True"}]}},
    )
    yield honest("not being deleted", TOKEN, csr={"metadata.deletionTimestamp": None})
    yield honest("a Node that is not Ready", TOKEN, facts={"node_object": {"exists": True, "ready": False}})
    yield honest(
        "an attested key on a Ready Node", ATTESTED, facts={"node_object": {"exists": True, "ready": True}}
    )
    yield honest("an attested key, nothing known of the Node", ATTESTED, facts={"node_object": None})
    yield honest("an attested key and another token", ATTESTED, facts={"bootstrap_token_id": "zzzzzz"})
    more = ["system:bootstrappers", "system:bootstrappers:kubeadm:default-node-token", "system:authenticated"]
    yield honest("a token's own groups", TOKEN, csr={"spec.groups": more})
    yield honest(
        "groups in another order", RENEWAL, csr={"spec.groups": ["system:authenticated", "system:nodes"]}
    )
    yield honest(
        "the whole policy said", TOKEN, policy={"allowed_curves": ["P-256"], "allowed_sig_hashes": {"sha256"}}
    )
    other = {"attested_spki_sha256": OTHER_DIGEST}
    for flow in (RENEWAL, SERVING):
        yield honest("the first key's attestation still there", flow, facts=other)
        yield honest("no attested certificate", flow, facts={"attested_client_cert_sha256": None})
        yield honest("an API server that stamps nothing", flow, csr={"spec.extra": MISSING})
        yield honest("extra null, uid empty", flow, csr={"spec.extra": None, "spec.uid": ""})
        yield honest("other extra", flow, csr={"spec.extra": {"example.com/zone": ["a", "b"]}})
        yield honest(
            "a Node that is not Ready", flow, facts={"node_object": {"exists": True, "ready": False}}
        )


def tokens() -> Iterator[Sample]:
    own = {"spec.groups": [TOKENS, OWN_GROUP, EVERYBODY]}
    yield honest("a derived token", TOKEN, csr=own, facts={"bootstrap_group": OWN_GROUP})
    yield honest("a token of the operator's", TOKEN, facts={"bootstrap_group": None})
    yield honest("an attested key and any token", ATTESTED, facts={"bootstrap_group": OWN_GROUP})
    for groups in ([EVERYBODY], [TOKENS, EVERYBODY], ["system:kubelet-bootstrap", EVERYBODY]):
        by = {"spec.username": FILE_USER, "spec.groups": groups}
        facts = {"bootstrap_user": FILE_USER}
        yield honest(f"a token file's user in {groups}", ATTESTED, csr=by, facts=facts)
    yield honest(
        "a token of its own, though there is a token file", TOKEN, facts={"bootstrap_user": FILE_USER}
    )


def attestations() -> Iterator[Sample]:
    for flow in ALL:
        for current in (False, True, None):
            facts = {"attestation_is_current": current}
            yield honest(f"nothing differs, being current is {current}", flow, facts=facts)


def names() -> Iterator[Sample]:
    dns, v4, v6 = (
        der.dns("worker-1"),
        der.ip(bytes((192, 168, 1, 42))),
        der.ip(ip_address("2001:db8::42").packed),
    )
    for name, asked in {
        "one DNS name": [dns],
        "one IPv4 address": [v4],
        "one IPv6 address": [v6],
        "all": [dns, der.dns("worker-1.example.com"), v4, v6],
        "addresses before names": [v6, v4, dns],
    }.items():
        yield honest(name, SERVING, attributes=[der.extension_request(der.names(*asked))])
    attributes = [der.extension_request(der.names(dns, v4))]
    yield honest("the node's name alone known", SERVING, attributes=attributes, facts={"node.dns_names": []})
    yield honest(
        "a service network elsewhere", SERVING, facts={"service_cidr": ["10.68.0.0/16", "fd00::/108"]}
    )
    yield honest("no service network", SERVING, facts={"service_cidr": None})
    upper = {"node.dns_names": ["worker-1", "Worker-1.Example.com"]}
    attributes = [der.extension_request(der.names(der.dns("Worker-1.Example.com")))]
    yield honest("a cloud's upper-case name", SERVING, attributes=attributes, facts=upper)


def samples() -> Iterator[Sample]:
    yield from key_kinds()
    yield from subjects()
    yield from usages()
    yield from lifetimes()
    yield from object_names()
    yield from times()
    yield from circumstances()
    yield from tokens()
    yield from attestations()
    yield from names()
