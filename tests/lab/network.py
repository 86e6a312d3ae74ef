"""The lab's network: a network namespace with one bridge. This machine's own network is never touched.

Every process of a lab is started in its namespace (the machines go on to namespaces of their own), which
is also how they are known: `processes` needs no record that an interrupted run could fail to write.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from lab import waiting

NAMESPACES = Path("/run/netns")
GATEWAY = "10.77.0.1"
PREFIX = 24
BRIDGE = "br0"


def address(number: int) -> str:
    """The address of the lab's machine number 1, 2, …"""
    return f"10.77.0.{10 + number}"


@dataclass(frozen=True)
class Network:
    """One lab's network namespace."""

    name: str

    address = GATEWAY

    @property
    def path(self) -> Path:
        """The namespace's handle."""
        return NAMESPACES / self.name

    def up(self) -> None:
        """Makes the namespace with its bridge."""
        ip("netns", "add", self.name)
        ip("-n", self.name, "link", "set", "lo", "up")
        ip("-n", self.name, "link", "add", BRIDGE, "type", "bridge")
        ip("-n", self.name, "address", "add", f"{GATEWAY}/{PREFIX}", "dev", BRIDGE)
        ip("-n", self.name, "link", "set", BRIDGE, "up")
        # What leads out of the lab is answered as unreachable at once: nobody waits for a name server.
        ip("-n", self.name, "route", "add", "unreachable", "default")
        subprocess.run(self.command("sh", "-c", "echo 1 >/proc/sys/net/ipv4/ip_forward"), check=True)

    def down(self) -> None:
        """Ends what runs in the namespace and removes it; fine when there is none."""
        if not self.path.exists():
            return
        end(self.processes)
        ip("netns", "delete", self.name)
        if not any(NAMESPACES.iterdir()):
            # The first `ip netns add` mounted this folder over itself; refused while it is in use.
            subprocess.run(["umount", NAMESPACES], capture_output=True)

    def command(self, *argv: str | Path) -> list[str]:
        """The command line that runs `argv` in the namespace.

        Not `ip netns exec`: that mounts another /sys, without the cgroups.
        """
        return ["nsenter", f"--net={self.path}", "--", *map(str, argv)]

    def processes(self) -> list[int]:
        """The processes in the namespace, those of the machines' inner namespaces not among them."""
        if not self.path.exists():
            return []
        own = self.path.stat()
        return [pid for pid in all_processes() if namespace(pid) == (own.st_dev, own.st_ino)]


@dataclass(frozen=True)
class Loopback:
    """This machine's own loopback address, for daemons that need no machines beside them."""

    address = "127.0.0.1"

    def command(self, *argv: str | Path) -> list[str]:
        """The command line that runs `argv`."""
        return [str(part) for part in argv]


def free_port() -> int:
    """A port of the loopback address that nobody listens on."""
    with socket.socket() as listener:
        listener.bind((Loopback.address, 0))
        return listener.getsockname()[1]


def ip(*arguments: str) -> None:
    """Runs ip(8)."""
    subprocess.run(["ip", *arguments], check=True)


def all_processes() -> list[int]:
    """The ids of all processes of this machine."""
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdecimal()]


def namespace(pid: int) -> tuple[int, int] | None:
    """What identifies a process's network namespace; None when the process has ended."""
    try:
        found = Path(f"/proc/{pid}/ns/net").stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def title(pid: int) -> str:
    """A process's command line, as it was given or as the process rewrote it; empty when it has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text(errors="replace").replace("\0", " ")
    except OSError:
        return ""


def end(find: Callable[[], list[int]], seconds: float = 20) -> None:
    """Kills the processes that `find` finds, until it finds none.

    A process that ended between being found and being killed is not mistaken for another: a pidfd is opened,
    and `find` asked again, before the signal is sent.
    """

    def none_left() -> bool:
        handles = {pid: handle for pid in find() if (handle := open_process(pid)) is not None}
        try:
            for pid in set(find()) & set(handles):
                kill(handles[pid])
        finally:
            for handle in handles.values():
                os.close(handle)
        return not handles

    waiting.until(none_left, "the end of the lab's processes", seconds, interval=0.05)


def open_process(pid: int) -> int | None:
    """A pidfd, or None when the process has ended."""
    try:
        return os.pidfd_open(pid)
    except ProcessLookupError:
        return None


def kill(handle: int) -> None:
    """Kills the process behind a pidfd."""
    try:
        signal.pidfd_send_signal(handle, signal.SIGKILL)
    except ProcessLookupError:
        return
