"""What a node may do: the Node authorizer and the admission plugin NodeRestriction, of it what a kubelet meets here.

Sources: `plugin/pkg/auth/authorizer/node/node_authorizer.go`, `plugin/pkg/admission/noderestriction/admission.go`,
kubelet `pkg/apis/well_known_labels.go`. Not here: volumes, tokens of service accounts, resource claims, evictions.
"""

from __future__ import annotations

from typing import Any

from .pem import common_name
from .request import Attributes
from .resources import Catalog, Resource
from .status import forbidden
from .store import Store

_SELECTORS_SINCE = 32  # AuthorizeNodeWithSelectors, beta and on
_CSR_CHECK_SINCE = 31  # AllowInsecureKubeletCertificateSigningRequests off, PR 126015
_LEASES = "kube-node-lease"
KUBELET_SIGNERS = ("kubernetes.io/kube-apiserver-client-kubelet", "kubernetes.io/kubelet-serving")
_READ = {"get", "list", "watch"}
#: What every node may do, whatever the object (`bootstrappolicy.NodeRules`).
_RULES: dict[tuple[str, str], set[str]] = {
    ("", "services"): _READ,
    ("", "events"): {"create", "update", "patch"},
    ("events.k8s.io", "events"): {"create", "update", "patch"},
    ("", "endpoints"): {"get"},
    ("certificates.k8s.io", "certificatesigningrequests"): _READ | {"create"},
    ("storage.k8s.io", "csidrivers"): _READ,
    ("node.k8s.io", "runtimeclasses"): _READ,
    ("authentication.k8s.io", "tokenreviews"): {"create"},
    ("authorization.k8s.io", "subjectaccessreviews"): {"create"},
    ("authorization.k8s.io", "localsubjectaccessreviews"): {"create"},
}
_OWN_LABELS = {
    "kubernetes.io/hostname",
    "topology.kubernetes.io/zone",
    "topology.kubernetes.io/region",
    "failure-domain.beta.kubernetes.io/zone",
    "failure-domain.beta.kubernetes.io/region",
    "beta.kubernetes.io/instance-type",
    "node.kubernetes.io/instance-type",
    "kubernetes.io/os",
    "kubernetes.io/arch",
    "beta.kubernetes.io/os",
    "beta.kubernetes.io/arch",
}


def authorize(store: Store, catalog: Catalog, wanted: Attributes, minor: int) -> str | None:
    """Return None when a node may do it, else the Node authorizer's remark."""
    kind = (wanted.group, wanted.resource)
    if kind == ("", "nodes"):
        return _own_node(wanted, minor)
    if kind == ("", "pods"):
        return _own_pods(store, catalog, wanted)
    if kind in (("", "secrets"), ("", "configmaps")):
        return _of_own_pods(store, catalog, wanted)
    if kind == ("coordination.k8s.io", "leases"):
        return _own_lease(wanted)
    if kind == ("storage.k8s.io", "csinodes"):
        own = wanted.verb == "create" or wanted.name == wanted.user.node
        return None if own else "can only access CSINode with the same name as the requesting node"
    return None if not wanted.subresource and wanted.verb in _RULES.get(kind, ()) else ""


def admit(
    wanted: Attributes, resource: Resource, new: dict[str, Any], old: dict[str, Any] | None, minor: int
) -> None:
    """Let NodeRestriction look at what a user is about to write.

    Raises ApiError 403 when a node writes what is not its own.
    """
    node = wanted.user.node
    if node is None:
        return
    metadata = new["metadata"]
    name = wanted.name or metadata.get("name") or metadata.get("generateName") or "Unknown"
    refusal = {
        "nodes": _node_refusal,
        "leases": _lease_refusal,
        "pods": _pod_refusal,
        "certificatesigningrequests": _request_refusal,
    }.get(resource.plural)
    reason = refusal(node, name, new, old, minor) if refusal else None
    if reason:
        raise forbidden(resource, name, reason)


def _own_node(wanted: Attributes, minor: int) -> str | None:
    node = wanted.user.node
    if wanted.subresource == "status":
        return None if wanted.verb in ("update", "patch") else ""
    if wanted.subresource or wanted.verb not in _READ | {"create", "update", "patch"}:
        return ""
    if wanted.verb not in _READ or minor < _SELECTORS_SINCE or wanted.name == node:
        return None
    if not wanted.name:
        return f"node '{node}' cannot read all nodes, only its own Node object"
    return f"node '{node}' cannot read '{wanted.name}', only its own Node object"


