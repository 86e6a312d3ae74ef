"""The CertificateSigningRequest API of a cluster, of whichever version, seen as certificates.k8s.io/v1.

Clusters older than 1.19 serve v1beta1 alone; all that differs is translated here, and only here.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timezone
from typing import Any

from kube_api import Api, ApiError

GROUP = "/apis/certificates.k8s.io"
OLD = "v1beta1"
RESOURCE = "certificatesigningrequests"
CLIENT_SIGNER = "kubernetes.io/kube-apiserver-client-kubelet"
SERVING_SIGNER = "kubernetes.io/kubelet-serving"


class Requests:
    """The certificate signing requests of one cluster.

    Args:
        api: the connection to its API server.
    """

    def __init__(self, api: Api) -> None:
        self.api = api
        self._version = "v1"

    @property
    def path(self) -> str:
        """The collection's path."""
        return f"{GROUP}/{self._version}/{RESOURCE}"

    def items(self, signer: str | None = None) -> tuple[list[dict[str, Any]], str]:
        """Return all requests and the resourceVersion to watch from.

        Args:
            signer: those to this signer alone, where the server can choose (with v1); else all.

        Raises:
            ApiError: the API server cannot be asked, or serves neither version.
        """
        chosen = {"fieldSelector": f"spec.signerName={signer}"} if signer and self._version != OLD else None
        try:
            return self.api.items(self.path, chosen, keep=as_v1)
        except ApiError as error:
            if error.status != 404 or self._version == OLD:
                raise
            self._version = OLD
            return self.items(signer)

    def get(self, name: str) -> dict[str, Any] | None:
        """Return one request, or None where it is gone."""
        try:
            return as_v1(self.api.request("GET", f"{self.path}/{name}"))
        except ApiError as error:
            if error.status != 404:
                raise
            return None

    def watch(self, resource_version: str, seconds: float) -> Iterator[dict[str, Any]]:
        """Yield `{type, object}` of each change after `resource_version`, for at most `seconds`."""
        for event in self.api.watch(self.path, resource_version, seconds):
            yield event if event["type"] == "ERROR" else event | {"object": as_v1(event["object"])}

    def decide(self, request: dict[str, Any], condition: dict[str, Any]) -> None:
        """Write a decision onto a request as it was read: with its uid and resourceVersion, or onto none.

        Source: registry/rest/update.go (the uid is a precondition), registry/generic/registry/store.go.

        Raises:
            ApiError: 404 or 409 where it is not the object that was read any more.
        """
        status = request.get("status") or {}
        body = {
            "apiVersion": f"certificates.k8s.io/{self._version}",
            "kind": "CertificateSigningRequest",
            "metadata": request["metadata"],
            "spec": request["spec"],
            "status": status | {"conditions": [*(status.get("conditions") or []), condition]},
        }
        self.api.request("PUT", f"{self.path}/{request['metadata']['name']}/approval", body)


def condition(kind: str, reason: str, message: str) -> dict[str, str]:
    """Return a decision as `Requests.decide` takes it; its kind is Approved or Denied."""
    now = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"type": kind, "status": "True", "reason": reason, "message": message, "lastUpdateTime": now}


def as_v1(request: dict[str, Any]) -> dict[str, Any]:
    """Return a request as certificates.k8s.io/v1 would show it, without its managedFields.

    A write without them leaves them as they are, and they are half of the object. Source: apimachinery
    pkg/util/managedfields/internal/fieldmanager.go (Update).

    Up to 1.17 there are no signers: one signer signs whatever is approved, and the usages say what it is for.
    From 1.18 the server itself names the kubelets' two signers, and what it calls legacy-unknown is not a
    kubelet's. Source: pkg/apis/certificates/v1beta1/defaults.go.
    """
    (request.get("metadata") or {}).pop("managedFields", None)
    if request.get("apiVersion") != "certificates.k8s.io/v1beta1":
        return request
    spec = request.get("spec")
    if isinstance(spec, dict) and "signerName" not in spec:
        spec = spec | {"signerName": _signer(spec.get("usages"))}
    return request | {"apiVersion": "certificates.k8s.io/v1", "spec": spec}


def _signer(usages: Any) -> str | None:
    roles = {"client auth", "server auth"} & {usage for usage in usages or () if isinstance(usage, str)}
    if len(roles) != 1:
        return None
    return CLIENT_SIGNER if roles == {"client auth"} else SERVING_SIGNER
