"""
Images that the container runtime is given out of archives, so that nothing need be pulled.
"""

from __future__ import annotations

from salt.exceptions import CommandExecutionError

__virtualname__ = "kube_node"


def __virtual__():
    # Its functions stand beside those of kube_node.py: the loader joins modules of one virtual name.
    return __virtualname__


def images_loaded(name, archives):
    """
    Load archives of images into the container runtime, each only where one of its images is not there, or is
    not the one that came out of it.

    name
        Any name.

    archives
        List of ``{source, sha256, images}``, as in the pillar's ``images.archives``.

    .. code-block:: yaml

        images-loaded:
          kube_node.images_loaded:
            - archives:
              - source: salt://images/pause-3.10.2.tar
                sha256: e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
                images: [registry.k8s.io/pause:3.10.2]
    """
    changes, faults = {}, []
    for archive in archives:
        try:
            if _is_loaded(archive):
                continue
            if not __opts__["test"]:
                __salt__["kube_node.load_archive"](**archive)
            changes |= dict.fromkeys(archive["images"], f"loaded from {archive['source']}")
        except CommandExecutionError as error:
            faults.append(str(error))
    if faults:
        return _result(name, False, "\n".join(faults), changes)
    if not changes:
        return _result(name, True, "Every image of an archive is there")
    if __opts__["test"]:
        return _result(name, None, f"{', '.join(changes)} would be loaded", changes)
    return _result(name, True, f"{', '.join(changes)} has been loaded", changes)


def _is_loaded(archive):
    try:
        return __salt__["kube_node.archive_loaded"](archive["sha256"], archive["images"])
    except CommandExecutionError:
        if __opts__["test"]:  # the runtime may be what this very run would install
            return False
        raise


def _result(name, result, comment, changes=None):
    return {"name": name, "result": result, "comment": comment, "changes": changes or {}}
