"""A proxy: what goes by it, what does not, and who sees its password."""

from __future__ import annotations

from typing import Any

import kube_node_mirror as mirror
import kube_node_proxy as proxy
import pytest

from unit.nodes import compiled, faults, pillar

URL = "http://user:s3cret@proxy.example.org:3128"
CLUSTER = {
    "api_server": "https://api.example.org:6443",
    "dns_domain": "cluster.example.",
    "pod_cidr": "172.20.0.0/16",
}


def test_what_is_of_the_cluster_goes_without_a_proxy():
    change = {"cluster": CLUSTER, "proxy": {"https": URL, "no_proxy": [".example.com", "192.168.0.0/16"]}}
    assert compiled(change)["proxy"]["environment"] == {
        "HTTPS_PROXY": URL,
        "NO_PROXY": "localhost,127.0.0.0/8,::1,api.example.org,192.168.1.42,10.68.0.0/16,172.20.0.0/16,.svc,"
        ".cluster.example,.example.com,192.168.0.0/16",
    }


def test_without_a_proxy_there_is_no_environment():
    node = compiled({"proxy": {"no_proxy": [".example.com"]}})
    assert node["proxy"]["environment"] == {}
    wanted = {file["id"]: file["wanted"] for room in node["files"].values() for file in room}
    proxies = ("proxy-environment", "containerd-proxy", "kubelet-proxy")
    assert [wanted[name] for name in proxies] == [False] * 3


def test_its_file_is_roots_alone_and_never_shown():
    file = compiled({"proxy": {"http": URL}})["files"]["proxy"][0]
    assert (file["path"], file["mode"], file["secret"]) == ("/etc/kubernetes/proxy.env", "0600", True)


def test_credentials_are_shown_to_nobody():
    found = compiled({"proxy": {"https": URL, "http": "http://proxy.example.org"}})["proxy"]
    shown = proxy.shown(found)
    assert "s3cret" not in str(shown)
    assert (shown["http"], shown["https"]) == ("http://proxy.example.org", proxy.HIDDEN)


@pytest.mark.parametrize(
    "value", [URL, "https://[fd00::1]:8080/", "http://proxy", "http://a%40b:c%24d@proxy.example.org"]
)
def test_a_proxys_url_is_taken(value: str):
    assert faults(pillar({"proxy": {"http": value}})) == []


@pytest.mark.parametrize(
    "value",
    ["proxy.example.org:3128", "socks5://proxy", "http://u:s3cret word@proxy", "http://u:s3cret$@proxy", 5],
)
def test_no_proxys_url_is_refused_unshown(value: Any):
    assert faults(pillar({"proxy": {"http": value}})) == [
        "proxy.http: is not a proxy's URL, write http://HOST:PORT, "
        "with a password's special characters as %XX"
    ]


def test_credentials_at_another_place_are_not_shown_either():
    [fault] = faults(pillar({"proxy": URL}))
    assert fault.startswith("proxy: 'http://<credentials>@proxy.example.org:3128' is not a mapping")


@pytest.mark.parametrize(
    ("url", "given", "used"),
    [
        ("https://mirror.example.org/a", {"https": URL}, {"https": URL}),
        ("https://mirror.example.org/a", {"https": URL, "no_proxy": [".example.org"]}, {}),
        ("https://mirror.example.org:8443/a", {"https": URL, "no_proxy": ["mirror.example.org"]}, {}),
        ("https://mirror.example.org/a", {}, None),
        ("https://mirror.example.org/a", {"no_proxy": [".example.org"]}, None),
    ],
)
def test_a_mirror_is_reached_by_the_proxy_too(url: str, given: dict[str, Any], used: dict[str, str] | None):
    assert mirror.proxies(url, given) == used
