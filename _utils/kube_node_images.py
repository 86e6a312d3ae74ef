"""The container images that a node needs, where each comes from, and what their names are in full.

Pure: no Salt, no I/O.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

DEFAULT_REGISTRY, OFFICIAL = "docker.io", "library"


def canonical(image: str) -> str:
    """Return an image's name in full, as containerd has it (distribution/reference, ParseDockerRef)."""
    first, slash, rest = image.partition("/")
    if not slash:
        image = f"{DEFAULT_REGISTRY}/{OFFICIAL}/{image}"
    elif not (set(".:") & set(first) or first == "localhost"):
        image = f"{DEFAULT_REGISTRY}/{image}"
    elif first == DEFAULT_REGISTRY and "/" not in rest:
        image = f"{DEFAULT_REGISTRY}/{OFFICIAL}/{rest}"
    return image if ":" in image.rpartition("/")[2] or "@" in image else f"{image}:latest"


def needed(node: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return by its full name each image that a node needs.

    Args:
        node: the parameters as `kube_node_parameters.compile_node` returns them.

    Returns:
        `{needed_by, archive}` of each: the pillar keys that name it, and the source of the archive that
        brings it, None where it is pulled.
    """
    found: dict[str, dict[str, Any]] = {}
    named = [("runtime.sandbox_image", node["runtime"]["sandbox_image"], None)]
    named += [
        ("images.archives", image, archive["source"])
        for archive in node["images"]["archives"]
        for image in archive["images"]
    ]
    for key, image, archive in named:
        one = found.setdefault(canonical(image), {"needed_by": [], "archive": None})
        one["needed_by"].append(key)
        one["archive"] = archive or one["archive"]
    return found


def listed(table: str) -> dict[str, str]:
    """Return the digest of each image by its name, of what `ctr images ls` prints."""
    rows = (line.split() for line in table.splitlines()[1:])
    return {row[0]: row[2] for row in rows if len(row) > 2}
