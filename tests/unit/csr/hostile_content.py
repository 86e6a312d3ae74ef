"""Requests for another subject, or for extensions that are not to be had."""

from __future__ import annotations

from collections.abc import Iterator

from unit.csr import der
from unit.csr.der import (
    BMP,
    CN,
    EMAIL,
    IA5,
    OU,
    PRINTABLE,
    TELETEX,
    UNIVERSAL,
    UTF8,
    O,
    attribute,
    seq,
    set_of,
)
from unit.csr.samples import ALL, ATTESTED, CLIENT, IGNORE, NAMES, RENEWAL, SERVING, TOKEN, Sample, sample

ORGANIZATION = attribute(O, "system:nodes")
NODE = attribute(CN, "system:node:worker-1")


def subjects() -> Iterator[Sample]:
    forms = {
        "two common names": der.subject(ORGANIZATION, NODE, attribute(CN, "system:node:worker-2")),
        "another common name before ours": der.subject(
            ORGANIZATION, attribute(CN, "system:node:worker-2"), NODE
        ),
        "our common name twice": der.subject(ORGANIZATION, NODE, NODE),
        "two organizations": der.subject(ORGANIZATION, attribute(O, "system:masters"), NODE),
        "masters before nodes": der.subject(attribute(O, "system:masters"), ORGANIZATION, NODE),
        "an organizational unit": der.subject(ORGANIZATION, attribute(OU, "admins"), NODE),
        "an e-mail address": der.subject(ORGANIZATION, NODE, attribute(EMAIL, "a@example.com", IA5)),
        "CN before O": der.subject(NODE, ORGANIZATION),
        "an RDN of two attributes": seq(set_of(ORGANIZATION, NODE)),
        "an RDN of two common names": seq(set_of(ORGANIZATION), set_of(NODE, attribute(CN, "admin"))),
        "an empty RDN": seq(set_of(ORGANIZATION), set_of(NODE), set_of()),
        "no common name": der.subject(ORGANIZATION),
        "no organization": der.subject(NODE),
        "an empty subject": seq(),
        "an attribute with an odd type": der.subject(ORGANIZATION, NODE, attribute(seq(), "x")),
    }
    for flow in (TOKEN, RENEWAL, SERVING):
        for name, subject in forms.items():
            yield sample(f"subject with {name}", "subject_form", flow, subject=subject)
    wide = "system:node:worker-1".encode("utf-16-be")
    strings = {
        "BMPString": (BMP, wide),
        "UniversalString": (UNIVERSAL, "system:node:worker-1".encode("utf-32-be")),
        "TeletexString": (TELETEX, b"system:node:worker-1"),
        "IA5String": (IA5, b"system:node:worker-1"),
        "OCTET STRING": (0x04, b"system:node:worker-1"),
        "constructed UTF8String": (UTF8 | 0x20, der.tlv(UTF8, b"system:node:worker-1")),
    }
    for name, (tag, value) in strings.items():
        subject = der.subject(ORGANIZATION, attribute(CN, value, tag))
        yield sample(f"common name as {name}", "subject_form", subject=subject)
    subject = der.subject(attribute(O, "system:nodes", IA5), NODE)
    yield sample("organization as IA5String", "subject_form", SERVING, subject=subject)


def organizations() -> Iterator[Sample]:
    odd = (
        "system:masters",
        "system:node",
        "System:nodes",
        "system:nodes ",
        " system:nodes",
        "system:nodes\0",
        "system:nodes,system:masters",
        "s\u0443stem:nodes",
        "\ufeffsystem:nodes",
        "",
    )
    for flow in (TOKEN, SERVING):
        for value in odd:
            subject = der.subject(attribute(O, value), NODE)
            yield sample(f"O={value!a}", "organization", flow, subject=subject)
    yield sample(
        "masters, attested", "organization", ATTESTED, subject=der.subject(attribute(O, odd[0]), NODE)
    )
    yield sample(
        "O of bad UTF-8", "organization", subject=der.subject(attribute(O, b"system:nodes\xff"), NODE)
    )


