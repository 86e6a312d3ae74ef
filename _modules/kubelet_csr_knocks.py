"""
Takes the knocks on the Salt master: leaves each for the worker of its minion's cluster, and starts that where
none is running. The work itself is ``kubelet_csr.work``.
"""

from __future__ import annotations

import functools
import logging

import kube_node_knocks
import kube_node_process
import salt.loader
import salt.utils.event
from kube_node_knocks import Knock
from salt.exceptions import CommandExecutionError

log = logging.getLogger(__name__)

__virtualname__ = "kubelet_csr_knocks"


def __virtual__():
    if __opts__.get("__role") != "master":
        return False, "kubelet_csr_knocks runs on the Salt master, by its reactor"
    return __virtualname__


def knock(tag, data):
    """
    Have a look at what a minion's kubelet lacks, and at its requests that are still to come.

    What the reactor calls; it returns at once. The work is done by one process per cluster, which lives as
    long as there is work, and hears further knocks by itself.

    tag
        The event's tag.

    data
        The event's data, which anyone may have forged: a forged knock leads to an early look, nothing more.

    Returns ``{cluster, worker}``, the worker ``started`` or already ``running``; an empty mapping where
    there is nothing to do.

    CLI Example:

    .. code-block:: bash

        salt-run salt.cmd kubelet_csr_knocks.knock kube_node/kubelet/start '{id: worker-1}'
    """
    found = kube_node_knocks.from_event(tag, data)
    cluster = found and __salt__["kube_node_minions.cluster_of"](found.minion)
    if cluster is None or cluster not in __salt__["kubelet_csr.clusters"]():
        log.debug("kube_node: knock %s left alone: no node of a cluster that is known here", found)
        return {}
    return {"cluster": cluster, "worker": _give(cluster, found)}


def sweep():
    """
    Have a look at all minions of every cluster, and at all that is pending there.

    Returns the worker's state by cluster, ``started`` or already ``running``.

    CLI Example:

    .. code-block:: bash

        salt-run salt.cmd kubelet_csr_knocks.sweep
    """
    return {cluster: _give(cluster, Knock(None)) for cluster in __salt__["kubelet_csr.clusters"]()}


def _give(cluster, found):
    """Leave a knock for the worker of a cluster, and start that where it is not running."""
    folder = kube_node_knocks.folder(__opts__["cachedir"], cluster)
    kube_node_knocks.leave(folder, found)
    return kube_node_process.start(folder, functools.partial(_work, cluster), _listen)


def _work(cluster, mail):
    """Work off a cluster's knocks, with modules of the process's own."""
    opts = {**__opts__, "grains": {}}
    modules = salt.loader.minion_mods(opts, utils=salt.loader.utils(opts))
    try:
        modules["kubelet_csr.work"](cluster, mail)
    except CommandExecutionError as error:
        log.error("kube_node: %s", error)


def _listen(mail):
    """Put the knocks on the master's event bus into the mail."""
    with salt.utils.event.get_event("master", opts=__opts__, listen=True) as bus:
        for event in bus.iter_events(full=True, auto_reconnect=True):
            tag = event["tag"]
            if kube_node_knocks.is_knock(tag) and (found := kube_node_knocks.from_event(tag, event["data"])):
                mail.put(found)
