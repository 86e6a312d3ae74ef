"""Serving requests that name another machine, the API server, or nothing that can be named."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address
from typing import Any

from unit.csr import der
from unit.csr.samples import IGNORE, MISSING, NAMES, SERVING, Sample, sample

OWN_DNS, OWN_IP = der.dns("worker-1"), der.ip(bytes((192, 168, 1, 42)))


def serving(name: str, rule: str, *names: bytes, **changes: Any) -> Sample:
    """A serving request for these names."""
    attributes = [der.extension_request(der.names(*names))]
    return sample(name, rule, SERVING, attributes=attributes, **changes)


def pillars() -> Iterator[Sample]:
    def ignored(name: str, *names: bytes, **facts: Any) -> Sample:
        return serving(name, "pillar_names", *names, facts=facts, verdict=IGNORE)

    for value in ("worker-1", None, 7, {"worker-1": 1}, ["worker-1", 7], MISSING):
        shown = "missing" if value is MISSING else repr(value)
        yield ignored(f"the pillar's DNS names are {shown}", OWN_IP, **{"node.dns_names": value})
    odd = (
        "192.168.1.42",
        None,
        [7],
        ["192.168.1.42/24"],
        ["192.168.1"],
        ["192.168.001.042"],
        [""],
        {},
        MISSING,
    )
    for value in odd:
        shown = "missing" if value is MISSING else repr(value)
        yield ignored(f"the pillar's addresses are {shown}", OWN_DNS, **{"node.ips": value})
    for value in ("10.68.0.0", "10.68.0.1/16", "services", ["10.68.0.0/16", "x"], [7], 7, {"a": 1}, True):
        if value != "10.68.0.0":
            yield ignored(f"the service network is {value!r}", *NAMES, service_cidr=value)


def types() -> Iterator[Sample]:
    yield serving("no names", "names_present")
    others = {
        "an e-mail address": der.tlv(0x81, b"a@example.com"),
        "a URI": der.tlv(0x86, b"https://worker-1"),
        "a registered id": der.tlv(0x88, b"\x2a\x03"),
        "a directory name": der.tlv(0xA4, der.node_subject("system:node:worker-1")),
        "another name": der.tlv(
            0xA0, der.oid("1.3.6.1.4.1.311.20.2.3"), der.tlv(0xA0, der.tlv(der.UTF8, b"a@b"))
        ),
        "an X.400 address": der.tlv(0xA3, der.seq()),
        "an EDI party": der.tlv(0xA5, der.tlv(0x81, b"x")),
        "a DNS name that is constructed": der.tlv(0xA2, der.tlv(der.IA5, b"worker-1")),
        "an IP address that is constructed": der.tlv(0xA7, der.octets(bytes((192, 168, 1, 42)))),
        "a DNS name of universal type": der.tlv(der.IA5, b"worker-1"),
        "an unknown type": der.tlv(0x89, b"worker-1"),
        "NULL": der.NULL,
    }
    for name, value in others.items():
        yield serving(f"{name} alone", "name_types", value)
        yield serving(f"{name} beside ours", "name_types", *NAMES, value)


def duplicates() -> Iterator[Sample]:
    yield serving("a DNS name twice", "names_distinct", OWN_DNS, OWN_DNS)
    yield serving("an IP address twice", "names_distinct", OWN_IP, OWN_DNS, OWN_IP)
    upper = {"node.dns_names": ["worker-1", "WORKER-1"]}
    yield serving("a DNS name in two cases", "names_distinct", OWN_DNS, der.dns("WORKER-1"), facts=upper)


def dns_names() -> Iterator[Sample]:
    odd = (
        "worker-2",
        "worker-2.example.com",
        "worker-1.",
        "worker",
        "worker-11",
        "worker-1.example.com.",
        "worker-1.example.com.evil.com",
        "evil.worker-1.example.com",
        "example.com",
        "Worker-1",
        "WORKER-1.EXAMPLE.COM",
        " worker-1",
        "worker-1 ",
        "worker-1\0",
        "worker-1\0.evil.com",
        "worker-1\n",
        "worker_1",
        "w\u043erker-1",
        "worker\u20101",
        "xn--wrker-1-k9h",
        "*",
        "*.example.com",
        "w*",
        "192.168.1.42",
        "[2001:db8::42]",
        "worker-1:10250",
        "https://worker-1",
        "worker-1,worker-2",
        "localhost",
        "kubernetes",
        "kubernetes.default.svc",
        "kubernetes.default.svc.cluster.local",
        "kubelet.kube-system.svc",
        "a" * 5000,
        "",
        ".",
    )
    for name in odd:
        yield serving(f"DNS name {name[:40]!a}", "dns_names", der.dns(name))
    for name in odd[:3]:
        yield serving(f"DNS name {name!a} beside ours", "dns_names", *NAMES, der.dns(name))
    yield serving("DNS name of bad UTF-8", "dns_names", der.dns(b"worker-1\xff"))
    yield serving("DNS name in UTF-16", "dns_names", der.dns("worker-1".encode("utf-16-be")))
    empty = {"node.dns_names": [""]}
    yield serving("an empty DNS name that the pillar has", "dns_names", OWN_IP, der.dns(""), facts=empty)
    umlaut = {"node.dns_names": ["w\u00f6rker"]}
    yield serving(
        "a DNS name in UTF-8 that the pillar has", "dns_names", der.dns("w\u00f6rker"), facts=umlaut
    )
    surrogate = {"node.dns_names": ["\ud800"]}
    yield serving("a surrogate in the pillar", "dns_names", der.dns("?"), facts=surrogate)
    less = {"node.dns_names": []}
    yield serving("a DNS name that left the pillar", "dns_names", *NAMES, facts=less)


def addresses() -> Iterator[Sample]:
    for text in (
        "192.168.1.43",
        "192.168.1.0",
        "255.255.255.255",
        "42.1.168.192",
        "10.68.0.1",
        "2001:db8::43",
        "2002:c0a8:12a::1",
        "64:ff9b::c0a8:12a",
        "::c0a8:12a",
    ):
        yield serving(f"IP address {text}", "ip_addresses", der.ip(ip_address(text).packed))
        yield serving(
            f"IP address {text} beside ours", "ip_addresses", *NAMES, der.ip(ip_address(text).packed)
        )
    for size in (0, 1, 3, 5, 6, 8, 12, 15, 17, 32):
        value = bytes((192, 168, 1, 42) * 8)[:size]
        yield serving(f"an IP address of {size} bytes", "ip_form", OWN_DNS, der.ip(value))
    yield serving("an IP address as text", "ip_form", der.ip(b"192.168.1.42"))
    mapped = der.ip(ip_address("::ffff:192.168.1.42").packed)
    yield serving("our IPv4 address in IPv6", "ip_form", mapped)
    yield serving("our IPv4 address in both forms", "names_distinct", OWN_IP, mapped)
    both = {"node.ips": ["::ffff:192.168.1.42"]}
    yield serving("IPv4 in IPv6 that the pillar has", "ip_form", mapped, facts=both)
    yield serving("an address that left the pillar", "ip_addresses", *NAMES, facts={"node.ips": []})


def nobodys() -> Iterator[Sample]:
    for text in (
        "127.0.0.1",
        "127.8.8.8",
        "0.0.0.0",
        "224.0.0.1",
        "239.1.1.1",
        "169.254.169.254",
        "::1",
        "::",
        "ff02::1",
        "fe80::1",
    ):
        facts = {"node.ips": ["192.168.1.42", text]}
        address = der.ip(ip_address(text).packed)
        yield serving(f"{text} that the pillar has", "names_of_nobody", *NAMES, address, facts=facts)
        yield serving(f"{text} alone that the pillar has", "names_of_nobody", address, facts=facts)
    names = (
        "*",
        "*.example.com",
        "worker-*",
        "localhost",
        "LocalHost",
        "kubernetes",
        "kubernetes.default",
        "kubernetes.default.svc",
        "kubernetes.default.svc.cluster.local",
    )
    for name in names:
        facts = {"node.dns_names": ["worker-1", name]}
        yield serving(f"{name} that the pillar has", "names_of_nobody", OWN_DNS, der.dns(name), facts=facts)
    for network, text in (
        ("10.68.0.0/16", "10.68.0.1"),
        (["10.68.0.0/16", "fd00::/108"], "fd00::1"),
        ("192.168.0.0/16", "192.168.1.42"),
    ):
        facts = {"node.ips": ["192.168.1.42", text], "service_cidr": network}
        yield serving(
            f"service address {text}", "names_of_nobody", der.ip(ip_address(text).packed), facts=facts
        )
    yield serving(
        "the cloud's metadata address", "ip_addresses", OWN_DNS, der.ip(bytes((169, 254, 169, 254)))
    )


def samples() -> Iterator[Sample]:
    yield from pillars()
    yield from types()
    yield from duplicates()
    yield from dns_names()
    yield from addresses()
    yield from nobodys()
