"""What this machine has and lacks for the lab, and where the lab puts things. Standard library alone."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

# Each program the lab calls, with the Debian package that brings it.
TOOLS = {
    "debootstrap": "debootstrap",
    "systemd-nspawn": "systemd-container",
    "ip": "iproute2",
    "nsenter": "util-linux",
    "unshare": "util-linux",
    "mount": "mount",
}


class MissingPackages(Exception):
    """OS packages are missing and can't be installed from here."""


def cache() -> Path:
    """Where downloads and images are kept: KUBE_NODE_CACHE, else kube_node in XDG_CACHE_HOME or ~/.cache."""
    given = os.environ.get("KUBE_NODE_CACHE")
    if given:
        return Path(given).absolute()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "kube_node"


def labs() -> Path:
    """Where running labs keep their files: KUBE_NODE_LAB, else /var/lib/kube_node_lab. Not on an overlay."""
    return Path(os.environ.get("KUBE_NODE_LAB") or "/var/lib/kube_node_lab").absolute()


def unable() -> str | None:
    """Why this machine can't boot the lab's nodes, as one sentence; None when it can."""
    if sys.platform != "linux":
        return f"The lab's machines need Linux with systemd-nspawn, this is {sys.platform}."
    if os.geteuid() != 0:
        return (
            "The lab's machines need root, to make namespaces and mounts of their own: try again with sudo."
        )
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    if missing:
        packages = " ".join(sorted({TOOLS[tool] for tool in missing}))
        return f"The lab's machines need {', '.join(missing)}: install the packages {packages}."
    if "\toverlay\n" not in Path("/proc/filesystems").read_text() and not loads_overlay():
        return "The lab's machines need overlayfs, which this kernel does not have."
    probe = subprocess.run(["unshare", "--mount", "--net", "true"], capture_output=True, text=True)
    if probe.returncode:
        return f"The lab's machines need namespaces, which are refused here: {probe.stderr.strip()}."
    return None


def loads_overlay() -> bool:
    """Whether the kernel's overlay module could be loaded."""
    return subprocess.run(["modprobe", "overlay"], capture_output=True).returncode == 0


def install_tools() -> None:
    """Installs what the lab lacks, as far as this machine allows; `unable` then names what is left."""
    missing = sorted({package for tool, package in TOOLS.items() if shutil.which(tool) is None})
    try:
        install(missing)
    except MissingPackages:
        return


def install(packages: list[str]) -> None:
    """Installs Debian packages through apt-get, silently unless that fails.

    Raises:
        MissingPackages: Without root or apt-get, or when apt-get failed.
    """
    if not packages:
        return
    names = " ".join(packages)
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise MissingPackages(f"these OS packages are needed, as root: apt-get install {names}")
    print(f"installing {names}", file=sys.stderr)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    # A foreign list that is out of reach fails the update, though all that is needed here may be had.
    subprocess.run(["apt-get", "update", "-qq"], env=environment, capture_output=True)
    command = ["apt-get", "install", "-qq", "--no-install-recommends", *packages]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise MissingPackages(f"apt-get could not install {names}:\n{done.stdout}{done.stderr}")
