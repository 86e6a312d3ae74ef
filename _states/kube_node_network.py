"""
A cluster's network, as a state of an orchestration on the master: see ``kube_node/orchestrate/network.sls``.
"""

from __future__ import annotations

from salt.exceptions import CommandExecutionError

__virtualname__ = "kube_node_network"


def __virtual__():
    if "kube_node_network.apply" not in __salt__:
        return False, "kube_node_network runs on the Salt master, in an orchestration"
    return __virtualname__


def applied(name, wait_seconds=300, adopt=False):
    """
    Have a cluster's network be what the pillar of its nodes says, and wait until it is out.

    name
        The cluster's name, as the pillars have it.

    wait_seconds
        How long to wait until the network's workloads are out; 0 not to wait.

    adopt
        Take over objects that somebody else made, and fields that somebody else set.

    In a test run the changes are those that would be made, as ``diff -u`` shows them.

    .. code-block:: yaml

        network-applied:
          kube_node_network.applied:
            - name: production
    """
    test = __opts__["test"]
    try:
        done = __salt__["kube_node_network.apply"](name, wait_seconds, adopt, test)
    except CommandExecutionError as error:
        return {"name": name, "result": False, "comment": str(error), "changes": {}}
    told = "would be changed" if test else "has been changed"
    lines = [
        f"The network of {name} {told}" if done["changes"] else f"The network of {name} is as it should be"
    ]
    if done["kept"]:
        lines.append(f"No longer wanted, and kept for what they hold: {', '.join(done['kept'])}")
    lines += done["waiting"]
    result = False if done["waiting"] else None if test and done["changes"] else True
    return {"name": name, "result": result, "comment": "\n".join(lines), "changes": done["changes"]}
