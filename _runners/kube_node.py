"""
The master's side of the kube_node formula: lets in the kubelets of our own minions, and says why.

The reactor calls :py:func:`knock` when a kubelet started; the other functions are for operators.
"""

from __future__ import annotations

import fcntl
import functools
import logging
import multiprocessing
import signal
from pathlib import Path

import kubelet_csr_table
import salt.exceptions
import salt.loader
from salt.exceptions import CommandExecutionError

log = logging.getLogger(__name__)

__virtualname__ = "kube_node"

# A client request comes about two seconds after the kubelet's start, the serving one two seconds after the
# client certificate; a kubelet whose token is not known yet tries again after 2, 4, 8, 16 and 32 seconds.
WAIT_SECONDS = 60
APPROVE, PENDING = "kubelet_csr.approve", "kubelet_csr.pending"


def _in_a_sentence(function):
    """Let an operator's command end with a sentence, where Salt would print a traceback."""

    @functools.wraps(function)
    def told(*args, **kwargs):
        try:
            return function(*args, **kwargs)
        except CommandExecutionError as error:
            # Salt shows this one alone as it is, and ends with 1.
            raise salt.exceptions.NotImplemented(str(error)) from error

    return told


def knock(minion):
    """
    Have a look at the requests of a minion's kubelet, and at those that are still to come.

    What the reactor calls; it returns at once, for the reactor has ten threads. The work is done by one
    process per cluster, which lives as long as there is work: knocks that come meanwhile leave their
    minion's name for it. The caller is not trusted with anything: a forged knock leads to an early look,
    nothing more.

    minion
        The id of the minion whose kubelet started, as the event says.

    Returns ``{cluster, worker}``, the worker ``started`` or already ``running``; an empty mapping where
    there is nothing to do.

    CLI Example:

    .. code-block:: bash

        salt-run kube_node.knock worker-1
    """
    cluster = _call("kube_node_minions.cluster_of", minion)
    if cluster is None or cluster not in _call("kubelet_csr.clusters"):
        log.info(
            "kube_node: knock of %r left alone: no accepted minion of a cluster that is known here", minion
        )
        return {}
    knocks = Path(__opts__["cachedir"], "kube_node", cluster)
    knocks.mkdir(parents=True, exist_ok=True, mode=0o700)
    (knocks / minion).touch()
    # The child shares the lock with this descriptor, and holds it on when this one is closed.
    with _lock_file(knocks).open("w") as lock:
        if not _take(lock):
            return {"cluster": cluster, "worker": "running"}
        context = multiprocessing.get_context("fork")
        context.Process(target=_work, args=(cluster, knocks, lock), name=f"kube_node-{cluster}").start()
    return {"cluster": cluster, "worker": "started"}


@_in_a_sentence
def approve(cluster=None, dry_run=False):
    """
    Judge every pending kubelet request once, and approve those of our own nodes.

    cluster
        The name of one cluster; all that have a kubeconfig on this master where it is left out.

    dry_run
        Judge, and write nothing.

    Returns a list of decisions: ``{cluster, name, signer, node, minion, verdict, rule, message, ...}``.

    CLI Example:

    .. code-block:: bash

        salt-run kube_node.approve
        salt-run kube_node.approve production dry_run=True
    """
    return [
        decision for name in _clusters(cluster) for decision in _call(PENDING if dry_run else APPROVE, name)
    ]


@_in_a_sentence
def pending(cluster=None):
    """
    Judge every pending kubelet request and write nothing: what :py:func:`approve` would do, and why.

    cluster
        The name of one cluster; all that have a kubeconfig on this master where it is left out.

    CLI Example:

    .. code-block:: bash

        salt-run kube_node.pending
    """
    return approve(cluster, dry_run=True)


@_in_a_sentence
def explain(what, cluster=None):
    """
    Say in one screen why a node, or a request, is not let in: what was expected, what was found, and what to
    do.

    what
        The name of a node or of a request.

    cluster
        The name of one cluster; all that have a kubeconfig on this master where it is left out.

    CLI Example:

    .. code-block:: bash

        salt-run kube_node.explain worker-1
        salt-run kube_node.explain csr-7xk2p
    """
    found = [_call("kubelet_csr.explain", name, what) for name in _clusters(cluster)]
    telling = [one for one in found if one["request"] or one["minion"]] or found
    return "\n\n".join(map(kubelet_csr_table.screen, telling))


@_in_a_sentence
def audit(last=50):
    """
    Return the last decisions of the audit log.

    last
        How many.

    CLI Example:

    .. code-block:: bash

        salt-run kube_node.audit last=10
    """
    return _call("kubelet_csr.audit", last)


@_in_a_sentence
def check_rights(kubeconfig, remove=False):
    """
    Report who else may approve kubelets' requests in a cluster, and what approves by itself.

    kubeconfig
        The path of an administrator's kubeconfig: the approver itself may not read roles and bindings.

    remove
        Remove the bindings by which kube-controller-manager approves for nodes; others are left alone in any
        case.

    Returns a list of ``{binding, subjects, grants, what_to_do}``; an empty one where only the approver
    approves.

    CLI Example:

    .. code-block:: bash

        salt-run kube_node.check_rights /root/admin.conf
        salt-run kube_node.check_rights /root/admin.conf remove=True
    """
    return _call("kubelet_csr.check_rights", kubeconfig, remove)


def _work(cluster, knocks, lock):
    """Work off the knocks of a cluster, its lock held, until there are no more."""
    signal.signal(
        signal.SIGTERM, signal.SIG_DFL
    )  # not what the reactor, from which this was forked, does then
    while True:
        while minions := _taken(knocks):
            _approve_or_log(cluster, minions)
        fcntl.flock(lock, fcntl.LOCK_UN)
        # A knock that came between the last look and here found the lock taken: it must not be lost.
        if not any(knocks.iterdir()) or not _take(lock):
            return


def _taken(knocks):
    """Take the names that were left; a knock that comes from here on is worked off by the next pass."""
    paths = list(knocks.iterdir())
    for path in paths:
        path.unlink()
    return [path.name for path in paths]


def _approve_or_log(cluster, minions):
    try:
        _call(APPROVE, cluster, minions, __opts__.get("kube_node", {}).get("wait_seconds", WAIT_SECONDS))
    except CommandExecutionError as error:
        log.error("kube_node: %s", error)


def _lock_file(knocks):
    return knocks.with_suffix(".lock")


def _take(lock):
    """Take a lock; tells whether it was free."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _clusters(cluster):
    return [cluster] if cluster else _call("kubelet_csr.clusters")


def _call(function, *args):
    """Call a function of an execution module on this master.

    ``salt.cmd`` would do the same, but gathers the grains and loads every module anew each time: eight times
    slower.
    """
    if "kube_node.modules" not in __context__:
        opts = {**__opts__, "grains": {}}
        __context__["kube_node.modules"] = salt.loader.minion_mods(opts, utils=salt.loader.utils(opts))
    modules = __context__["kube_node.modules"]
    if function not in modules:
        raise CommandExecutionError(
            f"{modules.missing_fun_string(function)} Run 'salt-run saltutil.sync_all' on the master; "
            "kubelet_csr needs the packages kubernetes and cryptography in Salt's own Python."
        )
    return modules[function](*args)
