"""The kubelet double gets its credentials as the kubelet of its minor does, against the API server double."""

from __future__ import annotations

import base64
import re
from datetime import datetime, timedelta, timezone

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509.oid import NameOID
from lab import pki, waiting

from unit.lab.apiserver_cluster import CSRS
from unit.lab.doubles import free_port, grant_bootstrap, kubeconfig, pending, ready, requests

CLIENT, SERVING = "kube-apiserver-client-kubelet", "kubelet-serving"
V1_36 = "1.36.2"


@pytest.fixture
def bootstrap(machine, cluster):
    """A cluster that knows the machine's token; gives the flags to bootstrap with."""
    grant_bootstrap(cluster)
    return f"--bootstrap-kubeconfig={machine.bootstrap_kubeconfig(cluster)}"


def current(machine):
    return machine.pki / "kubelet-client-current.pem"


def wait_for_certificate(machine):
    waiting.until(current(machine).exists, "the client certificate", 15, 0.02)


def test_the_request_is_made_with_the_token_and_a_generated_name(machine, cluster, bootstrap):
    machine.kubelet(V1_36, f"--config={machine.settings()}", bootstrap)
    found = pending(cluster, CLIENT)
    assert re.fullmatch(r"csr-[a-z0-9]{5}", found["metadata"]["name"])
    assert found["spec"]["username"] == "system:bootstrap:abcdef"
    assert found["spec"]["usages"] == ["digital signature", "client auth"]
    assert "expirationSeconds" not in found["spec"]


def test_with_rotation_the_key_is_on_no_disk_before_the_certificate_is(machine, cluster, bootstrap):
    machine.kubelet(V1_36, f"--config={machine.settings()}", bootstrap)
    pending(cluster, CLIENT)
    assert not list(machine.pki.glob("kubelet-client*"))


def test_with_rotation_the_kubeconfig_is_written_before_there_is_a_certificate(machine, cluster, bootstrap):
    machine.kubelet(V1_36, f"--config={machine.settings()}", bootstrap)
    pending(cluster, CLIENT)
    found = yaml.safe_load(machine.kubeconfig.read_text())
    pem = str(current(machine))
    assert found["users"] == [
        {"name": "default-auth", "user": {"client-certificate": pem, "client-key": pem}}
    ]
    place = {"certificate-authority": str(cluster.ca.certificate), "server": cluster.url}
    assert found["clusters"] == [{"name": "default-cluster", "cluster": place}]
    assert found["current-context"] == "default-context"
    assert machine.kubeconfig.stat().st_mode & 0o777 == 0o600


def test_an_approved_request_becomes_a_dated_file_and_a_link_to_it(machine, cluster, bootstrap):
    machine.kubelet(V1_36, f"--config={machine.settings()}", bootstrap)
    cluster.approve(pending(cluster, CLIENT))
    wait_for_certificate(machine)
    target = current(machine).readlink()
    assert re.fullmatch(r"kubelet-client-\d{4}(-\d{2}){5}\.pem", target.name)
    assert target.stat().st_mode & 0o777 == 0o600
    blocks = re.findall(r"-----BEGIN ([A-Z ]+)-----", target.read_text())
    assert blocks == ["CERTIFICATE", "EC PRIVATE KEY"]


def test_an_unknown_token_is_tried_again_until_it_is_known(machine, cluster):
    machine.bootstrap_kubeconfig(cluster)
    flag = f"--bootstrap-kubeconfig={machine.directory / 'bootstrap.kubeconfig'}"
    kubelet = machine.kubelet(V1_36, f"--config={machine.settings()}", flag)
    for _ in range(2):
        kubelet.logged("cannot create certificate signing request: Unauthorized.*(?s:.*)Unauthorized")
    grant_bootstrap(cluster)
    assert pending(cluster, CLIENT)["spec"]["username"] == "system:bootstrap:abcdef"


def test_a_kubelet_without_credentials_for_five_minutes_ends_itself(machine, cluster):
    flag = f"--bootstrap-kubeconfig={machine.bootstrap_kubeconfig(cluster)}"
    kubelet = machine.kubelet(V1_36, f"--config={machine.settings()}", flag, KUBE_NODE_LAB_TIME_SCALE="0.004")
    assert kubelet.ended() == 1
    assert "No valid client certificate is found and the server is responsive, exiting." in kubelet.log


