"""Rules on the names that a serving certificate is to carry: the signer looks at none of their values.

Threat: a node that serves under another node's name or under the API server's.
"""

from __future__ import annotations

import ipaddress
from typing import Any

from kubelet_csr_case import (
    AS_EXPECTED,
    DENY,
    IGNORE,
    STRANGE,
    Case,
    Finding,
    check,
    show,
    show_all,
    text,
    texts,
)
from kubelet_csr_request import DNS_NAME, IP_ADDRESS

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_PILLAR = "add it to the node's pillar if it is the node's, else look who made this request"
# Source: cmd/kubeadm/app/util/pkiutil/pki_helpers.go, GetAPIServerAltNames.
_API_SERVER = ("kubernetes", "kubernetes.default", "kubernetes.default.svc")


def pillar_names(case: Case) -> Finding:
    """The pillar's names and addresses can be read, and the service network if it is given.

    The fact `service_cidr` may be left out; it is a network or a list of them.
    """
    names, ips, services = case.node.get("dns_names"), case.node.get("ips"), case.fact("service_cidr")
    wrong = None
    if not _is_listed(names, len(texts(names))):
        wrong = f"node.dns_names {_shown(names)}"
    elif not _is_listed(ips, len(_addresses(case))):
        wrong = f"node.ips {_shown(ips)}"
    elif not _is_listed([services] if isinstance(services, str) else services or [], len(_networks(case))):
        wrong = f"service_cidr {_shown(services)}"
    expected = "DNS names, IP addresses and networks in the pillar"
    return check(wrong is None, IGNORE, expected, wrong or AS_EXPECTED, "mend the node's pillar")


def _is_listed(value: Any, readable: int) -> bool:
    return isinstance(value, list | tuple) and len(value) == readable


def _shown(value: Any) -> str:
    return show_all(list(value)) if isinstance(value, list | tuple) else show(value)


def names_present(case: Case) -> Finding:
    """A serving certificate names something (pkg/apis/certificates/helpers.go, errDnsOrIpSansRequired)."""
    names = case.request.names
    todo = "look at the node's addresses, a kubelet waits for one"
    return check(bool(names), DENY, "at least one DNS name or IP address", f"{len(names)} names", todo)


def name_types(case: Case) -> Finding:
    """Names are DNS names and IP addresses, none of the other types (RFC 5280 §4.2.1.6)."""
    others = [f"type {tag & 0x1F}" for tag, _ in case.request.names if tag not in (DNS_NAME, IP_ADDRESS)]
    return check(
        not others, DENY, "DNS names and IP addresses only", show_all(others or [AS_EXPECTED]), STRANGE
    )


def names_distinct(case: Case) -> Finding:
    """No name is there twice: kubelets send a sorted set (kubelet.go, addressesToHostnamesAndIPs)."""
    names = [(tag, value.lower() if tag == DNS_NAME else value) for tag, value in case.request.names]
    different = len(set(names))
    return check(different == len(names), DENY, f"{len(names)} different names", f"{different}", STRANGE)


def ip_form(case: Case) -> Finding:
    """An address is 4 or 16 bytes, and an IPv4 address 4 (RFC 5280 §4.2.1.6).

    Go refuses other lengths, Python takes five, eight or none; IPv4 in IPv6 is an address in two spellings.
    """
    odd = [value.hex() for value in _ips(case) if not _is_plain(value)]
    found = show_all(odd) if odd else AS_EXPECTED
    return check(not odd, DENY, "addresses of 4 or 16 bytes, and none of IPv4 in IPv6", found, STRANGE)


def dns_names(case: Case) -> Finding:
    """Each DNS name is the node's name or another of its pillar's, byte by byte: no prefix, no other case."""
    own = [text(case.node.get("name")), *texts(case.node.get("dns_names"))]
    allowed = {name.encode() for name in own if name and name.isascii()}
    names = _dns(case)
    strange = [name for name in names if name not in allowed]
    return check(not strange, DENY, f"DNS names of {show_all(own)}", show_all(strange or names), _PILLAR)


def ip_addresses(case: Case) -> Finding:
    """Each IP address is one of the pillar's, by value and not by text (gardener/gardener issue 10876)."""
    allowed, ips = _addresses(case), _ips(case)
    strange = [value for value in ips if _address(value) not in allowed]
    expected = f"IP addresses of {show_all([str(address) for address in allowed])}"
    return check(not strange, DENY, expected, show_all([_text(value) for value in strange or ips]), _PILLAR)


def names_of_nobody(case: Case) -> Finding:
    """No name that is not one machine's, whatever the pillar says: loopback, multicast, a wildcard.

    Threat: with the API server's name or service address a node could stand in for it.
    """
    ips = [_text(value) for value in _ips(case) if _is_nobodys_address(case, _address(value))]
    found = [*(name for name in _dns(case) if _is_nobodys_name(name)), *ips]
    expected = "names of this one machine, not of every machine, a service or the API server"
    return check(
        not found, DENY, expected, show_all(found or [AS_EXPECTED]), "remove it from the node's pillar"
    )


def _dns(case: Case) -> list[bytes]:
    return [value for tag, value in case.request.names if tag == DNS_NAME]


def _ips(case: Case) -> list[bytes]:
    return [value for tag, value in case.request.names if tag == IP_ADDRESS]


def _is_plain(value: bytes) -> bool:
    if len(value) == 16:
        return ipaddress.IPv6Address(value).ipv4_mapped is None
    return len(value) == 4


def _address(value: bytes) -> Address | None:
    """The address that a certificate's bytes mean; one of IPv4 in IPv6 means IPv4."""
    if len(value) == 16:
        address = ipaddress.IPv6Address(value)
        return address.ipv4_mapped or address
    return ipaddress.IPv4Address(value) if len(value) == 4 else None


def _text(value: bytes) -> str:
    address = _address(value)
    return str(address) if address else value.hex()


def _addresses(case: Case) -> list[Address]:
    """The pillar's addresses; what is none is left out, and found by `pillar_names`."""
    return _read(ipaddress.ip_address, case.node.get("ips"))


def _networks(case: Case) -> list[Network]:
    """The cluster's service networks; what is none is left out, and found by `pillar_names`."""
    given = case.fact("service_cidr")
    return _read(ipaddress.ip_network, [given] if isinstance(given, str) else given)


def _read(reader: Any, values: Any) -> list[Any]:
    found = []
    for value in texts(values):
        try:
            found.append(reader(value))
        except ValueError:
            continue
    return found


def _is_nobodys_name(name: bytes) -> bool:
    lower = name.decode("ascii", "replace").lower()
    return "*" in lower or lower in ("localhost", *_API_SERVER) or lower.startswith("kubernetes.default.svc.")


def _is_nobodys_address(case: Case, address: Address | None) -> bool:
    if address is None:
        return False
    special = address.is_loopback or address.is_unspecified or address.is_multicast or address.is_link_local
    return special or any(address in network for network in _networks(case))
