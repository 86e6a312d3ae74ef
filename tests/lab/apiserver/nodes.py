"""What a node may do: of the Node authorizer and the admission plugin NodeRestriction, what a kubelet meets.

Sources: `plugin/pkg/auth/authorizer/node/node_authorizer.go`,
`plugin/pkg/admission/noderestriction/admission.go`, kubelet `pkg/apis/well_known_labels.go`.
"""

from __future__ import annotations

from typing import Any

from .pkcs10 import CLIENT_SIGNER, SERVING_SIGNER, common_name
from .request import Attributes
from .resources import Catalog, Resource
from .status import forbidden
from .store import Store

_SELECTORS_SINCE = 32  # AuthorizeNodeWithSelectors, beta and on
_CSR_CHECK_SINCE = 31  # AllowInsecureKubeletCertificateSigningRequests off, PR 126015
_LEASES = "kube-node-lease"
_READ = {"get", "list", "watch"}
#: What every node may do, whatever the object (`bootstrappolicy.NodeRules`).
_RULES: dict[tuple[str, str], set[str]] = {
    ("", "services"): _READ,
    ("", "endpoints"): {"get"},
    ("", "events"): {"create", "update", "patch"},
    ("events.k8s.io", "events"): {"create", "update", "patch"},
    ("certificates.k8s.io", "certificatesigningrequests"): _READ | {"create"},
    ("storage.k8s.io", "csidrivers"): _READ,
    ("node.k8s.io", "runtimeclasses"): _READ,
    ("authentication.k8s.io", "tokenreviews"): {"create"},
    ("authorization.k8s.io", "subjectaccessreviews"): {"create"},
}
_OWN_LABELS = {
    f"{domain}/{name}"
    for domain, names in {
        "kubernetes.io": ("hostname", "os", "arch"),
        "beta.kubernetes.io": ("os", "arch", "instance-type"),
        "node.kubernetes.io": ("instance-type",),
        "topology.kubernetes.io": ("zone", "region"),
        "failure-domain.beta.kubernetes.io": ("zone", "region"),
    }.items()
    for name in names
}


def authorize(store: Store, catalog: Catalog, wanted: Attributes, minor: int) -> str | None:
    """Return None when a node may do it, else the Node authorizer's remark (often "")."""
    kind = (wanted.group, wanted.resource)
    if kind == ("", "nodes"):
        return _own_node(wanted, minor)
    if kind == ("", "pods"):
        return _own_pods(store, catalog, wanted)
    if kind == ("coordination.k8s.io", "leases"):
        return _own_lease(wanted)
    if kind in (("", "secrets"), ("", "configmaps")):
        return _no_secrets(wanted)
    if kind == ("storage.k8s.io", "csinodes"):
        own = wanted.verb == "create" or wanted.name == wanted.user.node
        return None if own else "can only access CSINode with the same name as the requesting node"
    return None if not wanted.subresource and wanted.verb in _RULES.get(kind, ()) else ""


def admit(
    wanted: Attributes, resource: Resource, new: dict[str, Any], old: dict[str, Any] | None, minor: int
) -> None:
    """Raise ApiError 403 when a node is about to write what NodeRestriction keeps from it."""
    node, metadata = wanted.user.node, new["metadata"]
    if node is None:
        return
    name = wanted.name or metadata.get("name") or metadata.get("generateName") or "Unknown"
    reason = None
    if resource.plural == "nodes":
        reason = _node_refusal(node, name, new, old)
    elif resource.plural == "leases" and name != node:
        reason = "can only access node lease with the same name as the requesting node"
    elif resource.plural == "certificatesigningrequests" and old is None and minor >= _CSR_CHECK_SINCE:
        reason = _request_refusal(node, new["spec"])
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
    if wanted.subresource or wanted.verb not in _READ:
        return ""
    if wanted.fields.get("spec.nodeName") == node:
        return None
    if not wanted.name:
        return "can only list/watch pods with spec.nodeName field selector"
    pod = store.find(catalog.get("", "pods"), (wanted.namespace, wanted.name))
    if pod and pod.object.get("spec", {}).get("nodeName") == node:
        return None
    return f"no relationship found between node '{node}' and this object"


def _no_secrets(wanted: Attributes) -> str:
    if wanted.verb not in _READ:
        return "can only read resources of this type"
    if not wanted.namespace:
        return "can only read namespaced object of this type"
    if not wanted.name:
        return "No Object name found"
    return f"no relationship found between node '{wanted.user.node}' and this object"


def _own_lease(wanted: Attributes) -> str | None:
    if wanted.verb not in ("get", "create", "update", "patch", "delete"):
        return "can only get, create, update, patch, or delete a node lease"
    if wanted.namespace != _LEASES:
        return f'can only access leases in the "{_LEASES}" system namespace'
    if wanted.verb != "create" and wanted.name != wanted.user.node:
        return "can only access node lease with the same name as the requesting node"
    return None


def _node_refusal(node: str, name: str, new: dict[str, Any], old: dict[str, Any] | None) -> str | None:
    if name != node:
        return f'node "{node}" is not allowed to modify node "{name}"'
    before = (old or {}).get("metadata", {}).get("labels") or {}
    after = new["metadata"].get("labels") or {}
    changed = {label for label in before.keys() | after.keys() if before.get(label) != after.get(label)}
    labels = ", ".join(sorted(label for label in changed if _restricted(label)))
    if old is None:
        return f'node "{node}" is not allowed to set the following labels: {labels}' if labels else None
    if (new.get("spec") or {}).get("taints") != (old.get("spec") or {}).get("taints"):
        return f'node "{node}" is not allowed to modify taints'
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


def _request_refusal(node: str, spec: dict[str, Any]) -> str | None:
    own = f"system:node:{node}"
    if spec.get("signerName") not in (CLIENT_SIGNER, SERVING_SIGNER) or common_name(spec["request"]) == own:
        return None
    return f"can only create a node CSR with CN={own}"
