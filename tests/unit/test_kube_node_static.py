"""Which static certificates a node keeps, and why one that is there has to be replaced."""

from __future__ import annotations

from functools import cache
from typing import Any

import kube_node_static as static
import pytest
from cryptography import x509

from unit.authority import DAY, NOW, authority, pem, signed
from unit.nodes import compiled, faults, pillar

CA = pem(authority().certificate)
SUBJECT = {"C": "CN", "ST": "HangZhou", "L": "XS", "OU": "System"}


def wanted(source: str = "master", name: str = "kubelet", **more: Any) -> dict[str, Any]:
    """Return a certificate of the smallest pillar's node."""
    delivered = {"certificate": CA, "private_key": key()} if source == "pillar" else {}
    settings = {"mode": "static", "key": "ecdsa-256", name: {"from": source} | delivered} | more
    [found] = [
        one for one in compiled({"certificates": settings})["certificates"]["static"] if one["name"] == name
    ]
    return found


@cache
def key(number: int = 0) -> str:
    return static.new_key({"kind": "ecdsa-256"})


def told(one: dict[str, Any], certificate: str | None, now=NOW, key_pem: str | None = None) -> str | None:
    return static.fault(one, certificate, key_pem or key(), CA, now)


def test_the_kubelets_is_that_of_the_roles_kubelet_csr_json():
    one = wanted(subject=SUBJECT)
    assert static.subject(one).rfc4514_string() == (
        "CN=system:node:worker-1,OU=System,O=system:nodes,L=XS,ST=HangZhou,C=CN"
    )
    assert one["hosts"] == ["127.0.0.1", "192.168.1.42", "worker-1"]


def test_the_profile_of_the_role_has_its_subject():
    tree = {"version": "1.14.10", "profile": "kubeasz-1.1", "node": {"name": "192.168.1.42"}}
    [one] = compiled(tree)["certificates"]["static"]
    assert (one["certificate"], one["hosts"]) == (
        "/etc/kubernetes/ssl/kubelet.pem",
        ["127.0.0.1", "192.168.1.42"],
    )
    assert one["subject"] == SUBJECT | {"O": "system:nodes", "CN": "system:node:192.168.1.42"}


def test_in_mode_bootstrap_there_is_none_but_kube_proxys_own():
    assert compiled()["certificates"]["static"] == []
    tree = {"certificates": {"kube_proxy": {"from": "master"}}}
    assert [one["subject"] for one in compiled(tree)["certificates"]["static"]] == [
        {"CN": "system:kube-proxy"}
    ]


@pytest.mark.parametrize("kind", static.KEYS)
def test_a_key_is_of_the_kind_that_is_wanted(kind: str):
    made = static.new_key({"kind": kind})
    assert [static.key_fault({"kind": other}, made) is None for other in static.KEYS] == [
        other == kind for other in static.KEYS
    ]


def test_what_was_signed_is_as_it_should_be():
    assert told(wanted(), signed(wanted(), key())) is None


@pytest.mark.parametrize("name", ["kubelet", "kube_proxy"])
def test_both_can_be_signed(name: str):
    assert told(wanted(name=name), signed(wanted(name=name), key())) is None


@pytest.mark.parametrize(
    ("certificate", "fault"),
    [
        (lambda: None, "is missing"),
        (lambda: "garbage", "is no PEM certificate"),
        (lambda: signed(wanted(), key(1)), "is of another private key"),
        (lambda: signed(wanted(), key(), authority("other")), "is not signed by a CA of cluster.ca"),
        (
            lambda: signed(wanted() | {"subject": {"O": "system:nodes", "CN": "system:node:other"}}, key()),
            "is for 'CN=system:node:other,O=system:nodes', not 'CN=system:node:worker-1,O=system:nodes'",
        ),
        (lambda: signed(wanted() | {"hosts": ["worker-1"]}, key()), "does not name 127.0.0.1, 192.168.1.42"),
        (
            lambda: signed(wanted() | {"hosts": [*wanted()["hosts"], "more"]}, key()),
            "names 'more', which the pillar does not",
        ),
        (lambda: signed(wanted() | {"purposes": ["client auth"]}, key()), "is not for server auth"),
        (lambda: signed(wanted(), key(), at=NOW + DAY), "is not valid before 2026-11-28 11:55Z"),
        (lambda: signed(wanted(), key(), at=NOW - 366 * DAY), "expired at 2026-11-26 12:00Z"),
        (
            lambda: signed(wanted(), key(), at=NOW - 340 * DAY),
            "ends at 2026-12-22 12:00Z, which is within 30 days",
        ),
    ],
)
def test_why_it_is_replaced(certificate, fault: str):
    assert told(wanted(), certificate()) == fault


