"""The types of the pillar's values: what each takes, and what it says of the rest."""

from __future__ import annotations

from typing import Any

import kube_node_types as types
import kube_node_types_pem as pem
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unit.nodes import CA, TOKEN

# What a pillar can hold at all, and what only a renderer in Python could put there.
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.dates(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text() | st.integers(), inner, max_size=3),
    max_leaves=10,
)
CHECKS = {
    "release": types.release,
    "name": types.name,
    "absolute_path": types.absolute_path,
    "sha256": types.sha256,
    "socket": types.socket,
    "sysctl": types.sysctl,
    "sysctl_value": types.sysctl_value,
    "image": types.image,
    "package": types.package,
    "source": types.source,
    "bootstrap_token": types.bootstrap_token,
    "text": types.text,
    "boolean": types.boolean,
    "address": types.address,
    "cidr": types.cidr,
    "service_cidr": types.service_cidr,
    "api_server": types.api_server,
    "certificates": pem.certificates,
    "qualified_name": types.qualified_name,
    "label_value": types.label_value,
    "taint": types.taint,
    "integer": types.integer(0, 3600),
    "one_of": types.one_of("calico", "none"),
    "list": types.list_of(types.address),
    "map": types.map_of(types.qualified_name, types.label_value),
}


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("release", "1.36.2"),
        ("release", "1.9.0"),
        ("name", "worker-1.example.org"),
        ("name", "1"),
        ("absolute_path", "/opt/kube_node"),
        ("absolute_path", "/opt/a..b/v1.36.2+lab@1:2"),
        ("sha256", "0123456789abcdef" * 4),
        ("socket", "unix:///run/containerd/containerd.sock"),
        ("sysctl", "net.ipv4.ip_forward"),
        ("sysctl", "net.ipv4.conf.eth0/1.rp_filter"),
        ("sysctl_value", 1),
        ("sysctl_value", "4096 87380 6291456"),
        ("image", "registry.k8s.io/pause:3.10.2"),
        ("image", "localhost:5000/pause@sha256:" + "0" * 64),
        ("package", "containerd.io"),
        ("source", "salt://kubernetes/v1.36.2"),
        ("source", "https://dl.k8s.io/v1.36.2/bin/linux/amd64"),
        ("bootstrap_token", "abcdef.0123456789abcdef"),
        ("text", "é ${x}"),
        ("boolean", False),
        ("address", "192.168.1.42"),
        ("address", "2001:db8::1"),
        ("cidr", "10.68.0.0/16"),
        ("cidr", "2001:db8::/32"),
        ("service_cidr", "10.68.0.0/29"),
        ("api_server", "https://10.0.0.10:6443"),
        ("api_server", "https://kubernetes.example.org"),
        ("api_server", "https://[2001:db8::1]:6443/"),
        ("certificates", CA),
        ("certificates", CA + CA),
        ("qualified_name", "node.kubernetes.io/instance-type"),
        ("qualified_name", "Tier_1"),
        ("label_value", ""),
        ("label_value", "Gold-1"),
        ("taint", {"key": "dedicated", "value": "gpu", "effect": "NoSchedule"}),
        ("taint", {"key": "dedicated", "effect": "NoExecute"}),
        ("integer", 3600),
        ("one_of", "none"),
        ("list", []),
        ("list", ["10.0.0.1", "2001:db8::1"]),
        ("map", {"tier": "gold"}),
    ],
)
def test_what_is_right_passes(kind: str, value: Any):
    assert CHECKS[kind](value) is None


RELEASE = "is not a full release, write it as X.Y.Z, for instance 1.36.2"
NAME = "is not a lower-case RFC 1123 name, use letters a-z, digits, '-' and '.'"
PATH = "is not an absolute path, write one without '..', white space, quotes, '%' or '$'"
DOTS = "has '.' or '..' in it, write the path it leads to"
ADDRESS = "is not an IP address, write one such as 192.168.1.42"
CIDR = "is not a network in CIDR form, write one such as 10.68.0.0/16"
API_SERVER = "is not the API server's URL, write https://HOST:PORT"
SOURCE = "is not a source, write a folder as salt://..., file://... or https://..."
SYSCTL_VALUE = "is not a kernel parameter's value, write a number such as 1"
CERTIFICATE = "is not a PEM certificate, paste the CA file whole after 'ca: |'"
KEY = "holds a private key, which never leaves the master: paste the certificate alone"
LABEL = "is not a label key, write NAME or PREFIX/NAME with letters, digits, '-', '_' and '.'"
LABEL_VALUE = "is not a label value, write at most 63 letters, digits, '-', '_' or '.', in quotes"
TAINT = "is not a taint, write {key: ..., value: ..., effect: NoSchedule}"
TOKEN_FAULT = "is not a bootstrap token, write 6 and 16 characters a-z0-9 as in abcdef.0123456789abcdef"


