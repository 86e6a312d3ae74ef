"""Whatever it is given, the judge answers, approves nothing that was touched, and takes no long time."""

from __future__ import annotations

import copy
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kubelet_csr_policy import decide, explain
from kubelet_csr_request import outline

from unit.csr import der, keys
from unit.csr.samples import ALL, NAMES, SERVING, SUBJECT, TOKEN, Sample, changed, sample

# What JSON can be, and what only Python can: surrogates, bytes, numbers without end.
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(min_value=10**4400, max_value=10**4500)
    | st.floats()
    | st.text(st.characters())
    | st.sampled_from(["\ud800", "Approved", "system:masters", "system:node:worker-1"])
    | st.binary(max_size=20)
)
ANYTHING = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4)
)
HONEST = {flow: sample("honest", "", flow) for flow in ALL}
# What the judge does not ask for, in any request and in those of a flow: anything may stand there.
NOT_ASKED = {"metadata.generateName", "metadata.uid", "metadata.resourceVersion", "status", "node.roles"}
NOT_ASKED_IN = {
    "attested": {"node.dns_names", "node.ips", "node_object", "node_object.exists", "node_object.ready"}
    | {"bootstrap_token_id", "attested_client_cert_sha256"},
    "token": {"node.dns_names", "node.ips", "node_object.ready", "attested_client_cert_sha256"},
    "renewal": {
        "node.dns_names",
        "node.ips",
        "node_object.ready",
        "bootstrap_token_id",
        "attested_spki_sha256",
    },
    "serving": {"node_object.ready", "bootstrap_token_id", "attested_spki_sha256"},
}
VERDICTS = {"approve", "deny", "ignore"}


def paths(value: dict[str, Any], prefix: str = "") -> list[str]:
    """All dotted paths into an object."""
    found = []
    for key, inner in value.items():
        if "." in key:
            continue
        found.append(prefix + key)
        if isinstance(inner, dict):
            found += paths(inner, f"{prefix}{key}.")
    return found


@settings(max_examples=300, deadline=None)
@given(csr=ANYTHING, facts=ANYTHING, policy=ANYTHING)
def test_anything_at_all_is_never_approved(csr: Any, facts: Any, policy: Any) -> None:
    assert decide(csr, facts, policy).verdict in {"deny", "ignore"}
    assert explain(csr, facts, policy)
    assert outline(csr) == (None, None)


@settings(max_examples=600, deadline=None)
@given(flow=st.sampled_from(ALL), data=st.data(), value=ANYTHING)
def test_anything_in_any_place_gets_an_answer_in_one_line(flow: str, data: st.DataObject, value: Any) -> None:
    one = copy.deepcopy(HONEST[flow])
    places = [(one.csr, path) for path in paths(one.csr)] + [(one.facts, path) for path in paths(one.facts)]
    place, path = data.draw(st.sampled_from(places))
    changed(place, {path: value})
    decision = decide(one.csr, one.facts, {})
    assert decision.verdict in VERDICTS
    assert decision.message.isascii()
    assert decision.message.isprintable()
    assert len(decision.message) < 2000
    outline(one.csr)


@pytest.mark.parametrize("flow", ALL)
@pytest.mark.parametrize("value", [7, 1.5, "", "x", "\0", ["x"], {"x": "y"}, b"x"], ids=repr)
def test_a_senseless_value_is_approved_only_where_nothing_is_asked(flow: str, value: Any) -> None:
    approved = set()
    for part in (0, 1):
        for path in paths((HONEST[flow].csr, HONEST[flow].facts)[part]):
            inputs = copy.deepcopy((HONEST[flow].csr, HONEST[flow].facts))
            changed(inputs[part], {path: value})
            if decide(*inputs, {}).verdict == "approve":
                approved.add(path)
    assert approved <= NOT_ASKED | NOT_ASKED_IN[flow]


@settings(max_examples=1500, deadline=None)
@given(flow=st.sampled_from((TOKEN, SERVING)), rsa=st.booleans(), data=st.data())
def test_a_request_with_one_byte_changed_is_never_approved(flow: str, rsa: bool, data: st.DataObject) -> None:
    request = REQUESTS[flow, rsa]
    at = data.draw(st.integers(0, len(request) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda value: value != request[at]))
    touched = request[:at] + bytes((byte,)) + request[at + 1 :]
    assert decide(*judged(flow, touched), {}).verdict == "deny"


