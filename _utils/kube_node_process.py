"""The process that works off one cluster's knocks: one at a time, forked, and gone where it hangs.

A process that is forked while another thread holds a lock may wait forever for that. So it was where a pool's
thread forked while the main thread first used one of Salt's caches, under the lock of a `cached_property` (up
to Python 3.11). So the reactor's main thread forks, beside threads that are idle. Where a reaction of others
keeps one of those busy a watchdog ends what hangs, which frees the folder's lock for the next knock.
"""

from __future__ import annotations

import faulthandler
import gc
import logging
import multiprocessing
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import kube_node_knocks
from kube_node_mailbox import Mailbox

log = logging.getLogger(__name__)

# Longer than an API server that asks for patience can keep one look busy.
HUNG_SECONDS = 600
# Until it looks into its mail for the first time it only loads modules, and that is where such a lock is met.
START_SECONDS = 30


def start(folder: Path, work: Callable[[Mailbox], None], listen: Callable[[Mailbox], None]) -> str:
    """Start the process of a folder's knocks where none is running.

    Args:
        folder: where the knocks are left.
        work: works off what is in the mail.
        listen: puts what it hears into the mail, from a thread of its own.

    Returns:
        `started` or `running`.
    """
    # The child shares the lock with this descriptor, and holds it on when this one is closed.
    with kube_node_knocks.lock(folder) as lock:
        if not kube_node_knocks.take_lock(lock):
            return "running"
        _tell_hung(folder)
        context = multiprocessing.get_context("fork")
        arguments = (folder, lock, work, listen)
        context.Process(target=_run, args=arguments, name=f"kube_node-{folder.name}").start()
    return "started"


def _run(folder: Path, lock: Any, work: Callable[[Mailbox], None], listen: Callable[[Mailbox], None]) -> None:
    # Not what the process does then from which this was forked.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    gc.freeze()  # what it has in memory stays shared with it
    with _hung(folder).open("w") as told:

        def alive(seconds: float = HUNG_SECONDS) -> None:
            faulthandler.dump_traceback_later(seconds, exit=True, file=told)

        alive(START_SECONDS)
        mail = Mailbox(folder, alive)
        threading.Thread(target=listen, args=(mail,), daemon=True).start()
        while True:
            while not mail.is_empty:
                work(mail)
            kube_node_knocks.release_lock(lock)
            # A knock that came between the last look and here found the lock taken: it must not be lost.
            if mail.is_empty or not kube_node_knocks.take_lock(lock):
                faulthandler.cancel_dump_traceback_later()
                return


def _hung(folder: Path) -> Path:
    """Return the file in which a process that hangs leaves where it did."""
    return folder.with_name(f"{folder.name}.hung")


def _tell_hung(folder: Path) -> None:
    path = _hung(folder)
    if path.exists() and (where := path.read_text()):
        log.error(
            "kube_node: the last worker of %s hung, and was ended by its watchdog:\n%s", folder.name, where
        )
        path.write_text("")
