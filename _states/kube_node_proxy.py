"""
The rules that kube-proxy lays down, when it is to do so in another way.
"""

from __future__ import annotations

from pathlib import Path

__virtualname__ = "kube_node_proxy"

# In which mode kube-proxy laid down the rules that are here.
MARK = Path("/var/lib/kube-node/proxy-mode")


def mode(name, program):
    """
    Have no rules here but those of kube-proxy's mode: where it was another one, those are removed, once.

    name
        The mode: ``iptables``, ``ipvs``, ``nftables`` or ``userspace``.

    program
        The path of kube-proxy, which removes them itself (``--cleanup``). It is stopped for that; the state
        of its service starts it again.
    """
    before = MARK.read_text().strip() if MARK.is_file() else None
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
    MARK.parent.mkdir(parents=True, exist_ok=True)
    MARK.write_text(f"{name}\n")
    return result
