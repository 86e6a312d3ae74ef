"""A fresh API server double for every test, and the ways to talk to it: raw HTTPS, kubectl, the Python client."""

from __future__ import annotations

import base64
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from lab import apiserver, pki

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


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> tuple[pki.Pair, pki.Pair]:
    """An authority and a serving certificate for 127.0.0.1, made once."""
    directory = tmp_path_factory.mktemp("pki")
    ca = pki.authority(directory)
    return ca, pki.server(ca, directory, "apiserver", ["127.0.0.1"])


@pytest.fixture
def start_cluster(certificates: tuple[pki.Pair, pki.Pair], tmp_path: Path) -> Iterator[Any]:
    """A context manager that starts a double with settings of the test's choice."""
    ca, serving = certificates

    def start(**settings: Any) -> Any:
        return apiserver.start(
            **{
                "client_ca_file": ca.certificate,
                "tls_cert_file": serving.certificate,
                "tls_private_key_file": serving.key,
                "cluster_signing_cert_file": ca.certificate,
                "cluster_signing_key_file": ca.key,
                **settings,
            }
        )

    return start


@pytest.fixture
def cluster(
    request: pytest.FixtureRequest,
    start_cluster: Any,
    certificates: tuple[pki.Pair, pki.Pair],
    tmp_path: Path,
) -> Iterator[Cluster]:
    """A fresh double; `@pytest.mark.parametrize("cluster", [settings], indirect=True)` starts it otherwise."""
    with start_cluster(**getattr(request, "param", {})) as running:
        yield Cluster(running.url, certificates[0], tmp_path)
