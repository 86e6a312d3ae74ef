"""Who a minion is to Kubernetes, by the pillar alone: what the master may believe when it judges a request.

Pure: no Salt, no I/O. A minion's grains never get in here.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any

import kube_node_network as network
import kube_node_schema as schema
import kube_node_types as types


@dataclass(frozen=True)
class Identity:
    """A minion as a node of a cluster; what the pillar does not say is empty.

    Its bootstrap token is one that the operator gave it, with that id; or, where `derives_token`, the one
    that the master derives for it (`kube_node_tokens`), which has another id every day. `network` stands for
    what it says of the cluster's network (`kube_node_network.digest`).
    """

    minion_id: str
    cluster: str
    name: str
    addresses: tuple[str, ...]
    dns_names: tuple[str, ...]
    bootstrap_token_id: str | None
    service_cidr: str | None = None
    derives_token: bool = False
    bootstrap_user: str | None = None
    network: str = ""


def node_name(pillar: dict[str, Any], minion_id: str) -> str:
    """Return the node's name: the pillar's, or the minion id in lower case."""
    return pillar.get("node", {}).get("name") or minion_id.lower()


def identity(pillar: Any, minion_id: str) -> Identity | None:
    """Return who `minion_id` is by its `kube_node` pillar, or None where that has no cluster or is faulty."""
    sound, faults = schema.check(pillar)
    if faults or "name" not in sound.get("cluster", {}):
        return None
    name = node_name(sound, minion_id)
    if types.name(name):
        return None
    node, certificates = sound.get("node", {}), sound.get("certificates", {})
    token = certificates.get("bootstrap_token")
    return Identity(
        minion_id=minion_id,
        cluster=sound["cluster"]["name"],
        name=name,
        addresses=tuple(node.get("addresses", ())),
        dns_names=(name, *(other for other in node.get("dns_names", ()) if other != name)),
        bootstrap_token_id=token.split(".")[0] if token else None,
        service_cidr=sound["cluster"].get("service_cidr"),
        bootstrap_user=certificates.get("bootstrap_user"),
        network=network.digest(sound),
    )


def with_derived_token(found: Identity, derived_ids: Collection[str]) -> Identity:
    """Return an identity whose token, where it is among the derived ones, is said to be so."""
    if found.bootstrap_token_id not in derived_ids:
        return found
    return replace(found, bootstrap_token_id=None, derives_token=True)


def wants_token(tree: Any) -> bool:
    """Tell whether a `kube_node` pillar leaves the bootstrap token to the master."""
    certificates = tree.get("certificates", {}) if isinstance(tree, dict) else None
    return (
        isinstance(certificates, dict)
        and not {"bootstrap_token", "bootstrap_user"} & certificates.keys()
        and certificates.get("mode", "bootstrap") == "bootstrap"
    )


def without_token(found: Identity | None) -> Identity | None:
    """Return an identity without its token, which is another one every day."""
    return found and replace(found, bootstrap_token_id=None, derives_token=False)


def hint(pillar: Any, minion_id: str) -> tuple[str, str] | None:
    """Return the cluster and node name in a whole pillar that is only a hint, or None."""
    ours = pillar.get("kube_node") if isinstance(pillar, dict) else None
    parts = [ours.get(key) if isinstance(ours, dict) else None for key in ("cluster", "node")]
    cluster, node = (part.get("name") if isinstance(part, dict) else None for part in parts)
    if not isinstance(cluster, str):
        return None
    return cluster, node if isinstance(node, str) else minion_id.lower()
