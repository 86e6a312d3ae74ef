"""The life of a daemon: told to systemd when it is up, ended by SIGTERM or SIGINT, asked what it is."""

from __future__ import annotations

import os
import signal
import socket
import threading
import traceback

from . import clock, host, klog

HELP = f"""This is no Kubernetes component but a double of one for tests. It reads from its environment:

  {clock.TIME_SCALE}   its own times (retries, waits, periods) are multiplied by this number, greater
                             than 0 and at most 1; without it they are those of the real component
  {host.HOST_ROOT}    look for the machine's files (/sys/fs/cgroup, /proc/swaps, /etc/os-release,
                             /etc/containerd, /etc/cni/net.d) below this folder instead of /
"""

_ENDING = {signal.SIGTERM, signal.SIGINT}


def end_on_crash() -> None:
    """Let a fault in any thread end the process with its trace and status 2, as a panic does in Go."""

    def crash(fault: threading.ExceptHookArgs) -> None:
        text = "".join(traceback.format_exception(fault.exc_type, fault.exc_value, fault.exc_traceback))
        klog.write(text)
        klog.leave(2)

    threading.excepthook = crash


def notify_ready() -> None:
    """Tell systemd that the service is up, when it asked: sd_notify(3) with READY=1."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        channel.sendto(b"READY=1", f"\0{address[1:]}" if address.startswith("@") else address)


def block_signals() -> None:
    """Keep the signals for `wait_for_signal`; to be called before any thread starts."""
    signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)


def wait_for_signal() -> None:
    """Sleep until the process is told to end."""
    signal.sigwait(_ENDING)