def _own_pods(store: Store, catalog: Catalog, wanted: Attributes) -> str | None:
    node = wanted.user.node
    if wanted.subresource:
        return None if wanted.subresource == "status" and wanted.verb in ("update", "patch") else ""
    if wanted.verb in ("create", "delete"):
        return None
    if wanted.verb not in _READ:
        return ""
    if wanted.fields.get("spec.nodeName") == node and wanted.verb != "get":
        return None
    if not wanted.name:
        return "can only list/watch pods with spec.nodeName field selector"
    pod = store.find(catalog.get("", "pods"), (wanted.namespace, wanted.name))
    if pod and pod.object.get("spec", {}).get("nodeName") == node:
        return None
    return f"no relationship found between node '{node}' and this object"


def _of_own_pods(store: Store, catalog: Catalog, wanted: Attributes) -> str | None:
    if wanted.verb not in _READ:
        return "can only read resources of this type"
    if not wanted.namespace:
        return "can only read namespaced object of this type"
    if not wanted.name:
        return "No Object name found"
    pods = store.entries(catalog.get("", "pods"), wanted.namespace).values()
    specs = [pod.object.get("spec", {}) for pod in pods]
    if any(spec.get("nodeName") == wanted.user.node and _refers(spec, wanted.name) for spec in specs):
        return None
    return f"no relationship found between node '{wanted.user.node}' and this object"


def _refers(spec: Any, name: str) -> bool:
    """Tell whether a name stands anywhere in a pod's spec: coarser than the real graph, enough for reading."""
    if isinstance(spec, dict):
        return any(_refers(value, name) for value in spec.values())
    if isinstance(spec, list):
        return any(_refers(value, name) for value in spec)
    return spec == name


def _own_lease(wanted: Attributes) -> str | None:
    if wanted.verb not in ("get", "create", "update", "patch", "delete"):
        return "can only get, create, update, patch, or delete a node lease"
    if wanted.namespace != _LEASES:
        return f'can only access leases in the "{_LEASES}" system namespace'
    if wanted.verb != "create" and wanted.name != wanted.user.node:
        return "can only access node lease with the same name as the requesting node"
    return None


def _node_refusal(
    node: str, name: str, new: dict[str, Any], old: dict[str, Any] | None, minor: int  # noqa: ARG001
) -> str | None:
    if name != node:
        return f'node "{node}" is not allowed to modify node "{name}"'
    before = (old or {}).get("metadata", {}).get("labels") or {}
    after = new["metadata"].get("labels") or {}
    changed = {label for label in before.keys() | after.keys() if before.get(label) != after.get(label)}
    labels = ", ".join(sorted(label for label in changed if _restricted(label)))
    if old is None:
        refused = f'node "{node}" is not allowed to set the following labels: {labels}'
        return refused if labels else None
    if (new.get("spec") or {}).get("taints") != (old.get("spec") or {}).get("taints"):
        return f'node "{node}" is not allowed to modify taints'
    if new["metadata"].get("ownerReferences") != old["metadata"].get("ownerReferences"):
        return f'node "{node}" is not allowed to modify ownerReferences'
    return f"is not allowed to modify labels: {labels}" if labels else None


def _restricted(label: str) -> bool:
    domain = label.split("/")[0] if "/" in label else ""
    if _within(domain, "node-restriction.kubernetes.io"):
        return True
    if not (_within(domain, "kubernetes.io") or _within(domain, "k8s.io")) or label in _OWN_LABELS:
        return False
    return not (_within(domain, "kubelet.kubernetes.io") or _within(domain, "node.kubernetes.io"))


def _within(domain: str, parent: str) -> bool:
    return domain == parent or domain.endswith(f".{parent}")


def _lease_refusal(
    node: str, name: str, new: dict[str, Any], old: dict[str, Any] | None, minor: int  # noqa: ARG001
) -> str | None:
    if new["metadata"].get("namespace") != _LEASES:
        return f'can only access leases in the "{_LEASES}" system namespace'
    if name == node:
        return None
    return "can only access node lease with the same name as the requesting node"


def _pod_refusal(
    node: str, name: str, new: dict[str, Any], old: dict[str, Any] | None, minor: int  # noqa: ARG001
) -> str | None:
    own = (old or new).get("spec", {}).get("nodeName") == node
    if old is not None:
        return None if own else f'node "{node}" can only update pod status for pods with spec.nodeName set to itself'
    mirror = "kubernetes.io/config.mirror"
    if mirror not in (new["metadata"].get("annotations") or {}):
        return f'pod does not have "{mirror}" annotation, node "{node}" can only create mirror pods'
    return None if own else f'node "{node}" can only create pods with spec.nodeName set to itself'


def _request_refusal(
    node: str, name: str, new: dict[str, Any], old: dict[str, Any] | None, minor: int  # noqa: ARG001
) -> str | None:
    if old is not None or minor < _CSR_CHECK_SINCE or new["spec"].get("signerName") not in KUBELET_SIGNERS:
        return None
    own = f"system:node:{node}"
    return None if common_name(new["spec"]["request"]) == own else f"can only create a node CSR with CN={own}"
