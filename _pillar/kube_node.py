"""
Gives each minion of a cluster its own bootstrap token, and nobody else's.

In the master's configuration:

.. code-block:: yaml

    ext_pillar:
      - kube_node: {}

A minion whose pillar has ``kube_node:cluster:name`` gets ``kube_node:certificates:bootstrap_token``, unless
its pillar has that key, or ``bootstrap_user`` (the operator brings bootstrap.kubeconfig), or the mode
``static``.
Without I/O but for the key's file. What a minion overrides in its own
pillar (``pillar.items pillar=…``) gets it a token of that name which no master ever makes valid.
"""

from __future__ import annotations

import time

import kube_node_identity
import kube_node_tokens

__virtualname__ = "kube_node"


def ext_pillar(minion_id, pillar):
    """
    Return the part of the pillar that holds the minion's bootstrap token, or nothing.

    minion_id
        The minion's authenticated id.

    pillar
        What its pillar is so far.
    """
    hint = kube_node_identity.hint(pillar, minion_id)
    if hint is None or not kube_node_identity.wants_token(pillar["kube_node"]):
        return {}
    cluster, node = hint
    keys = kube_node_tokens.of_master(__opts__["config_dir"])
    token = kube_node_tokens.current(keys, cluster, minion_id, node, time.time())
    return {"kube_node": {"certificates": {"bootstrap_token": str(token)}}}
