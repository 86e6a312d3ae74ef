"""The process on a running master that lets in the nodes of the cluster: found, and killed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import kube_node_knocks
import psutil
from lab.waiting import until

CLUSTER = "demo"


def lock(master: Any) -> Path:
    """Return the file that the worker holds locked while it lives."""
    return Path(master.config["cachedir"], "kube_node", f"{CLUSTER}.lock")


def worker_of(master: Any) -> psutil.Process | None:
    """Return the process that holds the cluster's lock."""

    def holds(process: psutil.Process) -> bool:
        try:
            return str(lock(master)) in [file.path for file in process.open_files()]
        except psutil.NoSuchProcess:  # it ended meanwhile
            return False

    return next(filter(holds, psutil.Process(master.pid).children(recursive=True)), None)


def kill(worker: psutil.Process) -> None:
    """Kill a worker; return when nothing of it is left that holds a lock."""
    worker.kill()
    until(lambda: not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE, "its end", seconds=5)


def end(master: Any) -> None:
    """Leave no worker, and none of the knocks that it would look at."""
    for knock in kube_node_knocks.folder(master.config["cachedir"], CLUSTER).glob("*"):
        knock.unlink(missing_ok=True)
    while worker := worker_of(master):
        kill(worker)