def test_a_kubelet_whose_api_server_is_gone_stays_and_says_so(machine, cluster):
    user = kubeconfig(cluster, {"token": "abcdef.0123456789abcdef"})
    user["clusters"][0]["cluster"]["server"] = "https://127.0.0.1:1"
    flag = f"--bootstrap-kubeconfig={machine.write('gone.kubeconfig', user)}"
    kubelet = machine.kubelet(V1_36, f"--config={machine.settings()}", flag, KUBE_NODE_LAB_TIME_SCALE="0.004")
    kubelet.logged("No valid client certificate is found but the server is not responsive")
    assert "dial tcp 127.0.0.1:1: connect: connection refused" in kubelet.log
    assert kubelet.process.poll() is None


def test_a_denied_request_is_made_again_with_another_key(machine, cluster, bootstrap):
    kubelet = machine.kubelet(V1_36, f"--config={machine.settings()}", bootstrap)
    first = pending(cluster, CLIENT)
    cluster.approve(first, kind="Denied")
    kubelet.logged("certificate signing request is denied, reason: Test, message: decided by a test")
    second = pending(cluster, CLIENT)
    assert second["spec"]["request"] != first["spec"]["request"]


def test_a_joined_node_needs_no_token(machine, cluster, bootstrap):
    config = f"--config={machine.settings()}"
    first = machine.kubelet(V1_36, config, bootstrap)
    cluster.approve(pending(cluster, CLIENT))
    wait_for_certificate(machine)
    first.stop()
    again = machine.kubelet(V1_36, config, bootstrap)
    again.logged("Current kubeconfig file contents are still valid, no bootstrap necessary")
    waiting.until(lambda: ready(cluster), "the node", 15, 0.05)
    assert len(requests(cluster)) == 1


def test_an_expired_certificate_sends_the_kubelet_back_to_its_token(machine, cluster, bootstrap):
    machine.pki.mkdir()
    current(machine).write_bytes(expired(cluster.ca))
    pem = str(current(machine))
    machine.kubeconfig.write_text(
        yaml.safe_dump(kubeconfig(cluster, {"client-certificate": pem, "client-key": pem}))
    )
    kubelet = machine.kubelet(V1_36, f"--config={machine.settings()}", bootstrap)
    assert pending(cluster, CLIENT)["spec"]["username"] == "system:bootstrap:abcdef"
    assert "part of the existing bootstrap client certificate in" in kubelet.log


def test_without_rotation_the_key_waits_on_disk_and_gives_the_request_its_name(machine, cluster, bootstrap):
    machine.kubelet(V1_36, f"--config={machine.settings(rotateCertificates=False)}", bootstrap)
    found = pending(cluster, CLIENT)
    assert re.fullmatch(r"node-csr-[A-Za-z0-9_-]{43}", found["metadata"]["name"])
    temporary = machine.pki / "kubelet-client.key.tmp"
    key = serialization.load_pem_private_key(temporary.read_bytes(), None)
    request = x509.load_pem_x509_csr(base64.b64decode(found["spec"]["request"]))
    assert request.public_key() == key.public_key()
    assert not machine.kubeconfig.exists()


def test_without_rotation_a_restarted_kubelet_takes_its_request_up_again(machine, cluster, bootstrap):
    config = f"--config={machine.settings(rotateCertificates=False)}"
    first = machine.kubelet(V1_36, config, bootstrap)
    name = pending(cluster, CLIENT)["metadata"]["name"]
    first.stop()
    second = machine.kubelet(V1_36, config, bootstrap)
    second.logged("csr for this node is still valid")
    assert [item["metadata"]["name"] for item in requests(cluster)] == [name]
    cluster.approve(pending(cluster, CLIENT))
    wait_for_certificate(machine)
    waiting.until(machine.kubeconfig.exists, "the kubeconfig", 5, 0.02)
    assert not (machine.pki / "kubelet-client.key.tmp").exists()


def test_without_rotation_a_denied_request_ends_the_kubelet(machine, cluster, bootstrap):
    kubelet = machine.kubelet(V1_36, f"--config={machine.settings(rotateCertificates=False)}", bootstrap)
    cluster.approve(pending(cluster, CLIENT), kind="Denied")
    assert kubelet.ended() == 1
    assert (
        "failed to run Kubelet: cannot watch on the certificate signing request: certificate signing "
        "request is "
        "denied, reason: Test, message: decided by a test"
    ) in kubelet.log


