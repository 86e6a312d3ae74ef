"""
What somebody else put where the formula keeps its files, and the copies that are kept of it.

Ours is what stands in the record, ``/var/lib/kube_node/files``: every path that the formula has written here,
recorded before it wrote.
"""

from __future__ import annotations

import filecmp
import itertools
import os
import shutil
from pathlib import Path

import kube_node_files
import kube_node_kept as kept

__virtualname__ = "kube_node_takeover"


def foreign():
    """
    Return the files that somebody else wrote where ours go, sorted, and change nothing.

    A file that reads as ours would, or is as the package that brought it has it, is in nobody's way.

    CLI Example:

    .. code-block:: bash

        salt '*' kube_node_takeover.foreign
    """
    node, recorded = __salt__["kube_node.parameters"](), set(_recorded())
    there = [
        path
        for path in dict.fromkeys([*_ours(node), *_registries(node)])
        if path not in recorded and os.path.lexists(path)
    ]
    wanted = __salt__["kube_node.render"]() if there else {}
    return sorted(path for path in there if not _is_meant(path, wanted.get(path)))


def networks():
    """
    Return the network configurations of somebody else that the pillar has us take over, and change nothing.

    That is done once, before the formula's first files are on the machine: one that comes later is meant so.

    CLI Example:

    .. code-block:: bash

        salt '*' kube_node_takeover.networks
    """
    node = __salt__["kube_node.parameters"]()
    meant = not node["takeover"] or "foreign_cni" in node["preflight"]["accept"]
    if meant or kept.place(kept.FILES).exists():
        return []
    folder, ours = Path(node["paths"]["cni_config"]), node["preflight"]["needs"]["cni_files"]
    names = __salt__["kube_node_machine.cni_files"](str(folder))
    return [str(folder / name) for name in names if name not in ours]


def unrecorded():
    """
    Return which of the files that this node is to have are not in the record yet.

    CLI Example:

    .. code-block:: bash

        salt '*' kube_node_takeover.unrecorded
    """
    recorded = set(_recorded())
    # The kubelet's own kubeconfig too, which would be another one in mode static.
    ours = _ours(__salt__["kube_node.parameters"](), moving=True)
    return sorted({path for path in ours if path not in recorded})


def keep(path, remove=False):
    """
    Put a copy of a file below ``/var/lib/kube_node/replaced``; return where it is.

    path
        The file. A copy that is there already and reads otherwise is kept too.

    remove
        True to remove the file then. A link is always removed, or what it leads to would be written over.

    CLI Example:

    .. code-block:: bash

        salt '*' kube_node_takeover.keep /etc/containerd/config.toml
    """
    folder = kept.place(kept.REPLACED)
    source, copy = Path(path), Path(f"{folder}{path}")
    for number in itertools.count(1):
        if not copy.exists() or not source.exists() or filecmp.cmp(source, copy, shallow=False):
            break
        copy = Path(f"{folder}{path}.{number}")
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    copy.parent.mkdir(parents=True, exist_ok=True)
    if source.exists():  # not a link that leads nowhere
        shutil.copy2(source, copy)
    if remove or source.is_symlink():
        source.unlink()
    return str(copy)


def record():
    """
    Write down that all files which this node is to have are ours from now on.

    CLI Example:

    .. code-block:: bash

        salt '*' kube_node_takeover.record
    """
    ours = sorted({*_recorded(), *unrecorded()})
    kept.write(kept.FILES, "".join(f"{path}\n" for path in ours))


def _recorded():
    return (kept.read(kept.FILES) or "").splitlines()


def _ours(node, moving=False):
    joined = __salt__["kube_node.has_client_certificate"]()
    return [file["path"] for file in kube_node_files.kept(node, joined, moving)]


def _registries(node):
    """Return what lies in the folder of registries, which has ours alone."""
    folder = node["runtime"].get("registries_folder")
    found = Path(folder).rglob("*") if folder else ()
    return [str(path) for path in found if path.is_symlink() or not path.is_dir()]


def _is_meant(path, wanted):
    """Tell whether a file reads as ours would, or as its package brought it; a link is somebody else's."""
    if Path(path).is_symlink():
        return False
    there = Path(path).read_text(encoding="utf-8", errors="replace")
    return there == wanted or _is_as_packaged(path)


def _is_as_packaged(path):
    package = __salt__["pkg.owner"](path) if "pkg.owner" in __salt__ else ""
    if not package or not isinstance(package, str):
        return False
    verify = ["dpkg" if __grains__.get("os_family") == "Debian" else "rpm", "--verify", package]
    changed = __salt__["cmd.run_all"](verify, python_shell=False, ignore_retcode=True)["stdout"]
    return all(line.split()[-1] != path for line in changed.splitlines() if line.strip())