@pytest.mark.parametrize(
    ("kind", "value", "message"),
    [
        ("release", 1.36, f"1.36 {RELEASE}"),
        ("release", "1.36", f"'1.36' {RELEASE}"),
        ("release", "v1.36.2", f"'v1.36.2' {RELEASE}"),
        ("release", "1.036.2", f"'1.036.2' {RELEASE}"),
        ("release", "1.3\u0666.2", f"'1.3\\u0666.2' {RELEASE}"),
        ("release", "1.36.2\n", f"'1.36.2\\n' {RELEASE}"),
        ("name", "Worker-1", f"'Worker-1' {NAME}"),
        ("name", "worker_1", f"'worker_1' {NAME}"),
        ("name", "a" * 64, f"'{'a' * 64}' {NAME}"),
        ("name", "", f"'' {NAME}"),
        ("absolute_path", "opt", f"'opt' {PATH}"),
        ("absolute_path", "/opt/a b", f"'/opt/a b' {PATH}"),
        ("absolute_path", "/opt/%h", f"'/opt/%h' {PATH}"),
        ("absolute_path", "/opt/", f"'/opt/' {PATH}"),
        ("absolute_path", "/", f"'/' {PATH}"),
        ("absolute_path", "/opt/../etc", f"'/opt/../etc' {DOTS}"),
        (
            "sha256",
            "0" * 63,
            f"'{'0' * 63}' is not a SHA-256 digest, write the 64 hex digits that sha256sum prints",
        ),
        (
            "socket",
            "/run/x",
            "'/run/x' is not a socket, write one such as unix:///run/containerd/containerd.sock",
        ),
        (
            "sysctl",
            "ip_forward",
            "'ip_forward' is not a kernel parameter, write one such as net.ipv4.ip_forward",
        ),
        ("sysctl_value", None, f"None {SYSCTL_VALUE}"),
        ("sysctl_value", True, f"True {SYSCTL_VALUE}"),
        ("sysctl_value", "1\n[x]", f"'1\\n[x]' {SYSCTL_VALUE}"),
        (
            "image",
            "Pause",
            "'Pause' is not an image reference, write REGISTRY/NAME:TAG or REGISTRY/NAME@sha256:DIGEST",
        ),
        ("package", "a b", "'a b' is not a package's name, write the one that apt or dnf knows"),
        ("source", "http://x", f"'http://x' {SOURCE}"),
        ("source", "salt://a b", f"'salt://a b' {SOURCE}"),
        ("source", "salt://a\x00", f"'salt://a\\x00' {SOURCE}"),
        ("source", "salt://{{ x }}", f"'salt://{{{{ x }}}}' {SOURCE}"),
        ("bootstrap_token", "ABCDEF.0123456789abcdef", TOKEN_FAULT),
        ("bootstrap_token", 5, TOKEN_FAULT),
        ("text", "a\nb", "'a\\nb' is not a line of text, write one without control characters"),
        ("text", "", "'' is not a line of text, write one without control characters"),
        ("text", 5, "5 is not text, write it in quotes"),
        ("boolean", "yes", "'yes' is not a boolean, write true or false"),
        ("boolean", 1, "1 is not a boolean, write true or false"),
        ("address", "10.0.0.256", f"'10.0.0.256' {ADDRESS}"),
        ("address", 167772161, f"167772161 {ADDRESS}"),
        ("address", "fe80::1%eth0", f"'fe80::1%eth0' {ADDRESS}"),
        ("address", "fe80::1%\n[Service]", f"'fe80::1%\\n[Service]' {ADDRESS}"),
        ("cidr", "10.68.0.0", f"'10.68.0.0' {CIDR}"),
        ("cidr", "10.68.0.0/33", f"'10.68.0.0/33' {CIDR}"),
        ("cidr", "fe80::%\n/64", f"'fe80::%\\n/64' {CIDR}"),
        ("cidr", "10.68.1.0/16", "'10.68.1.0/16' is an address in a network, write 10.68.0.0/16"),
        (
            "cidr",
            "10.68.0.0/255.255.0.0",
            "'10.68.0.0/255.255.0.0' is an address in a network, write 10.68.0.0/16",
        ),
        (
            "service_cidr",
            "10.68.0.0/30",
            "'10.68.0.0/30' has no room for services, choose a network of 8 addresses or more",
        ),
        ("api_server", "http://10.0.0.10:6443", f"'http://10.0.0.10:6443' {API_SERVER}"),
        ("api_server", "https://10.0.0.10:65536", f"'https://10.0.0.10:65536' {API_SERVER}"),
        ("api_server", "https://10.0.0.10:", f"'https://10.0.0.10:' {API_SERVER}"),
        ("api_server", "https://user@10.0.0.10", f"'https://user@10.0.0.10' {API_SERVER}"),
        ("api_server", "https://10.0.0.10/api", f"'https://10.0.0.10/api' {API_SERVER}"),
        ("api_server", "https://[fe80::1%x]:1", f"'https://[fe80::1%x]:1' {API_SERVER}"),
        ("api_server", "https://a\nb", f"'https://a\\nb' {API_SERVER}"),
        ("certificates", "/etc/ca.crt", CERTIFICATE),
        ("certificates", None, CERTIFICATE),
        ("certificates", CA.replace("MIIB", "MIIC"), CERTIFICATE),
        ("certificates", CA + "-----BEGIN EC PRIVATE KEY-----\n", KEY),
        ("qualified_name", "/tier", f"'/tier' {LABEL}"),
        ("qualified_name", "a b", f"'a b' {LABEL}"),
        ("label_value", True, f"True {LABEL_VALUE}"),
        ("label_value", "-a", f"'-a' {LABEL_VALUE}"),
        ("taint", "gpu", f"'gpu' {TAINT}"),
        ("taint", {"key": "a", "when": 1}, f"{{'key': 'a', 'when': 1}} {TAINT}"),
        ("taint", {"effect": "NoSchedule"}, f"None {LABEL}"),
        (
            "taint",
            {"key": "a", "effect": "Never"},
            "'Never' is not known, choose one of NoSchedule, PreferNoSchedule, NoExecute",
        ),
        ("integer", 3601, "3601 is not a whole number from 0 to 3600, write one without quotes"),
        ("integer", "5", "'5' is not a whole number from 0 to 3600, write one without quotes"),
        ("integer", True, "True is not a whole number from 0 to 3600, write one without quotes"),
        ("one_of", "weave", "'weave' is not known, choose one of calico, none"),
        ("one_of", ["none"], "['none'] is not known, choose one of calico, none"),
        ("list", "10.0.0.1", "'10.0.0.1' is not a list, write one item a line after '- '"),
        ("list", ["10.0.0.1"] * 2, "['10.0.0.1', '10.0.0.1'] names an item twice, keep one of them"),
        ("map", ["tier"], "['tier'] is not a mapping, write 'key: value' lines"),
        ("map", {5: ""}, f"5 {LABEL}"),
    ],
)
def test_what_is_wrong_is_told_with_what_to_do(kind: str, value: Any, message: str):
    assert CHECKS[kind](value).replace("…", "...") == message


