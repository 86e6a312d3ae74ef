"""
This machine's kernel: which modules it has, which parameters, and what it was built with. Everything here
reads, and changes nothing; no process is started.
"""

from __future__ import annotations

import contextlib
import gzip
import os
from pathlib import Path

import kube_node_proc as proc

__virtualname__ = "kube_node_kernel"

PROC, SYS, RUN, LIB, BOOT = (Path(path) for path in ("/proc", "/sys", "/run", "/lib/modules", "/boot"))


def modules(names):
    """
    Return of each kernel module whether it is ``loaded``, ``built in``, ``loadable``, ``missing``, ``left
    out`` of this kernel when it was built, or ``unknown``, the last where the machine has neither a list of
    what is built in nor the kernel's configuration.

    names
        List of names as ``lsmod`` has them.

    CLI Example:

    .. code-block:: bash

        salt '*' kube_node_kernel.modules '[br_netfilter, overlay]'
    """
    folder = LIB / os.uname().release
    built_in, loadable = (_text(folder / name) for name in ("modules.builtin", "modules.dep"))
    found = proc.modules(names, _text(PROC / "modules") or "", built_in, loadable, options())
    # Built in and without parameters it is in no list that a container sees; its effects are.
    return {
        name: "built in" if state == "unknown" and _shows(name) else state for name, state in found.items()
    }


def options():
    """
    Return what the kernel was built with, ``y`` or ``m`` for each option that is on; nothing where no file
    tells (``/proc/config.gz``, ``/boot``, ``/lib/modules``).

    CLI Example:

    .. code-block:: bash

        salt '*' kube_node_kernel.options
    """
    release = os.uname().release
    with contextlib.suppress(OSError, EOFError):
        return proc.kernel_options(gzip.decompress((PROC / "config.gz").read_bytes()).decode())
    for path in (BOOT / f"config-{release}", LIB / release / "config"):
        if (text := _text(path)) is not None:
            return proc.kernel_options(text)
    return {}


def to_load(names):
    """
    Return which kernel modules are to be loaded here: those that are, and those that lie there to be, but in
    a container, which cannot, only the former. What is built in is neither.

    names
        List of names as ``lsmod`` has them.

    CLI Example:

    .. code-block:: bash

        salt '*' kube_node_kernel.to_load '[br_netfilter, overlay]'
    """
    wanted = ("loaded",) if in_container() else ("loaded", "loadable")
    return [name for name, state in modules(names).items() if state in wanted]


def to_set(parameters):
    """
    Return which kernel parameters, with their values, this kernel has or will have and are not so now. Those
    of bridges come with ``br_netfilter``.

    parameters
        The value of each, by its name as ``sysctl`` has it.

    CLI Example:

    .. code-block:: bash

        salt '*' kube_node_kernel.to_set '{net.ipv4.ip_forward: 1}'
    """
    return {
        name: value
        for name, value in parameters.items()
        if _comes(name) and _parameter(name).split() != str(value).split()
    }


def to_raise(minimums):
    """
    Return which kernel parameters, with their minimums, are lower than that.

    minimums
        A whole number for each, by its name as ``sysctl`` has it.

    CLI Example:

    .. code-block:: bash

        salt '*' kube_node_kernel.to_raise '{fs.inotify.max_user_instances: 512}'
    """
    found = {name: _parameter(name).strip() for name in minimums}
    return {
        name: minimum
        for name, minimum in minimums.items()
        if not (found[name].isdigit() and int(found[name]) >= minimum)
    }


def in_container():
    """
    Tell whether the kernel is shared with others, by what systemd and the usual runtimes say.

    CLI Example:

    .. code-block:: bash

        salt '*' kube_node_kernel.in_container
    """
    if (RUN / "systemd/container").exists():
        return True
    with contextlib.suppress(OSError):
        return any(word.startswith(b"container=") for word in (PROC / "1/environ").read_bytes().split(b"\0"))
    return False


def _comes(name):
    """Tell whether a parameter is there or should be; one that nobody knows should, and its state fails."""
    bridges = name.startswith("net.bridge.")
    return not bridges or bool(_parameter(name)) or bool(to_load(["br_netfilter"]))


def _parameter(name):
    """Return what a parameter is now; nothing where it is not there."""
    return _text(PROC / "sys" / name.replace(".", "/")) or ""


def _shows(name):
    """Tell whether a module's own folder is there, or the one that it makes."""
    makes = {"br_netfilter": PROC / "sys/net/bridge"}
    return (SYS / "module" / name).exists() or (name in makes and makes[name].exists())


def _text(path):
    with contextlib.suppress(OSError):
        return path.read_text(encoding="utf-8", errors="replace")
    return None
