"""The approver and the API server double in one process, without Salt; the fixtures are in conftest.py."""

from __future__ import annotations

import kube_api
from kubelet_csr_api import Requests
from unit.lab.apiserver_cluster import CSRS, Cluster

APPROVER = "kube-node-approver"


def connect(cluster: Cluster, user: str = APPROVER) -> Requests:
    """Return the requests' API as a user sees it."""
    return Requests(kube_api.Api(str(cluster.kubeconfig(user, "nobody"))))


def fault(cluster: Cluster, **what) -> None:
    """Let something go wrong, as tests/lab/apiserver/faults.py says."""
    assert cluster.call("POST", "/lab/faults", what).status_code == 200


def asked(cluster: Cluster, **query: str) -> list[tuple[str, str]]:
    """Return what the approver asked for, as verbs and resources, in order."""
    terms = "&".join(f"{key}={value}" for key, value in {"user": APPROVER, **query}.items())
    return [(one["verb"], one["resource"]) for one in cluster.read(f"/lab/requests?{terms}")]


def conditions(cluster: Cluster, name: str, path: str = CSRS) -> list[str]:
    """Return the types of a request's conditions."""
    status = cluster.read(f"{path}/{name}").get("status") or {}
    return [condition["type"] for condition in status.get("conditions", [])]


def names(count: int) -> list[str]:
    """Return some names that a kubelet may give its requests."""
    return [f"csr-{first}{second}bcd" for first in "bcdfghjklm" for second in "bcdfghjklm"][:count]
