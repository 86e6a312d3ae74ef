"""What a machine that turned hostile asks for, it does not get, whoever knocks."""

from __future__ import annotations

import base64
import json

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

STRANGER = "strang.0123456789abcdef"


@pytest.fixture
def ask(lab, tmp_path):
    """Return a function that posts a client request with a bootstrap token and returns its name."""
    made = []

    def post(token: str, organization: str, name: str) -> str:
        subject = x509.Name(
            [
                x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization),
                x509.NameAttribute(NameOID.COMMON_NAME, name),
            ]
        )
        key = ec.generate_private_key(ec.SECP256R1())
        request = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, hashes.SHA256())
        manifest = {
            "apiVersion": "certificates.k8s.io/v1",
            "kind": "CertificateSigningRequest",
            "metadata": {"generateName": "csr-"},
            "spec": {
                "request": base64.b64encode(request.public_bytes(serialization.Encoding.PEM)).decode(),
                "signerName": "kubernetes.io/kube-apiserver-client-kubelet",
                "usages": ["digital signature", "client auth"],
            },
        }
        config = tmp_path / "kubeconfig"
        config.write_text(yaml.safe_dump(_kubeconfig(lab, token)))
        plane = lab.control_plane
        created = plane.kubectl(
            f"--kubeconfig={config}", "create", "--filename=-", "--output=name", input=json.dumps(manifest)
        )
        made.append(created.strip().rpartition("/")[2])
        return made[-1]

    yield post
    lab.control_plane.kubectl("delete", "csr", *made)


def test_request_for_another_minions_node_is_not_approved(lab, ask):
    request = ask(own_token(lab), "system:nodes", "system:node:worker-2")
    assert "Approved" not in _decided(lab, request)


def test_request_for_the_masters_group_is_not_approved(lab, ask):
    request = ask(own_token(lab), "system:masters", "system:node:worker-1")
    assert "Approved" not in _decided(lab, request)


def test_request_with_a_strangers_token_is_not_approved(lab, ask):
    lab.control_plane.bootstrap_token(STRANGER)
    request = ask(STRANGER, "system:nodes", "system:node:worker-1")
    assert "Approved" not in _decided(lab, request)


def test_request_of_an_unknown_node_stays_pending(lab, ask):
    lab.control_plane.bootstrap_token(STRANGER)
    request = ask(STRANGER, "system:nodes", "system:node:worker-3")
    assert _decided(lab, request) == {}


def own_token(lab) -> str:
    """Return the bootstrap token that lies on worker-1, as whoever owns the machine finds it, made valid."""
    path = "/etc/kubernetes/bootstrap.kubeconfig"
    token = yaml.safe_load(lab.machines[0].run("cat", path).stdout)["users"][0]["user"]["token"]
    lab.control_plane.bootstrap_token(token)
    return token


def _decided(lab, request: str) -> dict[str, str]:
    """Knock from every machine, let the master look, and return the request's conditions."""
    for machine in lab.machines:
        machine.run("systemctl", "start", "kube-node-knock.service")
    lab.master.salt_run("kube_node.approve")
    found = json.loads(lab.control_plane.kubectl("get", "csr", request, "--output=json"))
    return {condition["type"]: condition["message"] for condition in found["status"].get("conditions", [])}


def _kubeconfig(lab, token: str) -> dict:
    plane = lab.control_plane
    cluster = {"server": plane.url, "certificate-authority": str(plane.ca_file)}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "lab", "cluster": cluster}],
        "users": [{"name": "hostile", "user": {"token": token}}],
        "contexts": [{"name": "lab", "context": {"cluster": "lab", "user": "hostile"}}],
        "current-context": "lab",
    }
