"""
The rules that kube-proxy lays down, when it is to do so in another way.
"""

from __future__ import annotations

import kube_node_kept as kept

__virtualname__ = "kube_node_proxy"


def mode(name, program):
    """
    Have no rules here but those of kube-proxy's mode: where it was another one, those are removed, once.

    name
        The mode: ``iptables``, ``ipvs``, ``nftables`` or ``userspace``.

    program
        The path of kube-proxy, which removes them itself (``--cleanup``). It is stopped for that; the state
        of its service starts it again.
    """
    before = (kept.read(kept.PROXY_MODE) or "").strip() or None
    result = {"name": name, "result": True, "comment": f"The rules are those of {name}", "changes": {}}
    if before == name:
        return result
    result["changes"] = {"mode": {"old": before, "new": name}}
    if __opts__["test"]:
        return result | {"result": None, "comment": f"The rules would be those of {name}"}
    if before:
        __salt__["service.stop"]("kube-proxy")
        done = __salt__["cmd.run_all"]([program, "--cleanup"], python_shell=False, ignore_retcode=True)
        if done["retcode"]:
            told = f"{program} --cleanup failed, rules of {before} may be left: {done['stderr'][-500:]}"
            return result | {"result": False, "comment": told, "changes": {}}
    kept.write(kept.PROXY_MODE, f"{name}\n")
    return result
