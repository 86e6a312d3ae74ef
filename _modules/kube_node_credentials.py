"""
What a minion's kubelet may show to the API server, by this master's own knowledge: the bootstrap tokens that
are derived for the minion, and the certificate that it attests.
"""

from __future__ import annotations

import time

import kube_node_tokens
import salt.cache

__virtualname__ = "kube_node_credentials"

MINE = "kube_node.attestation"


def __virtual__():
    if __opts__.get("__role") != "master":
        return False, "kube_node_credentials runs on the Salt master"
    return __virtualname__


def tokens(owner):
    """
    Return the bootstrap tokens that a minion may hold, the current one first; none where it has its own.

    owner
        The minion's identity, as ``kube_node_minions.owners`` gives it.

    CLI Example: none, for the tokens are secret.
    """
    if not owner.derives_token:
        return []
    keys = kube_node_tokens.of_master(__opts__["config_dir"])
    return kube_node_tokens.accepted(keys, owner.cluster, owner.minion_id, owner.name, time.time())


def attestation(minion):
    """
    Return what a minion attests of its kubelet, and when it did, by the mine: the master stores that under
    the authenticated id.

    minion
        The minion's id.

    Returns ``{client_cert_sha256, spki_sha256, at}``, ``at`` in seconds since the epoch; None where the
    minion attests nothing.

    CLI Example:

    .. code-block:: bash

        salt-run salt.cmd kube_node_credentials.attestation worker-1
    """
    if "kube_node.cache" not in __context__:
        __context__["kube_node.cache"] = salt.cache.factory(__opts__)
    cache = __context__["kube_node.cache"]
    mine = cache.fetch("mine", minion)
    found = mine.get(MINE) if isinstance(mine, dict) else None
    if isinstance(found, dict) and "__data__" in found:  # Salt's own wrapping, where access is restricted
        found = found["__data__"]
    if not isinstance(found, dict):
        return None
    digests = {key: found.get(key) for key in ("client_cert_sha256", "spki_sha256")}
    return digests | {"at": cache.updated("mine", minion) or 0}
