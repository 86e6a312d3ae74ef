"""The kube-proxy double does nothing useful unless its name is a node's, and says so as the real one does."""

from __future__ import annotations

import json
import urllib.error
import urllib.request

import pytest
from lab import waiting

from unit.lab.doubles import free_port


def start(machine, cluster, version, name="n1", *arguments):
    """Start a kube-proxy and return it with its health and metrics URLs."""
    health, metrics = free_port(), free_port()
    own = (f"--kubeconfig={cluster.kubeconfig('system:kube-proxy')}", "--proxy-mode=iptables")
    own += (f"--hostname-override={name}", f"--healthz-port={health}", f"--metrics-port={metrics}")
    own += ("--healthz-bind-address=127.0.0.1", "--metrics-bind-address=127.0.0.1")
    proxy = machine.start("kube-proxy", version, *own, *arguments)
    return proxy, f"http://127.0.0.1:{health}", f"http://127.0.0.1:{metrics}"


def get(url):
    """The code and body of an answer, None while nobody answers."""
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as refused:
        return refused.code, refused.read().decode()
    except OSError:
        return None


def becomes(url, code):
    def found():
        answer = get(url)
        return answer if answer and answer[0] == code else None

    return waiting.until(found, f"{code} from {url}", 15, 0.02)


def make_node(cluster, name="n1"):
    addresses = [{"type": "InternalIP", "address": "10.0.0.1"}]
    cluster.make("/api/v1/nodes", {"metadata": {"name": name}, "status": {"addresses": addresses}})


def test_with_its_node_it_is_healthy_and_quiet(machine, cluster):
    make_node(cluster)
    proxy, health, metrics = start(machine, cluster, "1.36.2")
    _, body = becomes(f"{health}/healthz", 200)
    assert json.loads(body)["nodeEligible"] is True
    assert get(f"{metrics}/proxyMode") == (200, "iptables")
    assert "Can't determine" not in proxy.log


def test_its_rules_stay_until_they_are_cleaned_up(machine, cluster):
    make_node(cluster)
    proxy, health, _ = start(machine, cluster, "1.36.2")
    becomes(f"{health}/healthz", 200)
    proxy.stop()
    marks = machine.root / "run/kube-proxy-double"
    assert [path.name for path in marks.iterdir()] == ["iptables"]
    machine.run("kube-proxy", "1.36.2", "--cleanup")
    assert not marks.exists()


def test_without_its_node_1_36_says_so_and_is_not_healthy(machine, cluster):
    proxy, health, _ = start(machine, cluster, "1.36.2", "nobody")
    proxy.logged('"Timed out waiting for node to exist" node="nobody"')
    proxy.logged("Can't determine this node's IP, assuming loopback; if this is incorrect, please set the")
    becomes(f"{health}/healthz", 503)
    becomes(f"{health}/livez", 200)


@pytest.mark.parametrize(
    ("cluster", "version", "severity"),
    [({"version": "1.14.10"}, "1.14.10", "W"), ({"version": "1.21.14"}, "1.21.14", "E")],
    indirect=["cluster"],
)
def test_without_its_node_older_ones_name_it(machine, cluster, version, severity):
    proxy, health, _ = start(machine, cluster, version, "nobody")
    proxy.logged(f'{severity}\\d.*] Failed to retrieve node info: nodes "nobody" not found')
    proxy.logged("can't determine this node's IP, assuming 127.0.0.1; if this is incorrect, please set the")
    becomes(f"{health}/healthz", 503)


def test_a_node_that_comes_later_makes_it_healthy_and_one_that_goes_unhealthy(machine, cluster):
    _, health, _ = start(machine, cluster, "1.36.2")
    becomes(f"{health}/healthz", 503)
    make_node(cluster)
    becomes(f"{health}/healthz", 200)
    cluster.call("DELETE", "/api/v1/nodes/n1")
    becomes(f"{health}/healthz", 503)


@pytest.mark.parametrize(
    ("cluster", "version", "path"),
    [
        ({"version": "1.18.20"}, "1.18.20", "/api/v1/endpoints"),
        ({"version": "1.20.15"}, "1.20.15", "/apis/discovery.k8s.io/v1beta1/endpointslices"),
        ({"version": "1.36.2"}, "1.36.2", "/apis/discovery.k8s.io/v1/endpointslices"),
    ],
    indirect=["cluster"],
)
def test_services_and_endpoints_are_listed_by_the_minors_api(machine, cluster, version, path):
    make_node(cluster)
    _, health, _ = start(machine, cluster, version)
    becomes(f"{health}/healthz", 200)
    asked = {(entry["verb"], entry["path"]) for entry in cluster.read("/lab/requests")}
    assert {("list", "/api/v1/services"), ("list", path)} <= asked


def test_an_address_to_bind_to_needs_no_node(machine, cluster):
    proxy, health, _ = start(machine, cluster, "1.36.2", "nobody", "--bind-address=10.0.0.9")
    becomes(f"{health}/healthz", 503)
    assert "Can't determine" not in proxy.log


def test_a_user_without_rights_is_told(machine, cluster):
    make_node(cluster)
    config = cluster.kubeconfig("nobody")
    proxy, _, _ = start(machine, cluster, "1.31.0", "n1", f"--kubeconfig={config}")
    proxy.logged('nodes .*"n1.*" is forbidden: User .*"nobody.*" cannot get resource')
