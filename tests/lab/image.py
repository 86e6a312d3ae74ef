"""The node images: a Debian with both container runtimes and Salt, each built once and kept in the cache.

`ensure` gives the folder of one. A node lays an overlay over it (`lab.machine`), so nothing writes to it.
The build runs in mount and PID namespaces of its own: whatever ends it, its mounts and processes end too.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable
from hashlib import sha256
from importlib import metadata
from pathlib import Path

from lab import host, pip_settings, scratch
from lab.bootstrap import locked

# Each Debian there is an image of, with the packages of its own: Docker's client came apart from its daemon.
SUITES: dict[str, tuple[str, ...]] = {"bookworm": (), "trixie": ("docker-cli",), "forky": ("docker-cli",)}
SUITE = "bookworm"
# Those whose systemd, 258 and later, boots with cgroup v2 alone.
UNIFIED = ("forky",)
# What debootstrap lays out a suite by whose name it may not know yet.
SCRIPT = Path("/usr/share/debootstrap/scripts/sid")
MIRROR = "http://deb.debian.org/debian"
FILES = Path(__file__).with_name("image_files")
PACKAGES = (
    *("systemd", "systemd-sysv", "dbus", "procps", "kmod", "util-linux", "ca-certificates", "python3"),
    *("iproute2", "iptables", "nftables", "ipset", "ebtables", "ethtool", "conntrack", "socat"),
    "iputils-ping",
    *("containerd", "runc", "containernetworking-plugins", "docker.io"),
)
# What compiles Salt's timelib; it stays out of the image.
BUILD_PACKAGES = ("python3-venv", "python3-dev", "gcc", "libc6-dev")
# Timers that would reach for the network, and a console nobody sits at.
MASKED = (
    *(
        "apt-daily.timer",
        "apt-daily-upgrade.timer",
        "dpkg-db-backup.timer",
        "fstrim.timer",
        "e2scrub_all.timer",
    ),
    "console-getty.service",
)
ENABLED = ("salt-minion.service", "lab-network.service", "lab-cgroups.service")
# A node has one runtime, and it is for the formula to say that it is Docker.
DISABLED = ("docker.service", "docker.socket")

# A mirror's testing may lag behind; it is signed all the same.
INSTALL_SALT = f"""
set -eu
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq -o Acquire::Check-Valid-Until=false
apt-get install -qq --no-install-recommends {" ".join(BUILD_PACKAGES)} >/dev/null
python3 -m venv /opt/salt
/opt/salt/bin/pip install -qq --no-warn-script-location "salt=={{salt}}"
"""


class ImageError(RuntimeError):
    """The node image could not be built."""


def key(salt: str, suite: str = SUITE) -> str:
    """The recipe's name: another recipe is another image."""
    files = {
        str(path.relative_to(FILES)): path.read_text() for path in sorted(FILES.rglob("*")) if path.is_file()
    }
    packages, units = [*PACKAGES, *SUITES[suite]], [MASKED, ENABLED, DISABLED]
    recipe = [suite, os.uname().machine, packages, units, INSTALL_SALT, salt, files]
    return f"{suite}-{sha256(json.dumps(recipe).encode()).hexdigest()[:12]}"


def mirror(index_targets: str, suite: str) -> str:
    """The mirror this machine's own apt uses for `suite`.

    Args:
        index_targets: What `apt-get indextargets` printed, a line each of suite, origin and address.
    """
    for line in index_targets.splitlines():
        release, origin, address = [*line.split("|"), "", ""][:3]
        if release == suite and origin == "Debian" and address.startswith(("http://", "https://")):
            return address.rstrip("/")
    return MIRROR


def ensure(say: Callable[[str], None] = print, suite: str = SUITE) -> Path:
    """The folder of a node image, built first when the cache does not hold it.

    Args:
        say: Told in one line when there is something to wait for.
        suite: One of `SUITES`.

    Raises:
        ImageError: The build failed; names its log.
    """
    images = host.cache() / "images"
    folder = images / key(metadata.version("salt"), suite)
    if folder.exists():
        return folder
    with locked(images / "lock"):
        if folder.exists():
            return folder
        log = images / f"{folder.name}.log"
        say(f"building the node image {folder} (once, some minutes; log: {log})")
        build(folder, log, suite)
    return folder


