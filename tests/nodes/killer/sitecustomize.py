"""Kills the Salt that imports it, with its children, at a point of one state: on PYTHONPATH, in a machine.

KILLED_IN is the state's id, or several with commas, of which the first that is run counts. KILLED_AT is 1
for the moment before its first effect on the machine (a file opened to be written, made, moved or removed, a
command of systemd or of a package manager), 2 for that before its second, and so on; where it has fewer it is
killed when it has done them all, and Salt has noted nothing.
"""

from __future__ import annotations

import importlib.abc
import importlib.util
import os
import signal
import sys

EFFECTS = {
    f"os.{name}" for name in ("chmod", "chown", "link", "mkdir", "remove", "rename", "rmdir", "symlink")
}
VERBS = {"start", "stop", "restart", "enable", "disable", "mask", "daemon-reload", "install"}
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT
# What a run keeps for itself.
OWN = ("/dev/", "/proc/", "/var/cache/", "/var/log/", "/var/run/", "/run/")

left = None


def die() -> None:
    """End at once, with every child."""
    os.killpg(0, signal.SIGKILL)


def is_effect(event: str, arguments: tuple) -> bool:
    """Tell whether an audit event (Python's table of them) is one on the machine."""
    if event == "open":
        path, _, flags = arguments
        return bool(flags & WRITES) and isinstance(path, str) and not path.startswith(OWN)
    if event == "subprocess.Popen":
        return bool(VERBS & set(map(str, arguments[1])))
    return event in EFFECTS and not str(arguments[0]).startswith(OWN)


def hear(event: str, arguments: tuple) -> None:
    """Count the effects of the state."""
    global left
    if left is not None and is_effect(event, arguments):
        left -= 1
        if not left:
            die()


class StateFinder(importlib.abc.MetaPathFinder):
    """Has Salt's compiler of states say when the state begins and ends."""

    def find_spec(self, name, *_):
        if name != "salt.state":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        load = spec.loader.exec_module

        def exec_module(module):
            load(module)
            watch(module.State)

        spec.loader.exec_module = exec_module
        return spec


def watch(state_class: type) -> None:
    """Count while the state is called, and end after it."""
    call = state_class.call

    def counted(self, low, *arguments, **keywords):
        global left
        if low["__id__"] not in os.environ["KILLED_IN"].split(","):
            return call(self, low, *arguments, **keywords)
        left = int(os.environ["KILLED_AT"])
        call(self, low, *arguments, **keywords)
        return die()

    state_class.call = counted


if "KILLED_IN" in os.environ:
    sys.addaudithook(hear)
    sys.meta_path.insert(0, StateFinder())
