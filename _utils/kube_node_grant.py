"""What an administrator gives the master once: rights in a cluster, and a kubeconfig with a certificate of
its own."""

from __future__ import annotations

import base64
import time
from collections.abc import Iterable, Mapping
from typing import Any

import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from kube_api import Api, ApiError
from kubelet_csr_api import OLD, Requests, condition

APPROVER, NETWORK = "kube-node-approver", "kube-node-network"
RBAC = "/apis/rbac.authorization.k8s.io/v1"
# Up to 1.17 there is one signer for all, and it has no name.
SIGNER = "kubernetes.io/kube-apiserver-client"
SIGN_SECONDS = 30


def give_rights(admin: Api, manifests: Iterable[Mapping[str, Any]]) -> list[str]:
    """Make roles and bindings as the manifests have them; what is so already is left alone.

    Args:
        admin: a connection with an administrator's rights.
        manifests: objects of rbac.authorization.k8s.io/v1.

    Returns:
        The names of those that were made or changed, `<kind> <name>`.

    Raises:
        ApiError: the API server cannot be asked, or the rights do not suffice.
    """
    return [f"{one['kind']} {one['metadata']['name']}" for one in manifests if _put(admin, one)]


def certificate(admin: Api, user: str, key: ec.EllipticCurvePrivateKey) -> str:
    """Let the cluster sign a user's client certificate; return it as PEM.

    Args:
        admin: a connection of one who may approve requests for the signer kube-apiserver-client.
        user: the name in it, `APPROVER` or `NETWORK`.
        key: its key, which stays here.

    Raises:
        ApiError: the API server refuses, or its signer does not sign in time.
    """
    requests = Requests(admin)
    requests.items()  # finds out which version of the API there is
    name = f"{user}-{int(time.time())}"
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, user)])
    content = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, hashes.SHA256())
    spec = {
        "request": base64.b64encode(content.public_bytes(serialization.Encoding.PEM)).decode(),
        "usages": ["digital signature", "key encipherment", "client auth"],
    }
    version = requests.path.split("/")[3]
    body = {
        "apiVersion": f"certificates.k8s.io/{version}",
        "kind": "CertificateSigningRequest",
        "metadata": {"name": name},
        "spec": spec if version == OLD else spec | {"signerName": SIGNER},
    }
    made = admin.request("POST", requests.path, body)
    try:
        message = f"An administrator gave the Salt master the certificate of {user}."
        requests.decide(made, condition("Approved", "KubeNodeGrant", message))
        return _signed(requests, made)
    finally:
        admin.request("DELETE", f"{requests.path}/{name}")


def kubeconfig(admin: Api, cluster: str, user: str, key: ec.EllipticCurvePrivateKey, pem: str) -> str:
    """Return a kubeconfig for the same API server, with a user's key and certificate in it."""
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {
                "name": cluster,
                "cluster": {"server": admin.server, "certificate-authority-data": _base64(admin.ca_data())},
            }
        ],
        "users": [
            {
                "name": user,
                "user": {
                    "client-certificate-data": _base64(pem.encode()),
                    "client-key-data": _base64(secret),
                },
            }
        ],
        "contexts": [{"name": cluster, "context": {"cluster": cluster, "user": user}}],
        "current-context": cluster,
    }
    return yaml.safe_dump(config, sort_keys=False)


def new_key() -> ec.EllipticCurvePrivateKey:
    """Make a key for such a certificate."""
    return ec.generate_private_key(ec.SECP256R1())


def _put(admin: Api, manifest: Mapping[str, Any]) -> bool:
    """Make or replace an object; tells whether that was needed. A binding's role can't be changed: it is made
    anew."""
    metadata = manifest["metadata"]
    place = f"/namespaces/{metadata['namespace']}" if "namespace" in metadata else ""
    collection = f"{RBAC}{place}/{manifest['kind'].lower()}s"
    try:
        there = admin.request("GET", f"{collection}/{metadata['name']}")
    except ApiError as error:
        if error.status != 404:
            raise
        admin.request("POST", collection, dict(manifest))
        return True
    if all(there.get(key) == manifest[key] for key in ("rules", "roleRef", "subjects") if key in manifest):
        return False
    if there.get("roleRef") != manifest.get("roleRef"):
        admin.request("DELETE", f"{collection}/{metadata['name']}")
        admin.request("POST", collection, dict(manifest))
    else:
        version = {"resourceVersion": there["metadata"]["resourceVersion"]}
        body = {**manifest, "metadata": {**metadata, **version}}
        admin.request("PUT", f"{collection}/{metadata['name']}", body)
    return True


def _signed(requests: Requests, made: Mapping[str, Any]) -> str:
    name, version = made["metadata"]["name"], made["metadata"]["resourceVersion"]
    for event in requests.watch(version, SIGN_SECONDS):
        status = event["object"].get("status") or {}
        if event["object"].get("metadata", {}).get("name") == name and status.get("certificate"):
            return base64.b64decode(status["certificate"]).decode()
    raise ApiError(0, f"the cluster's signer has not signed the request {name} within {SIGN_SECONDS} s")


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()
