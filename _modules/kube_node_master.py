"""
What the formula's modules on the Salt master share: its settings, its own files, where kubeconfigs lie, and
the record of decisions.
"""

from __future__ import annotations

from pathlib import Path

import kube_node_approver
import kube_node_audit
import salt.fileclient
import salt.utils.event
from salt.exceptions import CommandExecutionError

__virtualname__ = "kube_node_master"


def __virtual__():
    if __opts__.get("__role") != "master":
        return False, "kube_node_master runs on the Salt master"
    return __virtualname__


def settings():
    """
    Return the master's settings of the key ``kube_node``, as ``kube_node_approver`` has them.

    Raises a CommandExecutionError that names each fault.

    CLI Example: none, the formula's own modules call it.
    """
    found, faults = kube_node_approver.settings(__opts__.get("kube_node"))
    if faults:
        raise CommandExecutionError(f"the master's configuration: {'; '.join(faults)}")
    return found


def record(decisions, tag):
    """
    Put decisions into the master's log, the audit log, the counters, and on the master's event bus. With
    faults in the settings that is done by the defaults.

    decisions
        List of what was decided, as ``kube_node_audit`` has it.

    tag
        The beginning of the events' tags; the verdict follows.

    CLI Example: none, the formula's own modules call it.
    """
    if not decisions:
        return
    kube_node_audit.record(decisions, kube_node_approver.settings(__opts__.get("kube_node"))[0], __opts__)
    with salt.utils.event.get_event("master", opts=__opts__, listen=False) as bus:
        for decision in decisions:
            bus.fire_event(dict(decision), f"{tag}/{decision['verdict']}")


def kubeconfig(cluster, network=False):
    """
    Return where a cluster's kubeconfig lies on this master.

    cluster
        Its name.

    network
        True for the one that lays down the network.

    CLI Example:

    .. code-block:: bash

        salt-run salt.cmd kube_node_master.kubeconfig production
    """
    folder = Path(__opts__["config_dir"], "kube_node")
    return str(folder / ("network" if network else "") / f"{cluster}.kubeconfig")


def formula_file(name):
    """
    Return the text of one of the formula's own files, as this master serves it.

    name
        Its path in the state tree.

    CLI Example:

    .. code-block:: bash

        salt-run salt.cmd kube_node_master.formula_file kube_node/defaults.yaml
    """
    client = salt.fileclient.get_file_client({**__opts__, "file_client": "local"})
    cached = client.cache_file(f"salt://{name}")
    if not cached:
        raise CommandExecutionError(f"salt://{name} is not on the file server: the formula is not whole")
    return Path(cached).read_text(encoding="utf-8")
