"""What a decision is made on, put together: pure, but for the two questions about Nodes to the API server."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timezone
from functools import lru_cache
from typing import Any

import kubelet_csr_request
from kube_api import Api, ApiError
from kubelet_csr_api import CLIENT_SIGNER, SERVING_SIGNER

NODES = "/api/v1/nodes"
ABSENT = {"exists": False, "ready": False}
_USUAL_CHARACTERS = 4096


def is_pending(request: Mapping[str, Any]) -> bool:
    """Tell whether a request is for one of the kubelets' signers and nobody has decided it."""
    signer = _mapping(request.get("spec")).get("signerName")
    return signer in (CLIENT_SIGNER, SERVING_SIGNER) and not _mapping(request.get("status")).get("conditions")


def outline(request: Mapping[str, Any]) -> kubelet_csr_request.Outline:
    """Say for which node a request is, and with which key; read once, though a pass asks several times."""
    content = _mapping(request.get("spec")).get("request")
    if isinstance(content, str) and len(content) <= _USUAL_CHARACTERS:
        return _outline(content)
    return kubelet_csr_request.outline(request)


@lru_cache(maxsize=4096)
def _outline(content: str) -> kubelet_csr_request.Outline:
    return kubelet_csr_request.outline({"spec": {"request": content}})


def superseded(pending: Iterable[Mapping[str, Any]]) -> set[str]:
    """Return the uids of the requests of which their requestor has a newer one, for the same signer and
    node."""
    newest: dict[tuple, str] = {}
    rows = []
    for request in pending:
        spec, metadata = _mapping(request.get("spec")), _mapping(request.get("metadata"))
        node = outline(request).node
        asker = (str(spec.get("username")), str(spec.get("signerName")), node)
        created = str(metadata.get("creationTimestamp"))
        newest[asker] = max(newest.get(asker, ""), created)
        rows.append((str(metadata.get("uid")), asker, created))
    return {uid for uid, asker, created in rows if created < newest[asker]}


def nodes(api: Api, names: Collection[str]) -> dict[str, dict[str, bool]]:
    """Return `{exists, ready}` by name, for the Nodes that exist: one question for one of them, one list for
    more.

    Args:
        api: the connection to the cluster's API server.
        names: the names of the Nodes that matter.
    """
    if not names:
        return {}
    if len(names) > 1:
        return {item["metadata"]["name"]: _state(item) for item in api.items(NODES)[0]}
    (name,) = names
    try:
        return {name: _state(api.request("GET", f"{NODES}/{name}"))}
    except ApiError as error:
        if error.status != 404:
            raise
        return {}


def facts(owner: Any, node: Mapping[str, bool] | None, is_superseded: bool) -> dict[str, Any]:
    """Return the facts about one request, as `kubelet_csr_policy.decide` wants them.

    Args:
        owner: the accepted minion (`kube_node_identity.Identity`) whose pillar names it this node, or None.
        node: the Node's state, None where there is none.
        is_superseded: whether the requestor has a newer one.
    """
    known = owner and {
        "name": owner.name,
        "minion_id": owner.minion_id,
        "dns_names": list(owner.dns_names),
        "ips": list(owner.addresses),
        "roles": [],
    }
    return {
        "now": datetime.now(timezone.utc),
        "event_minion_id": None,
        "minion_accepted": owner is not None,
        "node": known,
        "attested_spki_sha256": None,
        "bootstrap_token_id": owner and owner.bootstrap_token_id,
        "attested_client_cert_sha256": None,
        "node_object": node or ABSENT,
        "superseded": is_superseded,
        "service_cidr": owner and owner.service_cidr,
    }


def _state(node: Mapping[str, Any]) -> dict[str, bool]:
    conditions = (node.get("status") or {}).get("conditions") or []
    ready = any(item.get("type") == "Ready" and item.get("status") == "True" for item in conditions)
    return {"exists": True, "ready": ready}


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
