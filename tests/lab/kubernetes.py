"""Kubernetes' own programs, v1.20.2, built once and kept in the cache: for `make demo REAL=1` and its like.

`python -m lab.kubernetes` prints their folder, which is one for `KUBEBUILDER_ASSETS`; below it, in a folder
named after the release that they tell, lie kubelet and kube-proxy a second time.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from lab import binaries, host, image, kubernetes_recipe, scratch
from lab.bootstrap import locked

# Debian's Go builds it, of the one Debian that has the source whole.
SUITE = "bookworm"
ROOM_GB = 5
CHECKSUMS = "SHA256SUMS"


class KubernetesError(RuntimeError):
    """The programs are not to be had here; one sentence."""


def ensure(say: Callable[[str], None]) -> Path:
    """The folder of the programs, built first when the cache does not hold it whole.

    Args:
        say: Told in a line what is done and how far it is.

    Raises:
        KubernetesError: They can't be built here, or the build failed.
    """
    folder = host.cache() / "kubernetes"
    with locked(folder / "lock"):
        for found in sorted(folder.glob(f"*-{kubernetes_recipe.key()}")):
            if is_whole(found):
                return found
            say(f"{found} is not as it was built: it is built anew")
            shutil.rmtree(found)
        return _build(folder, say)


def is_whole(folder: Path) -> bool:
    """Whether a folder holds every program as it was built."""
    try:
        recorded = (folder / CHECKSUMS).read_text()
        return recorded == checksums(folder)
    except OSError:
        return False


def checksums(folder: Path) -> str:
    """What sha256sum says of the programs in a folder."""
    programs = (*kubernetes_recipe.PROGRAMS, "etcd")
    older = [f"{kubernetes_recipe.OLDER}/{name}" for name in kubernetes_recipe.NODE_PROGRAMS]
    return "".join(f"{binaries.sha256(folder / name)}  {name}\n" for name in [*programs, *older])


def _build(folder: Path, say: Callable[[str], None]) -> Path:
    if reason := host.unable():
        raise KubernetesError(reason)
    if (free := shutil.disk_usage(folder).free / 1e9) < ROOM_GB:
        raise KubernetesError(
            f"Kubernetes' own programs take {ROOM_GB} GB below {folder} while they are built, "
            f"{free:.1f} GB are free."
        )
    partial, log = folder / "partial", folder / "build.log"
    shutil.rmtree(partial, ignore_errors=True)
    try:
        node_image = image.ensure(say, SUITE)
        say(f"building Kubernetes v{kubernetes_recipe.RELEASE} out of Debian's source (once; log: {log})")
        _run(node_image, partial, log, say)
        whole = partial / "programs"
        (whole / CHECKSUMS).write_text(checksums(whole))
        name = f"{(partial / 'version').read_text()}-{kubernetes_recipe.key()}"
        return whole.rename(folder / name)
    except (image.ImageError, OSError) as error:
        raise KubernetesError(f"Kubernetes' own programs could not be built: {error}") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _run(node_image: Path, partial: Path, log: Path, say: Callable[[str], None]) -> None:
    command = [*scratch.NAMESPACES, sys.executable, "-m", kubernetes_recipe.__name__, node_image, partial]
    with (
        log.open("w") as errors,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True) as process,
    ):
        for line in process.stdout:
            say(line.rstrip())
    if process.returncode:
        last = log.read_text(errors="replace").rstrip().rpartition("\n")[2]
        raise KubernetesError(f"Kubernetes' own programs could not be built: {last} (all of it: {log})")


def main() -> int:
    """Prints the programs' folder, and to stderr what is done for it."""
    try:
        print(ensure(lambda line: print(line, file=sys.stderr, flush=True)))
    except KubernetesError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
