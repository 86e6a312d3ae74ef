"""kube_node.ready: a node is watched on the API server double, not without end, and told of in words."""

from __future__ import annotations

import threading
import time
from datetime import datetime, timezone
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from lab import apiserver, pki
from unit.lab.apiserver_cluster import Cluster
from unit.nodes import pillar

NODE = "/api/v1/nodes/worker-1"
NETWORK = "container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady message:none"


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    """Return an authority, and the double's serving certificate by it."""
    folder = tmp_path_factory.mktemp("pki")
    ca = pki.authority(folder)
    return ca, pki.server(ca, folder, "apiserver", ["127.0.0.1"])


@pytest.fixture
def cluster(keys, tmp_path):
    """Return the double."""
    ca, serving = keys
    settings = {"client_ca_file": ca.certificate, "cluster_signing_cert_file": ca.certificate}
    settings |= {"tls_cert_file": serving.certificate, "tls_private_key_file": serving.key}
    with apiserver.start(cluster_signing_key_file=ca.key, **settings) as running:
        yield Cluster(running.url, ca, tmp_path)


@pytest.fixture
def healthz():
    """Return a kubelet's health server, whose answer is `code`."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(server.code)
            self.end_headers()
            self.wfile.write(b"as told")

        def log_message(self, *_):
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Answer)
    server.code = 200
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def kubelet(cluster, healthz, node, tmp_path) -> Cluster:
    """Give the minion a certificate of its own and a pillar for that cluster; return the cluster."""
    folder = tmp_path / "certificates"
    folder.mkdir()
    pair = pki.client(cluster.ca, tmp_path, "node", "system:node:worker-1", ["system:nodes"])
    pair.certificate.rename(folder / "kubelet.pem")
    pair.key.rename(folder / "kubelet-key.pem")
    ca = cluster.ca.certificate.read_text()
    (folder / "ca.crt").write_text(ca)
    paths = {"certificates": str(folder), "cni_config": str(tmp_path / "cni")}
    node(
        pillar(
            {
                "cluster": {"api_server": cluster.url, "ca": ca},
                "paths": paths,
                "certificates": {"mode": "static"},
                "kubelet": {"config": {"healthzPort": healthz.server_port}},
            }
        )
    )
    return cluster


def report(cluster: Cluster, status: str = "True", message: str = "") -> None:
    """Have the Node there, with a condition Ready of now."""
    now = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    condition = {"type": "Ready", "status": status, "message": message, "lastHeartbeatTime": now}
    body = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "worker-1"}}
    cluster.call("POST", "/api/v1/nodes", body)
    patch = {"status": {"conditions": [condition]}}
    answer = cluster.session().patch(
        f"{cluster.url}{NODE}/status",
        json=patch,
        headers={"Content-Type": "application/merge-patch+json"},
        timeout=10,
    )
    assert answer.status_code == 200, answer.text


def ready(states, wait_for: str = "ready", timeout: int = 0, **more) -> tuple:
    result = states.kube_node.ready(name="worker-1", wait_for=wait_for, timeout=timeout, **more)
    assert result.changes == {}
    return result.result, result.comment


@pytest.mark.parametrize("test", [True, False])
def test_a_ready_node_is_ready(states, kubelet, test: bool):
    report(kubelet)
    assert ready(states, test=test) == (True, "worker-1 is Ready")


def test_nothing_is_asked_where_nothing_is_waited_for(states, node):
    node(pillar({"cluster": {"api_server": "https://127.0.0.1:1"}}))
    assert ready(states, "none") == (True, "worker-1 is not waited for")


def test_a_node_is_seen_at_once_when_it_registers_and_when_it_is_ready(states, kubelet):
    threading.Timer(0.5, report, [kubelet, "False", "container runtime is down"]).start()
    threading.Timer(1.5, report, [kubelet]).start()
    started = time.monotonic()
    assert ready(states, timeout=90) == (True, "worker-1 is Ready")
    assert time.monotonic() - started < 45


def test_a_test_run_waits_for_nobody(states, kubelet):
    assert ready(states, timeout=60, test=True) == (
        True,
        "worker-1 would be waited for: the API server has no Node worker-1",
    )


def test_a_node_is_not_waited_for_without_end_and_the_screen_says_why(states, kubelet):
    report(kubelet, "False", "container runtime is down")
    result, comment = ready(states, timeout=1)
    assert result is False
    assert comment.startswith("After 1 s worker-1 is not Ready: container runtime is down.\n")
    assert "node          Ready False: container runtime is down" in comment


def test_a_node_that_lacks_but_its_network_passes(states, kubelet):
    report(kubelet, "False", NETWORK)
    result, comment = ready(states)
    assert result is True
    assert "worker-1 is registered and lacks its network alone: " in comment


def test_a_node_whose_network_is_waited_for_does_not(states, kubelet):
    report(kubelet, "False", NETWORK)
    assert ready(states, "network")[0] is False


def test_the_pod_that_would_bring_the_network_is_told_of(states, kubelet):
    def told() -> str:
        return " ".join(ready(states, "network")[1].split())

    report(kubelet, "False", NETWORK)
    assert "no pod of the DaemonSet calico-node is on this node" in told()
    path = "/api/v1/namespaces/kube-system/pods"
    owner = {"apiVersion": "apps/v1", "kind": "DaemonSet", "name": "calico-node", "uid": "1"}
    metadata = {"name": "calico-node-x", "ownerReferences": [owner]}
    made = kubelet.make(path, {"metadata": metadata, "spec": {"nodeName": "worker-1"}})
    status = {"phase": "Pending", "message": "no such image"}
    kubelet.call("PUT", f"{path}/calico-node-x/status", {**made, "status": status})
    assert "calico-node-x on worker-1: no such image" in told()


def test_a_kubelet_that_is_not_healthy_is_not_asked_for_its_node(states, kubelet, healthz):
    report(kubelet)
    healthz.code = 500
    result, comment = ready(states)
    assert result is False
    assert "the kubelet is not healthy: " in comment
    assert "answers 500: as told" in comment


def test_an_api_server_that_is_away_for_a_moment_is_waited_for(states, kubelet):
    report(kubelet)
    kubelet.call("POST", "/lab/restart", {"seconds": 2})
    assert ready(states, timeout=60) == (True, "worker-1 is Ready")


def test_history_that_was_forgotten_is_read_anew(states, kubelet):
    def forget() -> None:
        kubelet.call("POST", "/lab/compact")
        kubelet.call("POST", "/lab/restart", {"seconds": 0})
        report(kubelet)

    threading.Timer(0.5, forget).start()
    assert ready(states, timeout=60) == (True, "worker-1 is Ready")


def test_a_refusal_is_told(states, kubelet, modules):
    path = Path(modules.kube_node.parameters()["kubelet"]["client_certificate"])
    path.unlink()
    result, comment = ready(states)
    assert result is False
    assert f"the node's certificate {path} cannot be used" in comment


def test_the_node_says_how_it_fares(modules, kubelet):
    report(kubelet)
    found = modules.kube_node.status()
    assert found["node"] == "worker-1"
    assert found["healthz"] == "ok"
    assert [one["status"] for one in found["conditions"]] == ["True"]
    assert found["certificates"][0]["state"] == "good"
    assert found["certificates"][0]["days_left"] > 1
    assert found["network"]["plugin"] == "calico"
    assert len(found["network"]["missing"]) == 2
    assert found["version"] == {"wanted": "1.36.2", "running": None}
