"""The kubelet double renews its certificates in time, and ends itself when it cannot."""

from __future__ import annotations

from datetime import timedelta

import pytest
from lab import waiting

from unit.lab.doubles import join, pending, ready

CLIENT, SERVING = "kube-apiserver-client-kubelet", "kubelet-serving"
YEAR = 365 * 24 * 3600
#: A certificate begins five minutes before it is signed: one of ten seconds is due for renewal at once.
SHORT = pytest.mark.parametrize(
    "cluster", [{"cluster_signing_duration": timedelta(seconds=10)}], indirect=True
)
EXPIRES = pytest.mark.parametrize(
    "cluster", [{"cluster_signing_duration": timedelta(seconds=2)}], indirect=True
)


def test_a_certificate_is_renewed_at_70_to_90_percent_of_its_life(machine, cluster):
    kubelet = join(machine, cluster, "1.36.2")
    found = kubelet.logged(r'"Waiting for next certificate rotation" sleep="([\d.]+)s"')
    assert 0.7 * YEAR - 301 <= float(found[1]) <= 0.9 * YEAR


@SHORT
def test_the_node_itself_asks_for_its_next_client_certificate(machine, cluster):
    join(machine, cluster, "1.36.2")
    assert pending(cluster, CLIENT)["spec"]["username"] == "system:node:n1"


@SHORT
def test_a_renewed_certificate_takes_the_place_of_the_old_one_and_the_node_stays(machine, cluster):
    machine.cni_arrives()
    kubelet = join(machine, cluster, "1.36.2")
    current = machine.pki / "kubelet-client-current.pem"
    before = current.read_bytes()
    cluster.approve(pending(cluster, CLIENT))
    waiting.until(lambda: current.read_bytes() != before, "another certificate", 15, 0.02)
    assert ready(cluster)["status"] == "True"
    assert kubelet.process.poll() is None


@SHORT
def test_the_serving_certificate_is_renewed_too(machine, cluster):
    join(machine, cluster, "1.36.2", serverTLSBootstrap=True)
    first = pending(cluster, SERVING)
    cluster.approve(first)
    assert pending(cluster, SERVING)["metadata"]["name"] != first["metadata"]["name"]


@EXPIRES
def test_a_kubelet_whose_certificate_expired_ends_itself_after_five_minutes(machine, cluster, monkeypatch):
    monkeypatch.setattr("unit.lab.doubles.SCALE", 0.01)
    kubelet = join(machine, cluster, "1.36.2")
    assert kubelet.ended() == 1
    assert "No valid client certificate is found and the server is responsive, exiting." in kubelet.log
