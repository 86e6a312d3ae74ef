"""
The master's side of the kube_node formula: lets in the kubelets of our own minions, and says why.

The master's schedule calls :py:func:`sweep`; the other functions are for operators.
"""

from __future__ import annotations

import time

import kube_node_knocks as knocks
import kube_node_sentence
import kube_node_tokens
import kubelet_csr_table
import salt.exceptions
import salt.loader
from salt.exceptions import CommandExecutionError

__virtualname__ = "kube_node"

APPROVE, PENDING = "kubelet_csr.approve", "kubelet_csr.pending"


# Salt shows NotImplemented alone as it is, without a traceback, and ends with 1.
_in_a_sentence = kube_node_sentence.told_as(salt.exceptions.NotImplemented, CommandExecutionError)


def knock(minion, tag=knocks.START, said=None):
    """
    Have a look at what a minion's kubelet lacks, and at its requests that are still to come.

    What the reactor does by itself when a minion says that its kubelet lacks something; it calls this where
    the formula's modules came after its start. The command ends with the work that it started.

    minion
        The id of the minion whose kubelet started, as the event says.

    tag
        The event's tag.

    said
        The event's data: ``{lacks: [client, serving], token: <id>}``, either left out where it is not known.

    Returns ``{cluster, worker}``, the worker ``started`` or already ``running``; an empty mapping where
    there is nothing to do.

    CLI Example:

    .. code-block:: bash

        salt-run kube_node.knock worker-1
    """
    return _call("kubelet_csr_knocks.knock", tag, {**(said or {}), "id": minion})


def sweep():
    """
    Have a look at all minions of every cluster, and at all that is pending there.

    What the master's schedule calls, so that a node gets in though every event was lost. The command ends
    with the work that it started.

    Returns the worker's state by cluster, ``started`` or already ``running``.

    CLI Example:

    .. code-block:: bash

        salt-run kube_node.sweep
    """
    return _call("kubelet_csr_knocks.sweep")


@_in_a_sentence
def rotate_token_key():
    """
    Derive the minions' bootstrap tokens from a new key from now on.

    Tokens that are on machines already count until their time is over. Where several masters serve the same
    minions, copy ``kube_node/token.keys`` from this one's configuration folder to theirs.

    CLI Example:

    .. code-block:: bash

        salt-run kube_node.rotate_token_key
    """
    path = kube_node_tokens.key_file(__opts__["config_dir"])
    kept = len(kube_node_tokens.rotate(path, time.time())) - 1
    return f"New tokens come from a new key; {kept} older ones still count until their tokens have run out."


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
    return _call("kube_node_admin.check_rights", kubeconfig, remove)


@_in_a_sentence
def grant(cluster, kubeconfig):
    """
    Give this master's approver its rights in a cluster, and a kubeconfig with them and no others; once, and
    again before its certificate ends or when the formula asks for other rights.

    cluster
        The cluster's name, as the pillars have it in ``cluster.name``.

    kubeconfig
        The path of an administrator's kubeconfig; it is read, and not kept.

    Returns what was made or changed, where the approver's kubeconfig is, and who else may approve.

    CLI Example:

    .. code-block:: bash

        salt-run kube_node.grant production /root/admin.conf
    """
    return _call("kube_node_admin.grant", cluster, kubeconfig)


@_in_a_sentence
def grant_network(cluster, kubeconfig):
    """
    Give this master a kubeconfig with the rights to lay down a cluster's network, and no others; once, and
    again before its certificate ends or when the formula asks for other rights.

    cluster
        The cluster's name, as the pillars have it in ``cluster.name``.

    kubeconfig
        The path of an administrator's kubeconfig; it is read, and not kept.

    Returns what was made or changed, and where the kubeconfig is.

    CLI Example:

    .. code-block:: bash

        salt-run kube_node.grant_network production /root/admin.conf
    """
    return _call("kube_node_admin.grant_network", cluster, kubeconfig)


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
