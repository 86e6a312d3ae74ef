"""A request that is odd in itself is refused, and the operator is told what is odd."""

from __future__ import annotations

import kubelet_csr_content
import pytest

from unit.csr import corpus

REFUSALS = {
    "token: 10 MB of one letter": (
        "Expected a request of at most 16384 bytes, but found 7500000 bytes; a kubelet does not do "
        "that, look who made this request."
    ),
    "serving: base64 with line breaks": (
        "Expected canonical base64 in spec.request, but found base64 with other characters, line "
        "breaks or loose bits; a kubelet does not do that, look who made this request."
    ),
    "token: base64 of one letter": (
        "Expected a certificate request that can be read, but found base64 that can't be decoded "
        "(Invalid base64-encoded string: number of data characters (1) cannot be 1 more than a "
        "multiple of 4); a kubelet does not do that, look who made this request."
    ),
    "serving: a second block": (
        "Expected exactly one PEM block CERTIFICATE REQUEST of 64 columns, but found headers, "
        "other lines or more than the block; a kubelet does not do that, look who made this "
        "request."
    ),
    "token: NEW CERTIFICATE REQUEST": (
        "Expected a certificate request that can be read, but found no PEM block CERTIFICATE "
        "REQUEST; a kubelet does not do that, look who made this request."
    ),
    "token: a long length outside": (
        "Expected a request in strict DER, but found another encoding of the request; a kubelet "
        "does not do that, look who made this request."
    ),
    "serving: a long length in the names": (
        "Expected a request in strict DER, but found another encoding of the alternative names; a "
        "kubelet does not do that, look who made this request."
    ),
    "token: an indefinite length": (
        "Expected a certificate request that can be read, but found an element whose length is "
        "indefinite or cut short; a kubelet does not do that, look who made this request."
    ),
    "token: version 1": (
        "Expected request version 0, but found 1; a kubelet does not do that, look who made this request."
    ),
    "token: subject with two common names": (
        "Expected a subject of one O and then one CN, but found O, CN, CN; a kubelet does not do "
        "that, look who made this request."
    ),
    "token: common name as BMPString": (
        "Expected a subject of one O and then one CN, but found O, CN with string type 30; a "
        "kubelet does not do that, look who made this request."
    ),
    "token: subject with an empty subject": (
        "Expected a subject of one O and then one CN, but found an empty subject; a kubelet does "
        "not do that, look who made this request."
    ),
    "token: O='system:masters'": (
        "Expected O='system:nodes', but found O='system:masters'; a kubelet does not do that, look "
        "who made this request."
    ),
    "attested: CN='system:node:worker-1\\x00.example.com'": (
        "Expected CN=system:node: and a lower-case RFC 1123 subdomain, but found "
        "CN='system:node:worker-1\\x00.example.com'; a kubelet does not do that, look who made this "
        "request."
    ),
    "attested: another node's name by this node": (
        "Expected CN='system:node:worker-1', but found CN='system:node:worker-2'; a node asks for "
        "itself alone, so make kube_node.node.name and the kubelet's name the same."
    ),
    "renewal: another node by itself": (
        "Expected CN='system:node:worker-1', but found CN='system:node:worker-2'; these facts are "
        "about another node than the request."
    ),
    "attested: a key on secp256k1": (
        "Expected an RSA key or one on P-256 or P-384 or P-521, but found another key or curve; "
        "let the kubelet make its own key."
    ),
    "token: P-256 point compressed": (
        "Expected an EC key with an uncompressed point, if it is one, but found a compressed or "
        "hybrid point; let the kubelet make its own key."
    ),
    "attested: RSA of 1024 bits": (
        "Expected an RSA key of 2048 to 8192 bits, if it is one, but found 1024 bits; let the "
        "kubelet make its own key."
    ),
    "attested: RSA exponent 3": (
        "Expected an RSA key with the exponent 65537, if it is one, but found 3; let the kubelet "
        "make its own key."
    ),
    "token: ECDSA with sha224": (
        "Expected a signature of an EC key with sha256 or sha384 or sha512, but found EC with "
        "sha224; a kubelet does not do that, look who made this request."
    ),
    "token: RSA-PSS": (
        "Expected a signature of an RSA key with sha256 or sha384 or sha512, but found another "
        "algorithm; a kubelet does not do that, look who made this request."
    ),
    "token: another hash named": (
        "Expected the signature of the request's own key, but found one that does not verify; look "
        "who copied or altered this request."
    ),
    "attested: names in a client request": (
        "Expected no attributes in a client request, but found 1 attribute(s) asking for "
        "alternative names; a kubelet does not do that, look who made this request."
    ),
    "serving: serving request with critical names": (
        "Expected 1 attribute asking for alternative names that are not critical, but found 1 "
        "attribute(s) asking for critical alternative names; a kubelet does not do that, look who "
        "made this request."
    ),
    "serving: serving request with a certificate authority too": (
        "Expected 1 attribute asking for alternative names that are not critical, but found 1 "
        "attribute(s) asking for alternative names, another extension; a kubelet does not do that, "
        "look who made this request."
    ),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_a_refusal_says_what_was_found_and_what_to_do(name: str) -> None:
    assert corpus.refusal(name) == REFUSALS[name]


def test_every_rule_has_such_a_sentence() -> None:
    assert corpus.rules_of(kubelet_csr_content) == {corpus.by_name(name).rule for name in REFUSALS}