def build(folder: Path, log: Path, suite: str) -> None:
    """Builds the image beside `folder` and moves it there when it is whole."""
    partial = folder.with_suffix(".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    with log.open("w") as output:
        done = subprocess.run(
            [*scratch.NAMESPACES, sys.executable, "-m", "lab.image", partial, suite],
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    if done.returncode:
        shutil.rmtree(partial, ignore_errors=True)
        cause = scratch.cause(log.read_text(errors="replace"))
        raise ImageError(f"the node image could not be built: {cause} (all of it: {log})")
    (partial / "image").rename(folder)
    shutil.rmtree(partial)


def build_here(partial: Path, suite: str) -> None:
    """Builds the image as `partial`/image. For namespaces that end with this process."""
    image = partial / "image"
    bootstrap(image, suite)
    install_salt(image, partial)
    configure(image)


def bootstrap(image: Path, suite: str) -> None:
    """Lays out Debian; the packages are kept in the cache, so that an interrupted build goes on quickly."""
    packages = host.cache() / "packages"
    packages.mkdir(parents=True, exist_ok=True)
    include = ",".join([*PACKAGES, *SUITES[suite]])
    options = ["--variant=minbase", f"--include={include}", f"--cache-dir={packages}"]
    script = [] if SCRIPT.with_name(suite).exists() else [SCRIPT]
    subprocess.run(["debootstrap", *options, suite, image, own_mirror(suite), *script], check=True)


def own_mirror(suite: str) -> str:
    """The mirror that apt uses here, or Debian's own where there is no apt."""
    if shutil.which("apt-get") is None:
        return MIRROR
    command = [
        "apt-get",
        "indextargets",
        "--format",
        "$(CODENAME)|$(ORIGIN)|$(REPO_URI)",
        "Created-By: Packages",
    ]
    return mirror(subprocess.run(command, capture_output=True, text=True).stdout, suite)


def install_salt(image: Path, work: Path) -> None:
    """Puts Salt into the image's /opt/salt, with compilers that live in an overlay which is thrown away."""
    salt, wheels = work / "salt", (work / "../../pip").resolve()
    for folder in (salt, wheels):
        folder.mkdir(parents=True, exist_ok=True)
    places = {place: str(place).lstrip("/") for place in pip_settings.binds()}
    root = scratch.mount(image, work, {salt: "opt/salt", wheels: "root/.cache/pip", **places})
    (root / "etc/pip.conf").write_text(pip_settings.merged(pip_settings.files(Path.home(), os.environ)))
    script = INSTALL_SALT.format(salt=metadata.version("salt"))
    command = scratch.command(root, "sh", "-c", script)
    subprocess.run(command, check=True, env=scratch.environment())
    (image / "opt").mkdir(exist_ok=True)
    salt.rename(image / "opt/salt")


def configure(image: Path) -> None:
    """Adds the lab's own files and takes away what a node would not miss."""
    shutil.copytree(FILES, image, dirs_exist_ok=True)
    systemctl(image, "enable", ENABLED)
    systemctl(image, "disable", DISABLED)
    systemctl(image, "mask", MASKED)
    (image / "etc/machine-id").write_text("")
    for waste in ("var/lib/apt/lists", "usr/share/doc", "usr/share/man", "usr/share/locale"):
        shutil.rmtree(image / waste, ignore_errors=True)
    for package in (image / "var/cache/apt/archives").glob("*.deb"):
        package.unlink()


def systemctl(image: Path, verb: str, units: Iterable[str]) -> None:
    """Enables or masks units in an image that does not run."""
    subprocess.run(["systemctl", f"--root={image}", verb, *units], check=True)


if __name__ == "__main__":
    build_here(Path(sys.argv[1]), sys.argv[2])
