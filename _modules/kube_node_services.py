"""
The node's services: whether what runs is what the formula last wrote. It reads, and changes nothing.
"""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

import kube_node_files
import kube_node_systemd

__virtualname__ = "kube_node_services"


def restart_owed(service):
    """
    Tell whether a service runs since before something that it is started with was last changed: a run that
    was interrupted between the two owes it a restart.

    service
        As its state names it: ``kubelet``, ``kube-proxy``, ``containerd``, ``docker`` or ``cri-docker``.

    CLI Example:

    .. code-block:: bash

        salt '*' kube_node_services.restart_owed kubelet
    """
    node = __salt__["kube_node.parameters"]()
    slice_ = (service == "kubelet" and node["kubelet"]["cgroups"]["slice"]) or "system.slice"
    since, now = kube_node_systemd.started(f"{service}.service", slice_), time.time()
    joined = __salt__["kube_node.has_client_certificate"]()
    changed = (_changed(path) for path in kube_node_files.started_with(node, service, joined))
    # What is from the future was written by a clock that has been set since.
    return since is not None and any(since < when <= now for when in changed)


def _changed(path):
    """Return when a file, or a link itself, was last changed; 0 where there is none."""
    with contextlib.suppress(OSError):
        return Path(path).lstat().st_mtime
    return 0
