"""A minion, its simulated kubelet and a worker at work; what the double holds and was asked."""

from __future__ import annotations

import base64
import hashlib
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import kube_node_tokens
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from kube_api import ApiError
from kube_node_approver import Settings
from kube_node_identity import Identity
from kube_node_knocks import CLIENT, Knock
from kube_node_mailbox import Mailbox
from kube_node_register import Made, Register
from kube_node_tokens import SECRETS, Token
from kubelet_csr_tokens import Tokens
from kubelet_csr_worker import Worker
from lab.waiting import until
from unit.ground import Ground, derived
from unit.lab import apiserver_cluster as double
from unit.lab.apiserver_cluster import CSRS, Cluster, csr

from integration.double import connect

NODES = "/api/v1/nodes"
SECONDS = 20
MADE, REMOVED = ("create", "secrets"), ("delete", "secrets")
LISTED, WATCHED = ("list", "certificatesigningrequests"), ("watch", "certificatesigningrequests")
LOOKED, WRITTEN = ("get", "nodes"), ("update", "certificatesigningrequests")


def minion(number: int = 1, **changes: Any) -> Identity:
    """Return a minion that is a node of the cluster, by a derived token."""
    name = f"n{number}"
    found = Identity(
        f"{number:02}node", "demo", name, (f"10.77.0.{number}",), (name,), None, derives_token=True
    )
    return replace(found, **changes)


ONE, TWO = minion(1), minion(2)
OLDER = Token("older1", "fedcba9876543210")


def ground_with_older() -> Ground:
    """Return what is known of a minion that may still hold the token of the window before."""
    found = Ground.of(ONE)
    found.older[ONE.minion_id] = [OLDER]
    return found


def knock(owner: Identity, *lacks: str, token: str | None = None) -> Knock:
    return Knock(owner.minion_id, frozenset(lacks or (CLIENT,)), token or derived(owner).id)


class Kubelet:
    """A kubelet's requests: by its minion's token at first, by a certificate then."""

    path = CSRS

    def __init__(self, cluster: Cluster, owner: Identity, token: Token | None = None) -> None:
        self.cluster, self.owner, self.user = cluster, owner, f"system:node:{owner.name}"
        self.by_token = cluster.anonymous(str(token or derived(owner)))
        self.by_certificate = cluster.session(self.user, "system:nodes")

    def join(self, name: str | None = None) -> str:
        """Ask for a first certificate until the token is known, as a kubelet does; return the request's
        name."""
        body = self._body()
        if name:
            body["metadata"] = {"name": name}

        def asked() -> str | None:
            answer = self.cluster.call("POST", self.path, body, self.by_token)
            assert answer.status_code in (201, 401), answer.text
            return answer.json()["metadata"].get("name")

        return until(asked, "a valid token", SECONDS)

    def renew(self, organization: str = "system:nodes") -> str:
        """Ask for a further client certificate by the one that it has."""
        return self._ask(self._body(organisations=[organization]))

    def ask_serving(self) -> str:
        """Ask for a serving certificate by its client certificate."""
        usages = ["digital signature", "key encipherment", "server auth"]
        names = [x509.DNSName(self.owner.name)]
        return self._ask(self._body(double.SERVING, names=names, usages=usages))

    def ask(self, **parts: Any) -> str:
        """Ask for something else by its client certificate."""
        return self._ask(self._body(**parts))

    def _body(self, signer: str = double.CLIENT, **parts: Any) -> dict[str, Any]:
        return csr(self.user, signerName=signer, **parts)

    def _ask(self, body: dict[str, Any]) -> str:
        return self.cluster.make(self.path, body, self.by_certificate)["metadata"]["name"]

    @property
    def certificate_sha256(self) -> str:
        """The digest of its client certificate, as its minion attests it."""
        pem = Path(self.by_certificate.cert[0]).read_bytes()
        return hashlib.sha256(x509.load_pem_x509_certificate(pem).public_bytes(Encoding.DER)).hexdigest()

    def register(self, ready: bool = True) -> None:
        """Make its Node."""
        made = self.cluster.make(NODES, {"metadata": {"name": self.owner.name}})
        made["status"] = {"conditions": [{"type": "Ready", "status": "True" if ready else "False"}]}
        path = f"{NODES}/{self.owner.name}/status"
        assert self.cluster.call("PUT", path, made).status_code == 200

    def certificate(self, name: str) -> str:
        """Return the certificate that a request got."""

        def issued() -> str | None:
            return self.cluster.read(f"{self.path}/{name}")["status"].get("certificate")

        return base64.b64decode(until(issued, "a certificate", SECONDS)).decode()


