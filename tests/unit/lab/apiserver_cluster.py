"""The ways in which tests talk to the API server double: raw HTTPS and kubectl, as any user."""

from __future__ import annotations

import base64
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from lab import pki

CSRS = "/apis/certificates.k8s.io/v1/certificatesigningrequests"
CLIENT = "kubernetes.io/kube-apiserver-client-kubelet"
SERVING = "kubernetes.io/kubelet-serving"
ADMIN = ("kubernetes-admin", "system:masters")


@dataclass
class Cluster:
    """A started double, its authority, and a folder for what a test needs."""

    url: str
    ca: pki.Pair
    directory: Path

    def session(self, user: str = ADMIN[0], *groups: str) -> requests.Session:
        """Return an HTTPS session that authenticates as `user`; as the administrator without arguments."""
        groups = groups or (ADMIN[1:] if user == ADMIN[0] else ())
        name = f"client-{abs(hash((user, groups)))}"
        pair = pki.client(self.ca, self.directory, name, user, groups)
        session = self.anonymous()
        session.cert = (str(pair.certificate), str(pair.key))
        return session

    def anonymous(self, token: str | None = None) -> requests.Session:
        """Return an HTTPS session without a client certificate, with a bearer token when given."""
        session = requests.Session()
        session.trust_env = False
        session.verify = str(self.ca.certificate)
        if token:
            session.headers["Authorization"] = f"Bearer {token}"
        return session

    def call(
        self, method: str, path: str, body: Any = None, by: requests.Session | None = None, **kwargs: Any
    ) -> requests.Response:
        """Send one request, by the administrator unless `by` says who."""
        session = by or self.session()
        return session.request(method, self.url + path, json=body, timeout=20, **kwargs)

    def make(self, path: str, body: dict[str, Any], by: requests.Session | None = None) -> dict[str, Any]:
        """Create an object and return it."""
        answer = self.call("POST", path, body, by)
        assert answer.status_code == 201, answer.text
        return answer.json()

    def read(self, path: str, by: requests.Session | None = None) -> dict[str, Any]:
        """Return what is at a path."""
        answer = self.call("GET", path, by=by)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def config_map(self, name: str, **data: str) -> dict[str, Any]:
        """Create a ConfigMap in namespace default."""
        return self.make("/api/v1/namespaces/default/configmaps", {"metadata": {"name": name}, "data": data})

    def request_certificate(self, by: requests.Session | None = None, **spec: Any) -> dict[str, Any]:
        """Create a CSR, that of a kubelet for its client certificate unless `spec` says otherwise."""
        return self.make(CSRS, csr(**spec), by)

    def approve(
        self, found: dict[str, Any], by: requests.Session | None = None, kind: str = "Approved"
    ) -> requests.Response:
        """Put a decision on a CSR, as kubectl does."""
        condition = {"type": kind, "status": "True", "reason": "Test", "message": "decided by a test"}
        body = {**found, "status": {"conditions": [condition]}}
        return self.call("PUT", f"{CSRS}/{found['metadata']['name']}/approval", body, by)

    def grant(self, user: str, *rules: dict[str, Any]) -> requests.Session:
        """Give a user rights by a ClusterRole of its own; return its session."""
        rbac = "/apis/rbac.authorization.k8s.io/v1"
        self.make(f"{rbac}/clusterroles", {"metadata": {"name": user}, "rules": list(rules)})
        self.make(
            f"{rbac}/clusterrolebindings",
            {
                "metadata": {"name": user},
                "subjects": [{"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": user}],
                "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": user},
            },
        )
        return self.session(user)

    def kubeconfig(self, user: str = ADMIN[0], *groups: str) -> Path:
        """Write a kubeconfig for a user, the administrator unless named."""
        groups = groups or (ADMIN[1:] if user == ADMIN[0] else ())
        pair = pki.client(self.ca, self.directory, f"config-{abs(hash((user, groups)))}", user, groups)
        return pki.kubeconfig(pair.key.with_suffix(".kubeconfig"), self.url, self.ca, pair)

    def kubectl(
        self, *arguments: str, stdin: str | None = None, user: str = ADMIN[0]
    ) -> subprocess.CompletedProcess[str]:
        """Run the real kubectl and return what it printed."""
        home = {"HOME": str(self.directory), "KUBECACHEDIR": str(self.directory / "cache")}
        return subprocess.run(
            [Path(sys.executable).parent / "kubectl", "--kubeconfig", self.kubeconfig(user), *arguments],
            env={"PATH": os.environ["PATH"], **home},
            input=stdin,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )


def csr(
    common_name: str = "system:node:n1",
    organisations: Sequence[str] = ("system:nodes",),
    names: Sequence[x509.GeneralName] = (),
    pem: bytes | None = None,
    **spec: Any,
) -> dict[str, Any]:
    """Return a CSR object; `pem` replaces the request that the other arguments describe."""
    request = base64.b64encode(pem or pkcs10(common_name, organisations, names)).decode()
    usages = ["digital signature", "key encipherment", "client auth"]
    spec = {"signerName": CLIENT, "usages": usages, "request": request, **spec}
    return {
        "apiVersion": "certificates.k8s.io/v1",
        "kind": "CertificateSigningRequest",
        "metadata": {"generateName": "csr-"},
        "spec": {name: value for name, value in spec.items() if value is not None},
    }


def pkcs10(common_name: str, organisations: Sequence[str], names: Sequence[x509.GeneralName] = ()) -> bytes:
    """Return a certificate request as PEM, signed with a new P-256 key."""
    subject = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, one) for one in organisations]
    subject.append(x509.NameAttribute(NameOID.COMMON_NAME, common_name))
    builder = x509.CertificateSigningRequestBuilder(x509.Name(subject))
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    signed = builder.sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
    return signed.public_bytes(serialization.Encoding.PEM)
