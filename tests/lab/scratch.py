"""A root to compile in: an overlay over a node image, with this machine's /dev and resolver.

For mount and PID namespaces that end with this process (`NAMESPACES`): nothing of it but files is left.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from lab import pip_settings

NAMESPACES = ("unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc")
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
RESOLV_CONF = Path("/etc/resolv.conf")


def mount(image: Path, work: Path, binds: Mapping[Path, str]) -> Path:
    """Mounts the overlay below `work`, and returns its root.

    Args:
        image: The folder of a node image; nothing writes to it.
        work: A folder to keep what is written.
        binds: Files and folders of this machine, with their places in the root.
    """
    upper, overlay, root = (work / name for name in ("upper", "work", "root"))
    for folder in (upper, overlay, root):
        folder.mkdir(parents=True, exist_ok=True)
    options = f"lowerdir={image},upperdir={upper},workdir={overlay}"
    subprocess.run(["mount", "-t", "overlay", "overlay", "-o", options, root], check=True)
    for source, target in {**binds, Path("/dev"): "dev", RESOLV_CONF: "etc/resolv.conf"}.items():
        _bind(source, root / target)
    subprocess.run(["mount", "-t", "proc", "proc", root / "proc"], check=True)
    return root


def command(root: Path, *argv: str) -> list[str]:
    """The command line that runs `argv` in the root; its environment should be `environment()`."""
    return ["chroot", str(root), *argv]


def environment(**more: str) -> dict[str, str]:
    """What programs in a root are told: this machine's proxies and pip settings among it."""
    return {"PATH": PATH, "HOME": "/root", **pip_settings.variables(os.environ), **more}


def cause(output: str) -> str:
    """The line of a failed step's output that tells most: apt's or debootstrap's first error, or the last."""
    lines = [line.strip() for line in output.splitlines() if line.strip()] or ["it said nothing"]
    errors = [line.removeprefix("E: ") for line in lines if line.startswith("E: ")]
    return (errors or lines[-1:])[0]


def _bind(source: Path, target: Path) -> None:
    """Shows a file or folder of this machine at `target` as well."""
    if source.is_dir():
        target.mkdir(parents=True, exist_ok=True)
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.touch()
    subprocess.run(["mount", "--rbind", source, target], check=True)
