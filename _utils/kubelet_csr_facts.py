"""What a decision is made on, put together from what the master and the API server know."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timezone
from functools import lru_cache
from typing import Any, Protocol

import kube_node_tokens
import kubelet_csr_request
from kube_node_identity import Identity
from kubelet_csr_api import CLIENT_SIGNER, SERVING_SIGNER
from kubelet_csr_case import moment
from kubelet_csr_nodes import ABSENT, Nodes

TOKEN_USER = "system:bootstrap:"
_USUAL_CHARACTERS = 4096
# More than are in a cluster at once (a decided one stays for an hour): looked through in turn, a cache that
# does not hold all of them holds none.
_OUTLINES = 16_384


class Ground(Protocol):
    """What the master knows of its minions (`kube_node_minions`)."""

    def owners(self, names: Collection[str]) -> dict[str, Identity]:
        """Return by node name the one accepted minion that is it."""

    def tokens(self, owner: Identity) -> list[kube_node_tokens.Token]:
        """Return the bootstrap tokens that a minion may hold, the current one first."""

    def attestation(self, minion: str) -> dict[str, Any] | None:
        """Return `{client_cert_sha256, spki_sha256, at}`, None where the minion attests nothing."""


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


@lru_cache(maxsize=_OUTLINES)
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


def gather(
    ground: Ground, nodes: Nodes, requests: Sequence[Mapping[str, Any]], pending: Iterable[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """Return the facts about requests, in their order, as `kubelet_csr_policy.decide` wants them.

    Args:
        ground: what the master knows of its minions.
        nodes: the cluster's Nodes.
        requests: the requests to be judged.
        pending: all that are pending, these among them.

    Raises:
        ApiError: the API server cannot be asked for the Nodes.
    """
    names = [outline(request).node for request in requests]
    owners = ground.owners({name for name in names if name})
    hoped: dict[str, bool] = {}
    for request, name in zip(requests, names, strict=True):
        if name in owners:
            hoped[name] = hoped.get(name, False) or not _is_first(request)
    states, old = nodes.states(hoped), superseded(pending)
    return [
        facts(
            request,
            ground,
            owners.get(name),
            states.get(name),
            _mapping(request.get("metadata")).get("uid") in old,
        )
        for request, name in zip(requests, names, strict=True)
    ]


def facts(
    request: Mapping[str, Any],
    ground: Ground,
    owner: Identity | None,
    node: Mapping[str, bool] | None,
    is_superseded: bool,
) -> dict[str, Any]:
    """Return the facts about one request.

    Args:
        request: as certificates.k8s.io/v1 shows it.
        ground: what the master knows of its minions.
        owner: the accepted minion whose pillar names it this node, or None.
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
        "bootstrap_user": owner and owner.bootstrap_user,
        "node_object": node or ABSENT,
        "superseded": is_superseded,
        "service_cidr": owner and owner.service_cidr,
        **_token(request, ground, owner),
        **_attestation(request, owner and ground.attestation(owner.minion_id)),
    }


def _token(request: Mapping[str, Any], ground: Ground, owner: Identity | None) -> dict[str, str | None]:
    """The token that the requestor has if it is one of the minion's; else the one that it should have."""
    if owner is None or not owner.derives_token:
        return {"bootstrap_token_id": owner and owner.bootstrap_token_id, "bootstrap_group": None}
    ids = [token.id for token in ground.tokens(owner)]
    asker = str(_mapping(request.get("spec")).get("username")).removeprefix(TOKEN_USER)
    return {
        "bootstrap_token_id": asker if asker in ids else ids[0],
        "bootstrap_group": kube_node_tokens.group(owner.cluster, owner.minion_id, owner.name),
    }


def _attestation(request: Mapping[str, Any], found: Mapping[str, Any] | None) -> dict[str, Any]:
    """What the minion attests, and whether it did so after the request was made: only then a difference says
    something."""
    if found is None:
        return {"attested_spki_sha256": None, "attested_client_cert_sha256": None}
    created = moment(_mapping(request.get("metadata")).get("creationTimestamp"))
    return {
        "attested_spki_sha256": found["spki_sha256"],
        "attested_client_cert_sha256": found["client_cert_sha256"],
        "attestation_is_current": created is not None and found["at"] > created.timestamp(),
    }


def _is_first(request: Mapping[str, Any]) -> bool:
    """Tell whether a request is for a node's first certificate: its Node should not be at work yet."""
    spec = _mapping(request.get("spec"))
    return spec.get("signerName") == CLIENT_SIGNER and not str(spec.get("username")).startswith(
        "system:node:"
    )


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
