"""What is there from the start: namespaces, and of upstream's roles and bindings those that matter here.

Source: `plugin/pkg/auth/authorizer/rbac/bootstrappolicy/policy.go`.
"""

from __future__ import annotations

import ipaddress
from typing import Any

from . import kinds
from .authorization import RBAC
from .request import User
from .resources import Catalog, Resource
from .store import Store, stamped

NAMESPACES = ("default", "kube-node-lease", "kube-public", "kube-system")
_ANNOTATIONS = {"rbac.authorization.kubernetes.io/autoupdate": "true"}
_LABELS = {"kubernetes.io/bootstrapping": "rbac-defaults"}
_NOBODY = User("", ())
_CSR = "certificates.k8s.io"
_REQUESTS = "certificatesigningrequests"
_READ = "get list watch"
_HEALTH = "/livez /readyz /healthz /version /version/"


def _rule(verbs: str, group: str, resources: str, names: str = "") -> dict[str, Any]:
    rule = {"verbs": verbs.split(), "apiGroups": [group], "resources": resources.split()}
    return {**rule, "resourceNames": names.split()} if names else rule


def _paths(paths: str, verb: str = "get") -> dict[str, Any]:
    return {"verbs": [verb], "nonResourceURLs": paths.split()}


_ROLES: dict[str, list[dict[str, Any]]] = {
    "cluster-admin": [_rule("*", "*", "*"), _paths("*", "*")],
    "system:discovery": [_paths(f"{_HEALTH} /openapi /openapi/* /api /api/* /apis /apis/*")],
    "system:public-info-viewer": [_paths(_HEALTH)],
    "system:basic-user": [
        _rule("create", "authorization.k8s.io", "selfsubjectaccessreviews selfsubjectrulesreviews"),
        _rule("create", "authentication.k8s.io", "selfsubjectreviews"),
    ],
    "system:node-bootstrapper": [_rule(f"create {_READ}", _CSR, _REQUESTS)],
    "system:node-proxier": [
        _rule("list watch", "", "services endpoints"),
        _rule(_READ, "", "nodes"),
        _rule("create patch update", "", "events"),
        _rule("create patch update", "events.k8s.io", "events"),
        _rule("list watch", "networking.k8s.io", "servicecidrs"),
        _rule("list watch", "discovery.k8s.io", "endpointslices"),
    ],
    "system:kubelet-api-admin": [
        _rule(_READ, "", "nodes"),
        _rule("proxy", "", "nodes"),
        _rule(
            "*", "", "nodes/proxy nodes/metrics nodes/stats nodes/log nodes/pods nodes/healthz nodes/configz"
        ),
    ],
    **{
        f"system:certificates.k8s.io:{_REQUESTS}:{kind}": [_rule("create", _CSR, f"{_REQUESTS}/{kind}")]
        for kind in ("nodeclient", "selfnodeclient")
    },
    **{
        f"system:certificates.k8s.io:{signer}-approver": [
            _rule("approve", _CSR, "signers", f"kubernetes.io/{signer}")
        ]
        for signer in (
            "kubelet-serving",
            "kube-apiserver-client-kubelet",
            "kube-apiserver-client",
            "legacy-unknown",
        )
    },
}
_BINDINGS = {
    "cluster-admin": [("Group", "system:masters")],
    "system:discovery": [("Group", "system:authenticated")],
    "system:basic-user": [("Group", "system:authenticated")],
    "system:public-info-viewer": [("Group", "system:authenticated"), ("Group", "system:unauthenticated")],
    "system:node-proxier": [("User", "system:kube-proxy")],
}


def lay_down(store: Store, catalog: Catalog, service_cidr: str) -> None:
    """Store what a fresh cluster has: namespaces, the service `kubernetes`, ClusterRoles, their bindings."""
    for name in NAMESPACES:
        new = kinds.on_create(catalog.get("", "namespaces"), {"metadata": {"name": name}}, _NOBODY)
        _store(store, catalog.get("", "namespaces"), new)
    address = str(ipaddress.ip_network(service_cidr)[1])
    ports = [{"name": "https", "port": 443, "protocol": "TCP", "targetPort": 6443}]
    spec = {"type": "ClusterIP", "clusterIP": address, "clusterIPs": [address], "ports": ports}
    labels = {"component": "apiserver", "provider": "kubernetes"}
    metadata = {"name": "kubernetes", "namespace": "default", "labels": labels}
    _store(
        store,
        catalog.get("", "services"),
        {"metadata": metadata, "spec": spec, "status": {"loadBalancer": {}}},
    )
    for name, rules in _ROLES.items():
        _store(store, catalog.get(RBAC, "clusterroles"), {"metadata": _metadata(name), "rules": rules})
    for name, subjects in _BINDINGS.items():
        binding = {
            "metadata": _metadata(name),
            "subjects": [{"kind": kind, "apiGroup": RBAC, "name": subject} for kind, subject in subjects],
            "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": name},
        }
        _store(store, catalog.get(RBAC, "clusterrolebindings"), binding)


def _store(store: Store, resource: Resource, new: dict[str, Any]) -> None:
    metadata = stamped(new["metadata"])
    store.create(resource, (metadata.get("namespace", ""), metadata["name"]), {**new, "metadata": metadata})


def _metadata(name: str) -> dict[str, Any]:
    return {"name": name, "labels": _LABELS, "annotations": _ANNOTATIONS}