class Work:
    """A worker at work in a thread of its own, and what it told."""

    def __init__(
        self, cluster: Cluster, ground: Ground, register: Register, wait: float, user: str, mail
    ) -> None:
        self.told: list[dict] = []
        self.error: ApiError | None = None
        self.mail = Mailbox() if mail is None else mail
        api = connect(cluster, user)
        tokens = Tokens("demo", api.api, register, ground.tokens)
        settings = Settings(wait_seconds=wait)
        self.worker = Worker("demo", api, ground, tokens, settings, self.told.extend, self.mail)

    def start(self, *knocks: Knock) -> Work:
        self._thread = threading.Thread(target=self._run, args=(knocks,), daemon=True)
        self._thread.start()
        return self

    def _run(self, knocks: tuple[Knock, ...]) -> None:
        try:
            self.worker.run(knocks)
        except ApiError as error:
            self.error = error

    def end(self) -> dict[str, tuple[str, str]]:
        """Wait until it has ended by itself; return the last verdict and rule by request."""
        self._thread.join(SECONDS)
        assert not self._thread.is_alive()
        if self.error:
            raise self.error
        return {one["name"]: (one["verdict"], one["rule"]) for one in self.told}


def secrets(cluster: Cluster) -> list[str]:
    """Return the ids of the tokens that are valid in the cluster."""
    names = [one["metadata"]["name"] for one in cluster.read(SECRETS)["items"]]
    return [name.removeprefix("bootstrap-token-") for name in names]


def foreign_secret(cluster: Cluster, token: Token, seconds: float = 600) -> None:
    """Make a token valid that is somebody else's."""
    cluster.make(
        SECRETS, kube_node_tokens.manifest(token, "system:bootstrappers:foreign", time.time() + seconds)
    )


def own_secret(cluster: Cluster, owner: Identity) -> None:
    """Make a minion's token valid as the worker does, which knows nothing of it."""
    group = kube_node_tokens.group(owner.cluster, owner.minion_id, owner.name)
    cluster.make(SECRETS, kube_node_tokens.manifest(derived(owner), group, time.time() + 600))


def attest(ground: Ground, certificate: str | None, seconds: float) -> None:
    """Let a minion have attested its certificate so many seconds from now."""
    told = {"client_cert_sha256": certificate, "spki_sha256": None, "at": time.time() + seconds}
    ground.attested[ONE.minion_id] = told


def left(cluster: Cluster, register: Register, owner: Identity, seconds: float) -> None:
    """Leave a token of a worker that was killed."""
    made = Made(derived(owner).id, "demo", owner.minion_id, owner.name, time.time() + seconds)
    register.put_made([made])
    foreign_secret(cluster, derived(owner), seconds)


def outage(work, ground: Ground, *knocks: Knock, **options: Any) -> Work:
    """Let a worker meet an outage; return it."""
    running = work(ground, *knocks, **options)
    with pytest.raises(ApiError):
        running.end()
    assert running.error.is_outage
    return running


class OldKubelet(Kubelet):
    """A kubelet up to 1.17: its requests name no signer."""

    path = CSRS.replace("/v1/", "/v1beta1/")

    def _body(self, signer: str = double.CLIENT, **parts: Any) -> dict[str, Any]:
        body = super()._body(signer, **parts) | {"apiVersion": "certificates.k8s.io/v1beta1"}
        del body["spec"]["signerName"]
        return body
