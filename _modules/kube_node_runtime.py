"""
The container runtime's own word about its configuration. Everything here reads, and changes nothing.
"""

from __future__ import annotations

import shutil
import tempfile

import kube_node_containerd
import kube_node_files
from salt.exceptions import CommandExecutionError

__virtualname__ = "kube_node_runtime"


def containerd_faults():
    """
    Return why containerd would not run as the configuration says that this node is to have, a sentence each.

    containerd is asked (``containerd --config … config dump``) before that file is put in its place. The
    passwords of registries are left out of what it is asked.

    Raises a CommandExecutionError where containerd is not installed.

    CLI Example:

    .. code-block:: bash

        salt '*' kube_node_runtime.containerd_faults
    """
    node = __salt__["kube_node.parameters"]()
    folder = node["paths"]["bin"] if node["binaries"]["runtime"] else "/usr/bin:/usr/local/bin"
    program = shutil.which("containerd", path=folder)
    if program is None:
        raise CommandExecutionError("containerd is not installed")
    config = _rendered(node)
    with tempfile.NamedTemporaryFile("w", suffix=".toml", encoding="utf-8") as file:
        file.write(config)
        file.flush()
        command = [program, "--config", file.name, "config", "dump"]
        asked = __salt__["cmd.run_all"](
            command, python_shell=False, ignore_retcode=True, output_loglevel="quiet"
        )
    if asked["retcode"]:
        last = asked["stderr"].strip().splitlines()[-1:] or [f"it ended with {asked['retcode']}"]
        return [f"containerd does not take it: {last[0]}"]
    return kube_node_containerd.differences(config, asked["stdout"])


def _rendered(node):
    [file] = [file for file in node["files"]["containerd"] if file["id"] == "containerd-config"]
    names = (f"kube_node/{file['template']}", "kube_node/map.jinja")
    texts = {
        name: __salt__["cp.get_file_str"](f"salt://{name}", __opts__.get("saltenv") or "base")
        for name in names
    }
    return kube_node_files.render(node, texts, [file])[file["path"]]
