"""The kubelet double gets through what an API server does to it on a bad day."""

from __future__ import annotations

import pytest
from lab import waiting

from unit.lab.doubles import grant_bootstrap, join, pending, ready, requests

CLIENT = "kube-apiserver-client-kubelet"


@pytest.fixture
def kubelet(machine, cluster):
    """Start a kubelet that is to bootstrap."""

    def start(**fields):
        flag = f"--bootstrap-kubeconfig={machine.bootstrap_kubeconfig(cluster)}"
        return machine.kubelet("1.36.2", f"--config={machine.settings(**fields)}", flag)

    grant_bootstrap(cluster)
    return start


def inject(cluster, **fault):
    answer = cluster.call("POST", "/lab/faults", fault)
    assert answer.ok, answer.text


def test_a_server_that_asks_to_wait_is_asked_again_after_that_time(cluster, kubelet):
    inject(cluster, action="status", code=429, retryAfter=1, verb="create", path="/certificates", count=1)
    started = kubelet()
    pending(cluster, CLIENT)
    assert "Failed while requesting" not in started.log


def test_a_server_error_without_advice_is_met_with_the_managers_own_backoff(cluster, kubelet):
    inject(cluster, action="status", code=500, verb="create", path="certificatesigningrequests", count=2)
    started = kubelet()
    pending(cluster, CLIENT)
    assert started.log.count("Failed while requesting a signed certificate from the control plane") == 2


def test_a_watch_that_breaks_is_taken_up_again(machine, cluster, kubelet):
    inject(cluster, action="drop", verb="watch", path="certificatesigningrequests", count=3)
    kubelet()
    cluster.approve(pending(cluster, CLIENT))
    waiting.until((machine.pki / "kubelet-client-current.pem").exists, "the certificate", 15, 0.02)
    assert len(requests(cluster)) == 1


def test_a_request_that_was_made_but_not_answered_is_taken_up_after_a_restart(cluster, kubelet):
    inject(cluster, action="drop-after", verb="create", path="certificatesigningrequests", count=1)
    first = kubelet(rotateCertificates=False)
    assert first.ended() == 1
    assert "failed to run Kubelet: cannot create certificate signing request: Post" in first.log
    second = kubelet(rotateCertificates=False)
    second.logged("csr for this node already exists, reusing")
    assert len(requests(cluster)) == 1


def test_a_deleted_request_is_made_anew(cluster, kubelet):
    started = kubelet()
    name = pending(cluster, CLIENT)["metadata"]["name"]
    cluster.call("DELETE", f"/apis/certificates.k8s.io/v1/certificatesigningrequests/{name}")
    started.logged(f"csr .*{name}.* was deleted")
    assert pending(cluster, CLIENT)["metadata"]["name"] != name


def test_a_node_status_that_is_refused_is_reported_again(machine, cluster):
    inject(cluster, action="status", code=500, verb="patch", path="/status", count=2)
    kubelet = join(machine, cluster, "1.36.2")
    machine.cni_arrives()
    kubelet.logged("Error updating node status, will retry")
    waiting.until(lambda: ready(cluster)["status"] == "True", "a ready node", 15, 0.02)


def test_a_deleted_node_does_not_end_the_kubelet(machine, cluster):
    kubelet = join(machine, cluster, "1.36.2")
    cluster.call("DELETE", "/api/v1/nodes/n1")
    kubelet.logged('nodes .*"n1.*" not found')
    assert kubelet.process.poll() is None
