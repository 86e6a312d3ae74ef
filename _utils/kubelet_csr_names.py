"""Rules on the names that a serving certificate is to carry: the signer looks at none of their values.

Threat: a node that serves under another node's name or under the API server's.
"""

from __future__ import annotations

import ipaddress
from collections import Counter
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

# The types of a GeneralName that are of no use here (RFC 5280 §4.2.1.6).
_OTHER_TYPES = {0xA0: "another name", 0x81: "an e-mail", 0xA4: "a directory name", 0x86: "a URI"}
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
    others = [tag for tag, _ in case.request.names if tag not in (DNS_NAME, IP_ADDRESS)]
    found = ", ".join(_OTHER_TYPES.get(tag, f"a name with tag 0x{tag:02x}") for tag in others[:5])
    return check(not others, DENY, "DNS names and IP addresses only", found or AS_EXPECTED, STRANGE)


def names_distinct(case: Case) -> Finding:
    """No name is there twice: kubelets send a sorted set (kubelet.go, addressesToHostnamesAndIPs)."""
    seen = Counter(name.lower() for name in _dns(case)) + Counter(map(_text, _ips(case)))
    twice = [name for name, count in seen.items() if count > 1]
    return check(not twice, DENY, "each name once", f"{show_all(twice)} more than once", STRANGE)


def ip_form(case: Case) -> Finding:
    """An address is 4 or 16 bytes, and an IPv4 address 4 (RFC 5280 §4.2.1.6).

    Go refuses other lengths, Python takes five, eight or none; IPv4 in IPv6 is an address in two spellings.
    """
    odd = [_form(value) for value in _ips(case) if not _is_plain(value)]
    found = ", ".join(odd[:5]) or AS_EXPECTED
    return check(not odd, DENY, "IP addresses of 4 or 16 bytes, and no IPv4 in IPv6", found, STRANGE)


def dns_names(case: Case) -> Finding:
    """Each DNS name is the node's name or another of its pillar's, byte by byte: no prefix, no other case."""
    own = list(dict.fromkeys((text(case.node.get("name")), *texts(case.node.get("dns_names")))))
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
    shown = show_all(found) if found else AS_EXPECTED
    return check(not found, DENY, expected, shown, "remove it from the node's pillar")


def _dns(case: Case) -> list[bytes]:
    return [value for tag, value in case.request.names if tag == DNS_NAME]


def _ips(case: Case) -> list[bytes]:
    return [value for tag, value in case.request.names if tag == IP_ADDRESS]


def _is_plain(value: bytes) -> bool:
    if len(value) == 16:
        return ipaddress.IPv6Address(value).ipv4_mapped is None
    return len(value) == 4


def _form(value: bytes) -> str:
    return f"{_text(value)} in IPv6" if len(value) == 16 else f"{len(value)} bytes"


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
