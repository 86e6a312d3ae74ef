"""The kubelet double serves what the real one serves, tells systemd when it is up, and ends when told to."""

from __future__ import annotations

import http.client
import socket
import ssl
import urllib.request

import pytest
import yaml
from cryptography import x509
from lab import pki, waiting

from unit.lab.doubles import free_port, grant_bootstrap, join, pending


def fields_of(machine):
    return yaml.safe_load((machine.directory / "kubelet.yaml").read_text())


def standalone(machine, *arguments, **fields):
    """A kubelet that needs no API server."""
    own = (
        f"--cert-dir={machine.pki}",
        f"--root-dir={machine.directory / 'kubelet'}",
        "--hostname-override=n1",
    )
    return machine.start("kubelet", "1.36.2", f"--config={machine.settings(**fields)}", *own, *arguments)


def get(port, path, context=None):
    """The code and body of an answer."""
    kind = http.client.HTTPSConnection if context else http.client.HTTPConnection
    connection = kind("127.0.0.1", port, timeout=5, **({"context": context} if context else {}))
    connection.request("GET", path)
    answer = connection.getresponse()
    return answer.status, answer.read().decode()


def anybody():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def test_healthz_answers_ok(machine):
    standalone(machine).logged("Started kubelet")
    port = fields_of(machine)["healthzPort"]
    url = f"http://127.0.0.1:{port}/healthz"
    waiting.until(lambda: reachable(port), "healthz", 5, 0.02)
    assert urllib.request.urlopen(url, timeout=5).read() == b"ok"


def reachable(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_without_another_certificate_the_kubelet_makes_one_and_keeps_it(machine):
    first = standalone(machine)
    first.logged("Started kubelet")
    pem = (machine.pki / "kubelet.crt").read_bytes()
    name = x509.load_pem_x509_certificate(pem).subject.rfc4514_string()
    assert name.startswith("CN=n1@")
    assert (machine.pki / "kubelet.key").stat().st_mode & 0o777 == 0o600
    first.stop()
    standalone(machine).logged("Started kubelet")
    assert (machine.pki / "kubelet.crt").read_bytes() == pem
    served = ssl.get_server_certificate(("127.0.0.1", fields_of(machine)["port"]))
    assert x509.load_pem_x509_certificate(served.encode()) == x509.load_pem_x509_certificate(pem)


def test_https_wants_a_client_certificate_of_the_client_ca(machine, tmp_path):
    ca = pki.authority(tmp_path)
    client = pki.client(ca, tmp_path, "apiserver", "kube-apiserver")
    standalone(machine, authentication={"x509": {"clientCAFile": str(ca.certificate)}}).logged(
        "Started kubelet"
    )
    port = fields_of(machine)["port"]
    assert get(port, "/pods", anybody()) == (401, "Unauthorized")
    known = anybody()
    known.load_cert_chain(client.certificate, client.key)
    assert get(port, "/healthz", known) == (200, "ok")


def test_https_has_no_certificate_before_the_serving_request_is_approved(machine, cluster):
    kubelet = join(machine, cluster, "1.36.2", serverTLSBootstrap=True)
    port = fields_of(machine)["port"]
    with pytest.raises((ssl.SSLError, ConnectionError)):
        get(port, "/healthz", anybody())
    kubelet.logged("TLS handshake error from .* no serving certificate available for the kubelet")
    cluster.approve(pending(cluster, "kubelet-serving"))
    waiting.until((machine.pki / "kubelet-server-current.pem").exists, "the certificate", 15, 0.02)
    trusting = ssl.create_default_context(cafile=str(cluster.ca.certificate))
    trusting.check_hostname = False
    assert get(port, "/healthz", trusting)[0] == 401


def test_the_read_only_port_gives_pods_to_anybody(machine):
    port = free_port()
    standalone(machine, readOnlyPort=port).logged("Started kubelet")
    code, body = get(port, "/pods")
    assert (code, '"items": null' in body) == (200, True)


def test_systemd_is_told_when_the_kubelet_is_up(machine):
    path = machine.socket.with_suffix(".notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        channel.bind(str(path))
        channel.settimeout(15)
        kubelet = standalone(machine)
        arguments = kubelet.process.args[1:]
        kubelet.stop()
        machine.start("kubelet", "1.36.2", *arguments, NOTIFY_SOCKET=str(path))
        assert channel.recv(64) == b"READY=1"


def test_sigterm_ends_the_kubelet_with_success(machine):
    kubelet = standalone(machine)
    kubelet.logged("Started kubelet")
    assert kubelet.stop() == 0


def test_sigterm_ends_a_kubelet_that_waits_for_its_certificate(machine, cluster):
    grant_bootstrap(cluster)
    config = f"--config={machine.settings(rotateCertificates=False)}"
    kubelet = machine.kubelet(
        "1.36.2", config, f"--bootstrap-kubeconfig={machine.bootstrap_kubeconfig(cluster)}"
    )
    pending(cluster, "kube-apiserver-client-kubelet")
    assert kubelet.stop() == 0


def test_a_port_that_is_taken_ends_the_kubelet(machine):
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        kubelet = standalone(machine, port=holder.getsockname()[1])
        assert kubelet.ended() == 1
    assert '"Failed to listen and serve" err="listen tcp' in kubelet.log


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            {"authentication": {"x509": {"clientCAFile": "/nowhere/ca.crt"}}},
            "failed to run Kubelet: unable to load client CA file /nowhere/ca.crt: open /nowhere/ca.crt: "
            "no such "
            "file or directory",
        ),
        (
            {"tlsCertFile": "/nowhere/a.crt", "tlsPrivateKeyFile": "/nowhere/a.key"},
            "failed to run Kubelet: failed to create kubelet: failed to load certificate: open "
            "/nowhere/a.crt: no "
            "such file or directory",
        ),
    ],
)
def test_a_file_that_is_missing_ends_the_kubelet(machine, fields, message):
    kubelet = standalone(machine, **fields)
    assert kubelet.ended() == 1
    assert message in kubelet.log