def common_names() -> Iterator[Sample]:
    odd = (
        "worker-1",
        "system:node:",
        "system:node:worker-1.",
        "system:node:.worker-1",
        "system:node:worker..1",
        "system:node:Worker-1",
        "SYSTEM:NODE:worker-1",
        "system:node:worker_1",
        "system:node:worker-1-",
        "system:node: worker-1",
        "system:node:worker-1\0",
        "system:node:worker-1\0.example.com",
        "system:node:worker-1\n",
        "system:node:w\u043erker-1",
        "system:node:worker\u20111",
        "system:node:worker-\uff11",
        "system:node:xn--\u00fc",
        "system:node:system:node:worker-1",
        "system:node:worker-1,O=system:masters",
        "system:node:*",
        "system:node:" + "a" * 254,
        "system:nodes:worker-1",
        "system:serviceaccount:kube-system:default",
        "kubernetes-admin",
        "",
    )
    for flow in (ATTESTED, RENEWAL, SERVING):
        for value in odd:
            subject = der.node_subject(value)
            yield sample(f"CN={value[:40]!a}", "common_name", flow, subject=subject)
    for value in (b"system:node:worker-1\xff", b"\xc0\xafworker-1", "system:node:worker-1".encode("utf-16")):
        yield sample(f"CN of bytes {value[:20]!r}", "common_name", subject=der.node_subject(value))
    yield sample(
        "CN in a PrintableString that it is not", "common_name", subject=der.node_subject("a*@", PRINTABLE)
    )
    upper = {"node.name": "Worker-1"}
    yield sample(
        "the pillar's name is upper case too",
        "common_name",
        subject=der.node_subject("system:node:Worker-1"),
        facts=upper,
    )


def other_nodes() -> Iterator[Sample]:
    other = der.node_subject("system:node:worker-2")
    for flow in ALL:
        yield sample("another node's name by this node", "common_name", flow, subject=other)
    longer = der.node_subject("system:node:worker-11")
    yield sample("a name that starts with ours", "common_name", subject=longer)
    user = {"spec.username": "system:node:worker-2"}
    for flow in (RENEWAL, SERVING):
        yield sample("another node by itself", "common_name", flow, subject=other, csr=user, verdict=IGNORE)
    stranger = {"spec.username": "system:bootstrap:zzzzzz"}
    yield sample("another node by a stranger", "common_name", subject=other, csr=stranger, verdict=IGNORE)


def attribute_forms() -> Iterator[Sample]:
    asked = der.extension_request(der.names(*NAMES))
    password = seq(der.CHALLENGE_PASSWORD, set_of(der.tlv(UTF8, b"secret")))
    authority = der.extension(der.BASIC_CONSTRAINTS, seq(b"\1\1\xff"))
    for flow in CLIENT:
        yield sample("names in a client request", "attributes", flow, attributes=[asked])
    for name, attributes in {
        "no extensions requested": [der.extension_request()],
        "a certificate authority": [der.extension_request(authority)],
        "a challenge password": [password],
        "an unknown attribute": [seq(der.oid("1.2.3.4"), set_of(der.NULL))],
        "an extension request without a value": [seq(der.EXTENSION_REQUEST, set_of())],
        "Microsoft's extensions": [der.extension_request(der.names(*NAMES), kind=der.MICROSOFT_EXTENSIONS)],
    }.items():
        yield sample(f"client request with {name}", "attributes", attributes=attributes)
    other = der.names(der.dns("worker-2"))
    for name, attributes in {
        "no attributes": [],
        "no extensions": [der.extension_request()],
        "a challenge password too": [asked, password],
        "a challenge password alone": [password],
        "critical names": [der.extension_request(der.names(*NAMES, critical=b"\1\1\xff"))],
        "names twice": [der.extension_request(der.names(*NAMES), other)],
        "the same names twice": [der.extension_request(*[der.names(*NAMES)] * 2)],
        "two extension requests": [asked, der.extension_request(other)],
        "two values in one attribute": [
            seq(der.EXTENSION_REQUEST, set_of(*[seq(der.names(*NAMES)), seq(other)]))
        ],
        "an attribute without a value": [seq(der.EXTENSION_REQUEST, set_of())],
        "a certificate authority too": [der.extension_request(der.names(*NAMES), authority)],
        "a key usage too": [
            der.extension_request(der.extension(der.KEY_USAGE, b"\3\2\1\6"), der.names(*NAMES))
        ],
        "Microsoft's extensions too": [asked, der.extension_request(other, kind=der.MICROSOFT_EXTENSIONS)],
        "Microsoft's extensions alone": [
            der.extension_request(der.names(*NAMES), kind=der.MICROSOFT_EXTENSIONS)
        ],
    }.items():
        yield sample(f"serving request with {name}", "attributes", SERVING, attributes=attributes)


def samples() -> Iterator[Sample]:
    yield from subjects()
    yield from organizations()
    yield from common_names()
    yield from other_nodes()
    yield from attribute_forms()
