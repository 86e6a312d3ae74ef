"""
The network that a machine is set up for, and no other beside it.
"""

from __future__ import annotations

__virtualname__ = "kube_node_cni"


def only(name):
    """
    Take away what is left of the network that this machine was set up for before; only what is that network's
    own, and only once its program no longer runs here.

    name
        The network it is set up for now: ``none``, ``flannel`` or ``calico``.
    """
    result = {"name": name, "result": True, "comment": f"The network is {name}", "changes": {}}
    before = __salt__["kube_node_cni.before"]()
    if before == name:
        return result
    if before and __salt__["kube_node_cni.runs"](before):
        told = f"{before} still runs on this machine: kube_node.orchestrate.network ends it on the master"
        return result | {"comment": f"{told}, and the highstate after that takes away what is left of it"}
    left = __salt__["kube_node_cni.leftovers"](before) if before else {}
    changes = {what: {"old": found, "new": None} for what, found in left.items() if found}
    changes["network"] = {"old": before, "new": name}
    if __opts__["test"]:
        return result | {"result": None, "comment": f"The network would be {name}", "changes": changes}
    if before:
        __salt__["kube_node_cni.take_away"](before)
    __salt__["kube_node_cni.remember"](name)
    return result | {"changes": changes}