def test_nothing_is_renewed_that_could_not_last_longer():
    short = authority("short", days=10)
    certificate = signed(wanted(), key(), short)
    assert static.fault(wanted(), certificate, key(), pem(short.certificate), NOW) is None


def test_what_is_delivered_may_name_more_and_is_not_the_formulas_to_renew():
    one, more = (
        wanted("pillar"),
        wanted()
        | {
            "hosts": ["192.168.1.42", "worker-1", "more"],
            "subject": {"OU": "x", "O": "system:nodes", "CN": "system:node:worker-1"},
        },
    )
    assert told(one, signed(more, key(), at=NOW - 360 * DAY)) is None


def test_what_is_delivered_is_for_this_node():
    other = wanted() | {"subject": {"O": "system:nodes", "CN": "system:node:other"}}
    assert told(wanted("pillar"), signed(other, key())).startswith("is for 'CN=system:node:other,")


def test_two_authorities_count_while_one_replaces_the_other():
    both = pem(authority("other").certificate) + CA
    assert static.fault(wanted(), signed(wanted(), key()), key(), both, NOW) is None


def test_a_node_certificate_is_no_authority():
    below = signed(wanted(), key())
    assert not static.signed_by_one_of(below, below)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (
            {"kubelet": {"from": "pillar", "certificate": CA}},
            "certificates.kubelet.private_key: is missing, "
            "write it or choose another certificates.kubelet.from",
        ),
        (
            {"kubelet": {"from": "master", "certificate": CA}},
            "certificates.kubelet.certificate: goes with certificates.kubelet.from pillar alone, "
            "remove one of the two",
        ),
        (
            {"kubelet": {"from": "pillar", "certificate": CA, "private_key": "salt://worker-1-key.pem"}},
            "certificates.kubelet.private_key: lies where every minion can read it, "
            "paste it into the pillar of this minion alone",
        ),
        (
            {"days": 30, "renew_days": 30},
            "certificates.renew_days: 30 is not less than certificates.days 30, lower it",
        ),
        (
            {"subject": {"C": "China"}},
            "certificates.subject.C: 'China' is not a country, write its two letters such as DE",
        ),
    ],
)
def test_what_does_not_go_together_is_told(change: dict[str, Any], fault: str):
    assert fault in faults(pillar({"certificates": {"mode": "static"} | change}))


def test_the_master_signs_no_address_by_a_machines_own_word():
    tree = pillar({"certificates": {"mode": "static", "kubelet": {"from": "master"}}})
    del tree["node"]["addresses"]
    assert faults(tree) == [
        "node.addresses: is missing, and the master signs no address by a machine's own word: "
        "write the node's"
    ]


def test_a_fault_does_not_show_a_private_key():
    slip = key().replace("\n", "")
    settings = {"mode": "static", "kubelet": {"from": "pillar", "certificate": CA, "private_key": slip}}
    assert slip[40:60] not in str(faults(pillar({"certificates": settings})))


def test_a_certificate_is_valid_no_longer_than_its_authority():
    certificate = x509.load_pem_x509_certificate(
        signed(wanted(), key(), authority("short", days=10)).encode()
    )
    assert certificate.not_valid_after_utc == NOW + 10 * DAY
