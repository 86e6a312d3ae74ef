"""A serving request for names that are not the node's is refused, and the operator is told which."""

from __future__ import annotations

import kubelet_csr_names
import pytest

from unit.csr import corpus

REFUSALS = {
    "serving: the pillar's DNS names are 'worker-1'": (
        "Expected DNS names, IP addresses and networks in the pillar, but found node.dns_names "
        "'worker-1'; mend the node's pillar."
    ),
    "serving: the pillar's addresses are ['192.168.1.42/24']": (
        "Expected DNS names, IP addresses and networks in the pillar, but found node.ips "
        "'192.168.1.42/24'; mend the node's pillar."
    ),
    "serving: the service network is 'services'": (
        "Expected DNS names, IP addresses and networks in the pillar, but found service_cidr "
        "'services'; mend the node's pillar."
    ),
    "serving: no names": (
        "Expected at least one DNS name or IP address, but found 0 names; look at the node's "
        "addresses, a kubelet waits for one."
    ),
    "serving: an e-mail address beside ours": (
        "Expected DNS names and IP addresses only, but found an e-mail; a kubelet does not do "
        "that, look who made this request."
    ),
    "serving: an unknown type alone": (
        "Expected DNS names and IP addresses only, but found a name with tag 0x89; a kubelet does "
        "not do that, look who made this request."
    ),
    "serving: an IP address twice": (
        "Expected each name once, but found '192.168.1.42' more than once; a kubelet does not do "
        "that, look who made this request."
    ),
    "serving: an IP address of 8 bytes": (
        "Expected IP addresses of 4 or 16 bytes, and no IPv4 in IPv6, but found 8 bytes; a kubelet "
        "does not do that, look who made this request."
    ),
    "serving: our IPv4 address in IPv6": (
        "Expected IP addresses of 4 or 16 bytes, and no IPv4 in IPv6, but found 192.168.1.42 in "
        "IPv6; a kubelet does not do that, look who made this request."
    ),
    "serving: DNS name 'worker-2' beside ours": (
        "Expected DNS names of 'worker-1', 'worker-1.example.com', but found 'worker-2'; add it to "
        "the node's pillar if it is the node's, else look who made this request."
    ),
    "serving: IP address 192.168.1.43 beside ours": (
        "Expected IP addresses of '192.168.1.42', '2001:db8::42', but found '192.168.1.43'; add it "
        "to the node's pillar if it is the node's, else look who made this request."
    ),
    "serving: 127.0.0.1 that the pillar has": (
        "Expected names of this one machine, not of every machine, a service or the API server, "
        "but found '127.0.0.1'; remove it from the node's pillar."
    ),
    "serving: *.example.com that the pillar has": (
        "Expected names of this one machine, not of every machine, a service or the API server, "
        "but found '*.example.com'; remove it from the node's pillar."
    ),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_a_refusal_says_what_was_found_and_what_to_do(name: str) -> None:
    assert corpus.refusal(name) == REFUSALS[name]


def test_every_rule_has_such_a_sentence() -> None:
    assert corpus.rules_of(kubelet_csr_names) == {corpus.by_name(name).rule for name in REFUSALS}
