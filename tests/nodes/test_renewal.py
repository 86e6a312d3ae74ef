"""Certificates that live for minutes are renewed, approved each time, and their node stays Ready."""

from __future__ import annotations

import json
import time

import kube_node_versions as versions
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from lab import binaries, host
from lab.lab import Lab
from lab.machine import Machine

from nodes.conftest import highstate

# Certificates are valid from five minutes before they are signed, for which up to 1.21 they end sooner: the
# kubelet renews them a minute after it got them, for it does so when 70 to 90 % of their time are over.
SIGNING = "2m" if versions.parse(binaries.release()) >= (1, 22) else "7m"
RENEWED_SECONDS = 180
ATTESTED_SECONDS = 30
SWEEP = {"schedule": {"kube_node_sweep": {"function": "kube_node.sweep", "seconds": 5, "return_job": False}}}
CLIENT = "/var/lib/kubelet/pki/kubelet-client-current.pem"


@pytest.fixture(scope="module")
def short_lived():
    """Return a lab with one node whose certificates end within minutes."""
    if reason := host.unable():
        pytest.skip(reason)
    settings = SWEEP | {"loop_interval": 1}
    with Lab("renewal", nodes=1, signing_duration=SIGNING, master_settings=settings) as running:
        highstate(running)
        running.control_plane.kubectl("wait", "--for=condition=Ready", "node", "--all", "--timeout=60s")
        running.grant()  # the approver's certificate is as short-lived, and would end before the renewal
        yield running


def is_ready(lab: Lab) -> bool:
    [node] = json.loads(lab.control_plane.kubectl("get", "nodes", "--output=json"))["items"]
    return any(one["type"] == "Ready" and one["status"] == "True" for one in node["status"]["conditions"])


def test_a_certificate_is_renewed_and_its_node_stays_ready(short_lived):
    [machine] = short_lived.machines
    first, states = machine.run("readlink", CLIENT).stdout, set()
    deadline = time.monotonic() + RENEWED_SECONDS
    while machine.run("readlink", CLIENT).stdout == first:
        assert time.monotonic() < deadline, short_lived.master.salt_run("kube_node.pending")
        states.add(is_ready(short_lived))
    assert states == {True}
    rules = {decision["rule"] for decision in short_lived.master.salt_run("kube_node.audit")}
    assert "approved_renewal" in rules


def test_no_token_is_left_in_the_cluster(short_lived):
    secrets = json.loads(
        short_lived.control_plane.kubectl("get", "secrets", "--namespace=kube-system", "--output=json")
    )["items"]
    assert [
        one["metadata"]["name"] for one in secrets if one["type"] == "bootstrap.kubernetes.io/token"
    ] == []


def test_what_the_minion_attests_is_the_certificate_that_its_kubelet_has(short_lived):
    [machine] = short_lived.machines
    deadline = time.monotonic() + ATTESTED_SECONDS
    # Looked at anew each time: a certificate that lives for minutes may be another by now.
    while mine(short_lived, machine)["client_cert_sha256"] != digest(machine):
        assert time.monotonic() < deadline, mine(short_lived, machine)


def digest(machine: Machine) -> str:
    """Return the digest of the client certificate that a machine's kubelet has now."""
    certificate = x509.load_pem_x509_certificate(machine.run("cat", CLIENT).stdout.encode())
    return certificate.fingerprint(hashes.SHA256()).hex()


def mine(lab: Lab, machine: Machine) -> dict:
    """Return what the master has of a minion, stored under its authenticated id."""
    return lab.master.salt_run("mine.get", machine.minion_id, "kube_node.attestation")[machine.minion_id]
