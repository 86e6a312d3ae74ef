"""Simulated kubelets: the requests that a kubelet makes, right and wrong ones, without a machine."""

from __future__ import annotations

import base64
import ipaddress
import json
from collections.abc import Iterable
from pathlib import Path

import kube_node_versions as versions
import urllib3
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from lab import binaries
from lab.controlplane import ControlPlane
from lab.waiting import until

TOKENS = {"worker-1": "aaaaaa.0123456789abcdef", "worker-2": "bbbbbb.0123456789abcdef"}
PATH = "/apis/certificates.k8s.io/v1/certificatesigningrequests"
# Up to 1.26 a kubelet asks for key encipherment, and up to 1.24 none is signed without.
OLD = versions.parse(binaries.release()) < (1, 27)
USAGES = ["digital signature", *(["key encipherment"] if OLD else [])]
CLIENT, SERVING = "kubernetes.io/kube-apiserver-client-kubelet", "kubernetes.io/kubelet-serving"


class Kubelet:
    """A node's requests to the API server, by its bootstrap token and then by its own certificate."""

    def __init__(self, plane: ControlPlane, name: str, folder: Path, token: str | None = None) -> None:
        self.plane, self.name, self.folder = plane, name, folder
        self.token = token or TOKENS[name]
        self.key = ec.generate_private_key(ec.SECP256R1())

    def ask_client(self, name: str | None = None, organization: str = "system:nodes") -> str:
        """Ask for a client certificate until the token is valid; returns the request's name."""
        request = self._request(name or self.name, organization, [])
        return self._post(request, CLIENT, [*USAGES, "client auth"], token=self.token)

    def ask_serving(self, address: str) -> str:
        """Ask for a serving certificate with the client certificate; returns the request's name."""
        names = [x509.DNSName(self.name), x509.IPAddress(ipaddress.ip_address(address))]
        request = self._request(self.name, "system:nodes", names)
        return self._post(request, SERVING, [*USAGES, "server auth"])

    def certificate(self, request: str, seconds: float = 20) -> str | None:
        """Return the certificate that a request got, or None when none came in time; watches, as a kubelet
        does."""
        query = f"?watch=1&fieldSelector=metadata.name%3D{request}&timeoutSeconds={int(seconds)}"
        response = self._send("GET", query, preload_content=False, as_admin=True, timeout=seconds + 5)
        rest = b""
        for chunk in response.stream():
            *lines, rest = (rest + chunk).split(b"\n")
            for line in filter(None, lines):
                status = json.loads(line)["object"].get("status", {})
                if status.get("certificate"):
                    return base64.b64decode(status["certificate"]).decode()
        return None

    def join(self, certificate: str) -> None:
        """Keep a client certificate and register the node, as a kubelet does then."""
        key = self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode()
        (self.folder / f"{self.name}.pem").write_text(certificate + key)
        node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": self.name}}
        self._send("POST", "", node, url=f"{self.plane.url}/api/v1/nodes")

    def _request(self, name: str, organization: str, names: list[x509.GeneralName]) -> bytes:
        subject = [(NameOID.ORGANIZATION_NAME, organization), (NameOID.COMMON_NAME, f"system:node:{name}")]
        builder = x509.CertificateSigningRequestBuilder().subject_name(
            x509.Name([x509.NameAttribute(*attribute) for attribute in subject])
        )
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        return builder.sign(self.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    def _post(self, request: bytes, signer: str, usages: Iterable[str], token: str | None = None) -> str:
        body = {
            "apiVersion": "certificates.k8s.io/v1",
            "kind": "CertificateSigningRequest",
            "metadata": {"generateName": "csr-"},
            "spec": {
                "request": base64.b64encode(request).decode(),
                "signerName": signer,
                "usages": list(usages),
            },
        }

        def posted() -> str | None:
            response = self._send("POST", "", body, token=token)
            return None if response.status == 401 else response.json()["metadata"]["name"]

        return until(posted, "a valid token", seconds=20)

    def _send(
        self, method, query, body=None, *, token=None, as_admin=False, url=None, timeout=10.0, **options
    ):
        certificate = self.plane.directory / "admin.crt" if as_admin else self.folder / f"{self.name}.pem"
        keys = {} if token else {"cert_file": str(certificate)}
        if as_admin:
            keys["key_file"] = str(self.plane.directory / "admin.key")
            self.plane.admin_kubeconfig  # noqa: B018 - makes the certificate
        pool = urllib3.PoolManager(ca_certs=str(self.plane.ca_file), retries=False, timeout=timeout, **keys)
        headers = {"Content-Type": "application/json"} | (
            {"Authorization": f"Bearer {token}"} if token else {}
        )
        content = None if body is None else json.dumps(body)
        response = pool.request(
            method, url or f"{self.plane.url}{PATH}{query}", content, headers=headers, **options
        )
        assert response.status < 300 or (response.status == 401 and token), response.data
        return response


def conditions(plane: ControlPlane, request: str) -> dict[str, str]:
    """Return a request's conditions, type to message."""
    found = json.loads(plane.kubectl("get", "csr", request, "--output=json"))["status"].get("conditions", [])
    return {condition["type"]: condition["message"] for condition in found}


def prepare(plane: ControlPlane, formula: Path) -> None:
    """Give a control plane what an operator gives it once: the rights, and each minion's token."""
    for manifest in sorted((formula / "kube_node/master/files").glob("*.yaml")):
        plane.apply(manifest.read_text())
    for token in TOKENS.values():
        plane.bootstrap_token(token)
