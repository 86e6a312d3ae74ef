"""
The nodes of a cluster beside the minions that are them, for the runner ``kube_node`` on the Salt master.
"""

from __future__ import annotations

import kube_api
import kube_node_fleet
from salt.exceptions import CommandExecutionError

__virtualname__ = "kube_node_fleet"

NODES = "/api/v1/nodes"


def __virtual__():
    if __opts__.get("__role") != "master":
        return False, "kube_node_fleet runs on the Salt master, through the runner kube_node"
    return __virtualname__


def nodes(clusters):
    """
    Return a row for each node of some clusters, and for each accepted minion that is to be one.

    clusters
        List of their names.

    The API server is asked once, in pages; no minion is. Who a minion is says its pillar as the master last
    knew it.

    Returns a list of ``{cluster, node, minion, state, version, address, note}``, all texts.

    CLI Example:

    .. code-block:: bash

        salt-run salt.cmd kube_node_fleet.nodes '[production]'
    """
    accepted = __salt__["kube_node_minions.accepted"]()
    known = [one for one in __salt__["kube_node_minions.last_known"](accepted).values() if one]
    return [
        row
        for cluster in clusters
        for row in kube_node_fleet.rows(
            cluster, _nodes(cluster), {one.minion_id: one.name for one in known if one.cluster == cluster}
        )
    ]


def _nodes(cluster):
    kubeconfig = __salt__["kube_node_master.kubeconfig"](cluster)
    try:
        return kube_api.Api(kubeconfig).items(NODES, keep=kube_node_fleet.seen)[0]
    except kube_api.ApiError as error:
        raise CommandExecutionError(f"cluster {cluster}: {error}") from error