@pytest.mark.parametrize("cluster", [{"version": "1.12.10"}], indirect=True)
def test_up_to_1_12_rotation_too_begins_with_a_key_on_disk(machine, cluster, bootstrap):
    runtime = (f"--container-runtime-endpoint=unix://{machine.socket}", "--container-runtime=remote")
    config = machine.settings()
    config.write_text(re.sub("containerRuntimeEndpoint.*\n", "", config.read_text()))
    kubelet = machine.kubelet("1.12.10", f"--config={config}", bootstrap, *runtime)
    beta = CSRS.replace("v1/", "v1beta1/")
    found = waiting.until(lambda: requests(cluster, beta), "a request", 15, 0.05)[0]
    assert found["metadata"]["name"].startswith("node-csr-")
    assert "signerName" not in found["spec"]
    condition = {"type": "Approved", "reason": "Test", "message": ""}
    body = {**found, "status": {"conditions": [condition]}}
    cluster.call("PUT", f"{beta}/{found['metadata']['name']}/approval", body)
    wait_for_certificate(machine)
    kubelet.logged("Starting client certificate rotation")


@pytest.mark.parametrize("cluster", [{"version": "1.9.11"}], indirect=True)
def test_1_9_needs_no_file_and_keeps_key_and_certificate_apart(machine, cluster, bootstrap):
    flags = ["--rotate-certificates", "--fail-swap-on=false", "--address=127.0.0.1", f"--port={free_port()}"]
    flags += [f"--healthz-port={free_port()}", "--read-only-port=0", "--container-runtime=remote"]
    machine.kubelet("1.9.11", *flags, f"--container-runtime-endpoint=unix://{machine.socket}", bootstrap)
    beta = CSRS.replace("v1/", "v1beta1/")
    found = waiting.until(lambda: requests(cluster, beta), "a request", 15, 0.05)[0]
    condition = {"type": "Approved", "reason": "Test", "message": ""}
    body = {**found, "status": {"conditions": [condition]}}
    cluster.call("PUT", f"{beta}/{found['metadata']['name']}/approval", body)
    waiting.until(machine.kubeconfig.exists, "the kubeconfig", 15, 0.02)
    user = yaml.safe_load(machine.kubeconfig.read_text())["users"][0]["user"]
    assert user == {
        "client-certificate": str(machine.pki / "kubelet-client.crt"),
        "client-key": str(machine.pki / "kubelet-client.key"),
    }


def test_the_serving_request_is_the_nodes_own_and_names_its_address(machine, cluster, bootstrap):
    machine.kubelet(V1_36, f"--config={machine.settings(serverTLSBootstrap=True)}", bootstrap)
    cluster.approve(pending(cluster, CLIENT))
    found = pending(cluster, SERVING)
    assert found["spec"]["username"] == "system:node:n1"
    assert found["spec"]["usages"] == ["digital signature", "server auth"]
    request = x509.load_pem_x509_csr(base64.b64decode(found["spec"]["request"]))
    names = request.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    waiting.until(lambda: ready(cluster), "the node", 15, 0.05)
    addresses = cluster.read("/api/v1/nodes/n1")["status"]["addresses"]
    assert names.get_values_for_type(x509.DNSName) == ["n1"]
    assert [str(ip) for ip in names.get_values_for_type(x509.IPAddress)] == [addresses[0]["address"]]


def expired(ca: pki.Pair) -> bytes:
    """A node's certificate and key that have had their day."""
    key = pki.ec.generate_private_key(pki.ec.SECP256R1())
    issuer = x509.load_pem_x509_certificate(ca.certificate.read_bytes())
    now = datetime.now(timezone.utc)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "system:node:n1")])
    builder = x509.CertificateBuilder(issuer.subject, subject, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now - timedelta(hours=2)).not_valid_after(now - timedelta(hours=1))
    signed = builder.sign(pki.private_key(ca.key), hashes.SHA256())
    form, none = serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    encoding = serialization.Encoding.PEM
    return signed.public_bytes(encoding) + key.private_bytes(encoding, form, none)