@settings(max_examples=1000)
@given(kind=st.sampled_from(sorted(CHECKS)), value=anything)
def test_no_value_gets_more_than_one_line_in_return(kind: str, value: Any):
    message = CHECKS[kind](value)
    assert message is None or (len(message.splitlines()) == 1 and ", " in message)


@given(anything)
def test_a_value_is_shown_in_one_short_line(value: Any):
    shown = types.shown(value)
    assert shown.isascii()
    assert shown.isprintable()
    assert len(shown) <= 80


@given(anything)
def test_a_key_is_shown_in_one_short_line(value: Any):
    shown = types.shown_key(value)
    assert shown.isprintable()
    assert len(shown) <= 80


def test_a_number_too_long_to_write_is_not_written():
    assert types.shown(10**5000) == "this number"


def test_a_bootstrap_token_in_the_wrong_place_is_not_shown():
    assert types.shown({"token": TOKEN}) == "{'token': '<a bootstrap token>'}"


def test_a_bootstrap_token_instead_of_a_key_is_not_shown():
    assert types.shown_key(TOKEN) == "<a bootstrap token>"


def test_a_private_key_is_not_shown():
    assert types.shown("-----BEGIN RSA PRIVATE KEY-----\nMIIE") == "a private key"


def test_what_looks_a_little_like_a_token_is_shown():
    assert types.shown("worker.0123456789abcdefg") == "'worker.0123456789abcdefg'"


def test_taints_of_one_key_and_two_effects_are_taken():
    taints = [{"key": "a", "effect": effect} for effect in ("NoSchedule", "NoExecute")]
    assert types.taints(taints) is None


def test_taints_of_one_key_and_effect_are_told():
    taints = [{"key": "a", "value": value, "effect": "NoSchedule"} for value in ("x", "y")]
    assert types.taints(taints) == "'a' has the effect NoSchedule twice, keep one of them"


@pytest.mark.parametrize("value", ["cluster.local", "cluster.local."])
def test_a_domain_may_end_with_a_dot(value: str):
    assert types.domain(value) is None


@pytest.mark.parametrize("value", [None, 5, ".", "a..", "Cluster.local", "a b"])
def test_anything_else_is_no_domain(value: object):
    assert types.domain(value) is not None


@pytest.mark.parametrize("value", ["https://mirror.example.org", "http://10.0.0.1:5000/v2"])
def test_a_mirror_is_a_url(value: str):
    assert types.mirror(value) is None


@pytest.mark.parametrize("value", ["mirror.example.org", 'https://x"', "https://a\nb", "ftp://x"])
def test_anything_else_is_no_mirror(value: str):
    assert types.mirror(value) is not None


@pytest.mark.parametrize("value", [CA, CA + CA, "salt://kubernetes/ca.crt", "/etc/ssl/cluster-ca.pem"])
def test_an_authority_is_pem_or_where_it_lies(value: str):
    assert pem.authorities(value) is None


@pytest.mark.parametrize(
    "value", ["ca.crt", "https://example.org/ca.crt", "/etc/../ca.crt", 5, None, "salt://"]
)
def test_any_other_is_not(value: Any):
    assert pem.authorities(value) == "is not a PEM certificate, paste the CA file whole after 'ca: |'"
