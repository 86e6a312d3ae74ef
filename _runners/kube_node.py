"""
The master's side of the kube_node formula: lets in the kubelets of our own minions, and says why.

The reactor calls :py:func:`knock` when a kubelet started; the other functions are for operators.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
from pathlib import Path

import salt.loader
from salt.exceptions import CommandExecutionError

log = logging.getLogger(__name__)

__virtualname__ = "kube_node"

# A client request comes about two seconds after the kubelet's start, the serving one two seconds after the client
# certificate; a kubelet whose token is not known yet tries again after 2, 4, 8, 16 and 32 seconds.
WAIT_SECONDS = 60


def knock(minion):
    """
    Look at the requests of a minion's kubelet, and wait for those that are still to come.

    What the reactor calls. Knocks of one cluster coalesce: while one call works, others leave their minion's name
    and return at once. The caller is not trusted with anything: a forged knock leads to an early look, nothing more.

    minion
        The id of the minion whose kubelet started, as the event says.

    Returns a list of decisions, as :py:func:`approve` does; an empty one where another call does the work.

    CLI Example:

    .. code-block:: bash

        salt-run kube_node.knock worker-1
    """
    cluster = _kubelet_csr("cluster_of", minion)
    if cluster is None:
        log.info("kube_node: knock of %r left alone: no accepted minion with a kube_node pillar", minion)
        return []
    knocks = Path(__opts__["cachedir"], "kube_node", cluster)
    knocks.mkdir(parents=True, exist_ok=True, mode=0o700)
    (knocks / minion).touch()
    decisions = []
    # The loop's condition is looked at with the lock given back: a knock that came too late for it is not lost.
    while any(path.name != ".lock" for path in knocks.iterdir()):
        with _lock(knocks / ".lock") as mine:
            if not mine:
                break
            waiting = [path for path in knocks.iterdir() if path.name != ".lock"]
            minions = [path.name for path in waiting]
            for path in waiting:
                path.unlink()
            decisions += _approve_or_log(cluster, minions)
    return decisions


def approve(cluster=None):
    """
    Judge every pending kubelet request once, and approve those of our own nodes.

    cluster
        The name of one cluster; all that have a kubeconfig on this master where it is left out.

    Returns a list of ``{cluster, name, signer, node, minion, verdict, rule, message}``.

    CLI Example:

    .. code-block:: bash

        salt-run kube_node.approve
        salt-run kube_node.approve production
    """
    clusters = [cluster] if cluster else _kubelet_csr("clusters")
    return [decision for name in clusters for decision in _kubelet_csr("approve", name)]


def pending(cluster=None):
    """
    Judge every pending kubelet request and write nothing: what :py:func:`approve` would do, and why.

    cluster
        The name of one cluster; all that have a kubeconfig on this master where it is left out.

    CLI Example:

    .. code-block:: bash

        salt-run kube_node.pending
    """
    clusters = [cluster] if cluster else _kubelet_csr("clusters")
    return [decision for name in clusters for decision in _kubelet_csr("pending", name)]


def _approve_or_log(cluster, minions):
    try:
        return _kubelet_csr("approve", cluster, minions, __opts__.get("kube_node", {}).get("wait_seconds", WAIT_SECONDS))
    except CommandExecutionError as error:
        log.error("kube_node: %s", error)
        return []


def _kubelet_csr(function, *args):
    """Call a function of the execution module on this master.

    ``salt.cmd`` would do the same, but gathers the grains and loads every module anew each time: eight times slower.
    """
    if "kube_node.modules" not in __context__:
        opts = {**__opts__, "grains": {}}
        __context__["kube_node.modules"] = salt.loader.minion_mods(opts, utils=salt.loader.utils(opts))
    modules, name = __context__["kube_node.modules"], f"kubelet_csr.{function}"
    if name not in modules:
        raise CommandExecutionError(
            f"{modules.missing_fun_string(name)} Run 'salt-run saltutil.sync_all' on the master; kubelet_csr needs the "
            "packages kubernetes and cryptography in Salt's own Python."
        )
    return modules[name](*args)


@contextlib.contextmanager
def _lock(path):
    """Hold the lock of a cluster's worker; yields whether it was free."""
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True
