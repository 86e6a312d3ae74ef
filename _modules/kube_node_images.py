"""
The container images that a node needs: which are there, and loading archives of them into the runtime.

What an archive left in the runtime, each image's digest, is kept in a file: an image is loaded again where it
is gone or became another, and an archive of which all is there is not even fetched.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import kube_node_images
import kube_node_kept as kept
from salt.exceptions import CommandExecutionError

__virtualname__ = "kube_node"

# Where the kubelet's images are in containerd.
NAMESPACE = "k8s.io"
LOAD_SECONDS = 1800


def __virtual__():
    # Its functions stand beside those of kube_node.py: the loader joins modules of one virtual name.
    return __virtualname__


def images():
    """
    Return the images that this node needs, and which of them are there: what to bring where there is no
    registry.

    Returns a list of ``{image, needed_by, archive, present}``, by name: the pillar keys that name it, the
    archive that brings it or None where it is pulled, and whether the runtime has it, None where that does
    not answer.

    CLI Example:

    .. code-block:: bash

        salt-call kube_node.images
    """
    node = __salt__["kube_node.parameters"]()
    needed = kube_node_images.needed(node)
    try:
        present = _digests(node, needed)
    except CommandExecutionError:
        present = None
    return [
        {"image": image, **one, "present": None if present is None else image in present}
        for image, one in sorted(needed.items())
    ]


def archive_loaded(sha256, images):
    """
    Tell whether all images of an archive are in the runtime as they came out of it.

    sha256, images
        As in the pillar's ``images.archives``.

    Raises a CommandExecutionError where the runtime does not answer.

    CLI Example:

    .. code-block:: bash

        salt '*' kube_node.archive_loaded 0123… '[registry.k8s.io/pause:3.10.2]'
    """
    names = {kube_node_images.canonical(image) for image in images}
    left = _left().get(sha256, {})
    return names <= left.keys() and _digests(__salt__["kube_node.parameters"](), names) == {
        name: left[name] for name in names
    }


def load_archive(source, sha256, images):
    """
    Fetch an archive, check it, and load it into the runtime.

    source, sha256, images
        As in the pillar's ``images.archives``.

    Returns the digest of each image by its name.

    Raises a CommandExecutionError where the archive is not there, is another, cannot be loaded, or lacks one
    of the images.

    CLI Example:

    .. code-block:: bash

        salt '*' kube_node.load_archive salt://images/pause.tar 0123… '[registry.k8s.io/pause:3.10.2]'
    """
    node = __salt__["kube_node.parameters"]()
    names = [kube_node_images.canonical(image) for image in images]
    cached = _fetched(source, sha256)
    try:
        _run(node, ["images", "import"], ["load", "--input"], cached)
    finally:
        if Path(__opts__["cachedir"]) in Path(cached).parents:  # it would lie there twice
            Path(cached).unlink()
    found = _digests(node, names)
    if lacking := [name for name in names if name not in found]:
        raise CommandExecutionError(
            f"{source} was loaded and holds no {', '.join(lacking)}: correct images.archives"
        )
    _leave(node, sha256, found)
    return found


def _fetched(source, sha256):
    try:
        return __salt__["kube_node_binaries.fetched"](source, sha256)
    except CommandExecutionError as error:
        raise CommandExecutionError(error.found if error.key == "sha256" else str(error)) from error


def _digests(node, names):
    """Return the digests of those of some images that the runtime has."""
    if node["runtime"]["name"] == "containerd":
        found = kube_node_images.listed(_run(node, ["images", "ls"], None))
        return {name: found[name] for name in names if name in found}
    found = {name: _docker_id(node, name) for name in names}
    return {name: digest for name, digest in found.items() if digest}


def _docker_id(node, name):
    command = [_program(node, "docker"), "image", "inspect", "--format={{.Id}}", name]
    asked = __salt__["cmd.run_all"](command, python_shell=False, ignore_retcode=True)
    if asked["retcode"] and "No such image" not in asked["stderr"]:
        raise CommandExecutionError(f"docker does not answer: {asked['stderr']}")
    return asked["stdout"].strip()


def _run(node, ctr, docker, *arguments):
    """Run the runtime's own program and return what it prints."""
    if node["runtime"]["name"] == "containerd":
        address = node["runtime"]["containerd"]["endpoint"].removeprefix("unix://")
        options = [f"--address={address}", f"--namespace={NAMESPACE}"]
        command = [_program(node, "ctr"), *options, *ctr, *arguments]
    else:
        command = [_program(node, "docker"), *docker, *arguments]
    done = __salt__["cmd.run_all"](command, python_shell=False, ignore_retcode=True, timeout=LOAD_SECONDS)
    if done["retcode"]:
        raise CommandExecutionError(
            f"'{' '.join(command)}' ended with {done['retcode']}: {done['stderr'] or done['stdout']}"
        )
    return done["stdout"]


def _program(node, name):
    found = shutil.which(name, path=f"{node['paths']['bin']}:{os.environ['PATH']}")
    if found is None:
        raise CommandExecutionError(f"{name} is not there: the container runtime brings it")
    return found


def _left():
    """Return what each archive left in the runtime, by the archive's digest."""
    try:
        return json.loads(kept.read(kept.IMAGES) or "{}")
    except ValueError:
        return {}


def _leave(node, sha256, digests):
    """Keep what an archive left, and forget the archives that the pillar no longer names."""
    named = {archive["sha256"] for archive in node["images"]["archives"]}
    left = {key: value for key, value in _left().items() if key in named} | {sha256: digests}
    kept.write(kept.IMAGES, json.dumps(left, indent=1, sort_keys=True))
