"""Who else may approve kubelets' requests in a cluster: roles that grant it, and their bindings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from kube_api import Api
from kubelet_csr_api import CLIENT_SIGNER, SERVING_SIGNER

RBAC = "/apis/rbac.authorization.k8s.io/v1"
OURS = "kube-node:approver"
# kube-controller-manager approves by itself for whoever may create these
# (pkg/controller/certificates/approver).
BY_ITSELF = {"certificatesigningrequests/nodeclient", "certificatesigningrequests/selfnodeclient"}
# Kubernetes' own: administrators, who may do anything, and its controllers.
BUILT_IN = ("cluster-admin", "system:controller:", "system:kube-controller-manager")


def check(api: Api, remove: bool) -> list[dict[str, Any]]:
    """Return `{binding, subjects, grants, what_to_do}` of each binding that lets others approve.

    Args:
        api: a connection with an administrator's rights.
        remove: delete the bindings by which kube-controller-manager approves by itself.

    Raises:
        ApiError: the API server cannot be asked, or the rights do not suffice.
    """
    roles = {role["metadata"]["name"]: _grants(role) for role in api.items(f"{RBAC}/clusterroles")[0]}
    found = []
    for binding in api.items(f"{RBAC}/clusterrolebindings")[0]:
        name, grants = binding["metadata"]["name"], roles.get(binding["roleRef"]["name"], set())
        if grants and name != OURS and not name.startswith(BUILT_IN) and not _is_built_in(binding):
            found.append(_report(api, binding, grants, remove))
    return found


def _is_built_in(binding: Mapping[str, Any]) -> bool:
    return binding["roleRef"]["name"].startswith(BUILT_IN)


def _report(api: Api, binding: Mapping[str, Any], grants: set[str], remove: bool) -> dict[str, Any]:
    name = binding["metadata"]["name"]
    what = f"look whether these need it, and else: kubectl delete clusterrolebinding {name}"
    if grants <= BY_ITSELF:
        what = f"it approves before the approver, whoever asks: kubectl delete clusterrolebinding {name}"
        if remove:
            api.request("DELETE", f"{RBAC}/clusterrolebindings/{name}")
            what = "removed"
    subjects = [f"{item['kind']} {item['name']}" for item in binding.get("subjects") or []]
    return {"binding": name, "subjects": subjects, "grants": sorted(grants), "what_to_do": what}


def _grants(role: Mapping[str, Any]) -> set[str]:
    return {grant for rule in role.get("rules") or [] for grant in _of_rule(rule)}


def _of_rule(rule: Mapping[str, Any]) -> Iterator[str]:
    verbs, resources = set(rule.get("verbs") or []), set(rule.get("resources") or [])
    if not {"certificates.k8s.io", "*"} & set(rule.get("apiGroups") or []):
        return
    if verbs & {"create", "*"}:
        yield from BY_ITSELF if resources & {"*", "certificatesigningrequests/*"} else BY_ITSELF & resources
    names = set(rule.get("resourceNames") or [])
    signers = {CLIENT_SIGNER, SERVING_SIGNER, "kubernetes.io/*"}
    if verbs & {"approve", "*"} and resources & {"signers", "*"} and (not names or names & signers):
        yield "approve on signers"