@settings(max_examples=500, deadline=None)
@given(flow=st.sampled_from((TOKEN, SERVING)), data=st.data())
def test_a_request_with_bytes_gone_or_put_in_is_never_approved(flow: str, data: st.DataObject) -> None:
    request = REQUESTS[flow, False]
    start, end = sorted(data.draw(st.tuples(*[st.integers(0, len(request))] * 2)))
    touched = request[:start] + data.draw(st.binary(max_size=8)) + request[end:]
    verdict = decide(*judged(flow, touched), {}).verdict
    assert verdict == ("approve" if touched == request else "deny")


@settings(max_examples=500, deadline=None)
@given(flow=st.sampled_from((TOKEN, SERVING)), data=st.data())
def test_a_text_with_one_letter_changed_is_never_approved(flow: str, data: st.DataObject) -> None:
    text = HONEST[flow].csr["spec"]["request"]
    at = data.draw(st.integers(0, len(text) - 1))
    letter = data.draw(st.characters().filter(lambda value: value != text[at]))
    one = copy.deepcopy(HONEST[flow])
    one.csr["spec"]["request"] = text[:at] + letter + text[at + 1 :]
    assert decide(one.csr, one.facts, {}).verdict == "deny"


REQUESTS = {
    (flow, rsa): der.request(
        keys.real_rsa() if rsa else keys.curve("P-256"),
        SUBJECT,
        [der.extension_request(der.names(*NAMES))] if flow == SERVING else [],
    )
    for flow in (TOKEN, SERVING)
    for rsa in (False, True)
}


def judged(flow: str, data: bytes) -> tuple[Any, Any]:
    one = copy.deepcopy(HONEST[flow])
    one.csr["spec"]["request"] = der.b64(der.pem(data))
    return one.csr, one.facts


def nested(depth: int) -> Any:
    value: Any = []
    for _ in range(depth):
        value = {"a": [value]}
    return value


LARGE = {
    "10 MB of letters": {"spec.request": "A" * 10_000_000},
    "10 MB of spaces": {"spec.request": " " * 10_000_000},
    "10 MB of surrogates": {"spec.request": "\ud800" * 10_000_000},
    "10 MB in a name": {"metadata.name": "csr-" * 2_500_000},
    "10 MB in a user": {"spec.username": "system:node:" * 800_000},
    "a million groups": {"spec.groups": ["system:nodes"] * 1_000_000},
    "a million usages": {"spec.usages": [str(number) for number in range(1_000_000)]},
    "a million conditions": {"status": {"conditions": [{"type": "Seen"}] * 1_000_000}},
    "10 MB in a time": {"metadata.creationTimestamp": "2" * 10_000_000},
    "depth in the spec": {"spec.extra": nested(50_000)},
    "depth in a text's place": {"spec.username": nested(50_000)},
    "depth in the signer's place": {"spec.signerName": nested(50_000)},
    "depth in the status": {"status.conditions": nested(50_000)},
    "depth as the object": {"": nested(50_000)},
}


@pytest.mark.parametrize("name", LARGE)
@pytest.mark.parametrize("flow", ALL)
def test_what_is_large_or_deep_is_answered_at_once(name: str, flow: str) -> None:
    one: Sample = sample(name, "", flow, csr=LARGE[name])
    start = time.process_time()
    decision = decide(one.csr, one.facts, {})
    assert time.process_time() - start < 2
    assert decision.verdict in {"deny", "ignore"} or name == "a million conditions"
    assert len(decision.message) < 2000


@pytest.mark.parametrize("tag", [0x30, 0x31, 0x02, 0x82])
def test_sixteen_kilobytes_of_small_elements_are_answered_at_once(tag: int) -> None:
    names = der.tlv(tag, b"") * 5900
    attributes = [der.extension_request(der.extension(der.SAN, der.seq(names)))]
    one = sample("many", "", SERVING, attributes=attributes)
    assert len(one.csr["spec"]["request"]) > 21_000
    start = time.process_time()
    assert decide(one.csr, one.facts, {}).verdict == "deny"
    assert time.process_time() - start < 1
