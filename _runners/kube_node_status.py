"""
The fleet as a table: the nodes of each cluster beside the minions that are them.
"""

from __future__ import annotations

import kube_node_fleet
import kube_node_sentence
import salt.exceptions
from salt.exceptions import CommandExecutionError

__virtualname__ = "kube_node"


def __virtual__():
    # Its functions stand beside those of kube_node.py: the loader joins modules of one virtual name.
    return __virtualname__


@kube_node_sentence.told_as(salt.exceptions.NotImplemented, CommandExecutionError)
def status(cluster=None, table=True):
    """
    Show every node of a cluster with its minion and state, the minions that are no nodes yet, and the nodes
    that are nobody's minion.

    The API server is asked once, in pages, and no minion is.

    cluster
        The name of one cluster; all that have a kubeconfig on this master where it is left out.

    table
        False to get rows for another program, ``{cluster, node, minion, state, version, address, note}``.

    CLI Example:

    .. code-block:: bash

        salt-run kube_node.status
        salt-run kube_node.status production table=False --out=json
    """
    clusters = [cluster] if cluster else __salt__["salt.cmd"]("kubelet_csr.clusters")
    rows = __salt__["salt.cmd"]("kube_node_fleet.nodes", clusters)
    return kube_node_fleet.table(rows) if table else rows
