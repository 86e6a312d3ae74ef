"""
The wait for a node: until its kubelet is healthy, its Node registered, and Ready.
"""

from __future__ import annotations

__virtualname__ = "kube_node"


def __virtual__():
    # Its functions stand beside those of kube_node.py: the loader joins modules of one virtual name.
    return __virtualname__


def ready(name, wait_for, timeout):
    """
    Wait until the kubelet is healthy, its Node registered, and Ready, as far as asked for; changes nothing.

    name
        The node's name.

    wait_for
        ``none``; ``registered``; ``ready``, which a node that lacks but a network of others' passes; or
        ``network``, which waits for that too.

    timeout
        Seconds to wait.

    Where the time is up the comment is a screen that says why: ``kube_node.diagnosis``.

    .. code-block:: yaml

        node-ready:
          kube_node.ready:
            - name: worker-1
            - wait_for: ready
            - timeout: 120
    """
    if wait_for == "none":
        return _result(name, True, f"{name} is not waited for")
    found = __salt__["kube_node.wait_until_ready"](wait_for, 0 if __opts__["test"] else timeout)
    if found["done"]:
        return _result(name, True, found["said"])
    if __opts__["test"]:
        return _result(name, True, f"{name} would be waited for: {found['said']}")
    diagnosis = __salt__["kube_node.diagnosis"]()
    return _result(name, False, f"After {timeout} s {found['said']}.\n{diagnosis}")


def _result(name, result, comment):
    return {"name": name, "result": result, "comment": comment, "changes": {}}
