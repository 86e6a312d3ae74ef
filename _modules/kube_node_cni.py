"""
What networks of pods are on this machine, and what is left of one that is no longer wanted.
"""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

import kube_node_kept as kept
import kube_node_leftovers
import kube_node_needs
from salt.exceptions import CommandExecutionError

__virtualname__ = "kube_node_cni"

PROC = Path("/proc")
FILTERS = ("iptables", "ip6tables")


def before():
    """
    Return the network that this machine was set up for by the last run, or None.

    CLI Example:

    .. code-block:: bash

        salt '*' kube_node_cni.before
    """
    found = (kept.read(kept.NETWORK) or "").strip()
    return found if found in kube_node_leftovers.NETWORKS else None


def remember(network):
    """
    Keep in mind which network this machine is set up for.

    network
        ``none``, ``flannel`` or ``calico``.

    CLI Example:

    .. code-block:: bash

        salt '*' kube_node_cni.remember flannel
    """
    kept.write(kept.NETWORK, f"{network}\n")


def has_others():
    """
    Tell whether another network's configuration is here than the bridge of ``network.plugin: none``, and is
    to stay: that of the network before goes, unless it still runs.

    CLI Example:

    .. code-block:: bash

        salt '*' kube_node_cni.has_others
    """
    folder = __salt__["kube_node.parameters"]()["paths"]["cni_config"]
    left = before()
    going = kube_node_leftovers.NETWORKS[left].get("configuration", ()) if left and not runs(left) else ()
    found = __salt__["kube_node_machine.cni_files"](folder)
    return not {*found} <= {kube_node_needs.NETWORK_FILES["none"], *going}


def runs(network):
    """
    Tell whether a network's own program runs on this machine.

    network
        ``none``, ``flannel`` or ``calico``.

    CLI Example:

    .. code-block:: bash

        salt '*' kube_node_cni.runs calico
    """
    programs = kube_node_leftovers.NETWORKS[network].get("programs", set())
    for path in PROC.glob("[0-9]*/comm") if programs else ():
        with contextlib.suppress(OSError):
            if path.read_text().strip() in programs:
                return True
    return False


def leftovers(network):
    """
    Return what is left of a network on this machine, and change nothing.

    network
        ``none``, ``flannel`` or ``calico``.

    Returns ``{files, links, routes, iptables, ip6tables}``; the last two are what ``iptables-restore
    --noflush`` is to be told.

    CLI Example:

    .. code-block:: bash

        salt '*' kube_node_cni.leftovers calico
    """
    node, own = __salt__["kube_node.parameters"](), kube_node_leftovers.NETWORKS[network]
    folder, pods = Path(node["paths"]["cni_config"]), node["cluster"]["pod_cidr"]
    paths = [*(folder / name for name in own.get("configuration", ())), *map(Path, own.get("files", ()))]
    names = [link["ifname"] for link in _told("ip", "-json", "link", "show")]
    routes = _told("ip", "-json", "-details", "route", "show")
    return {
        "files": [str(path) for path in paths if path.exists()],
        "links": kube_node_leftovers.links(network, names),
        "routes": kube_node_leftovers.routes(network, routes, pods),
        **{name: kube_node_leftovers.chains(network, _saved(name), pods) for name in FILTERS},
    }


def take_away(network):
    """
    Take away what :py:func:`leftovers` finds of a network, and nothing else.

    network
        ``none``, ``flannel`` or ``calico``.

    CLI Example:

    .. code-block:: bash

        salt '*' kube_node_cni.take_away calico
    """
    left = leftovers(network)
    for path in left["files"]:
        Path(path).unlink(missing_ok=True)
    for name in FILTERS:
        if left[name]:
            _run(f"{name}-restore", "--noflush", "--wait", stdin=left[name])
    for route in left["routes"]:
        _run("ip", "route", "delete", *route.split())
    for link in left["links"]:
        _run("ip", "link", "delete", link)
    return left


def _told(*command):
    return json.loads(_run(*command) or "[]")


def _saved(name):
    if not __salt__["cmd.which"](f"{name}-save"):
        return ""
    return _run(f"{name}-save")


def _run(*command, stdin=None):
    done = __salt__["cmd.run_all"](list(command), python_shell=False, stdin=stdin, ignore_retcode=True)
    if done["retcode"]:
        raise CommandExecutionError(f"{' '.join(command)}: {done['stderr'] or done['stdout']}")
    return done["stdout"]
