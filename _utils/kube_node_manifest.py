"""A manifest as a list of objects: read, checked, ordered as they are applied, and marked as ours.

Pure: no Salt, no I/O.
"""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Iterable
from typing import Any

import yaml

Object = dict[str, Any]
# Whatever bears it was made by this formula; what does not is somebody else's.
OURS = {"app.kubernetes.io/managed-by": "kube-node"}
DIGEST = "kube-node/sha256"
# What others need comes first; a custom resource after the workload that looks after it.
ORDER = (
    "Namespace",
    "CustomResourceDefinition",
    "PodSecurityPolicy",
    "ServiceAccount",
    "Secret",
    "ConfigMap",
)
ORDER += ("ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding", "DaemonSet", "Deployment")
WORKLOADS = ("DaemonSet", "Deployment")


class ManifestError(ValueError):
    """A manifest is not what it should be; the message says what is missing, and where."""


def parse(text: str, source: str) -> list[Object]:
    """Return a manifest's objects.

    Args:
        text: YAML, one document or more.
        source: what to call it in an error.

    Raises:
        ManifestError: it is not YAML, or something in it is no object of Kubernetes.
    """
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        documents = [one for one in yaml.load_all(text, Loader=loader) if one is not None]
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ManifestError(f"{source} is not YAML: {' '.join(str(error).split())}") from None
    for number, one in enumerate(documents, 1):
        metadata = one.get("metadata") if isinstance(one, dict) else None
        if not isinstance(metadata, dict) or not all(
            isinstance(word, str) for word in (one.get("apiVersion"), one.get("kind"), metadata.get("name"))
        ):
            lacks = "has no apiVersion, kind and metadata.name"
            raise ManifestError(f"document {number} of {source} {lacks}: it is not a manifest")
    return documents


class _Dumper(yaml.SafeDumper):
    """Shows a text of several lines as such."""


def _lines(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _lines)


def text(objects: Iterable[Object]) -> str:
    """Return objects as a manifest that a person can read."""
    return yaml.dump_all(objects, Dumper=_Dumper, default_flow_style=False, sort_keys=False, width=1000)


def find(objects: Iterable[Object], kind: str, name: str, source: str) -> Object:
    """Return the object of that kind and name.

    Raises:
        ManifestError: there is none.
    """
    for one in objects:
        if (one["kind"], one["metadata"]["name"]) == (kind, name):
            return one
    raise ManifestError(f"{source} has no {kind} {name}: take the manifest of a release that has one")


def marked(objects: Iterable[Object]) -> list[Object]:
    """Return the objects in the order in which they are applied, each with the labels that make it ours."""
    found = copy.deepcopy(list(objects))
    for one in found:
        one["metadata"]["labels"] = {**(one["metadata"].get("labels") or {}), **OURS}
    return sorted(found, key=_place)


def with_digest(one: Object) -> Object:
    """Return an object that bears its own digest, by which a field that is gone from it shows."""
    digest = hashlib.sha256(json.dumps(one, sort_keys=True).encode()).hexdigest()
    annotations = {**(one["metadata"].get("annotations") or {}), DIGEST: digest}
    return {**one, "metadata": {**one["metadata"], "annotations": annotations}}


def is_ours(live: Object) -> bool:
    """Tell whether an object of the cluster was made by this formula."""
    return OURS.items() <= (live["metadata"].get("labels") or {}).items()


def reference(one: Object) -> str:
    """Return what names an object: `<apiVersion> <kind> <namespace>/<name>`, without a namespace `<name>`."""
    metadata = one["metadata"]
    place = f"{metadata['namespace']}/" if metadata.get("namespace") else ""
    return f"{one['apiVersion']} {one['kind']} {place}{metadata['name']}"


def of_reference(text: str) -> Object:
    """Return the object that a reference names, with nothing in it but that."""
    api_version, kind, place = text.split(" ")
    namespace, _, name = place.rpartition("/")
    metadata = {"name": name, "namespace": namespace} if namespace else {"name": name}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata}


def with_images(objects: list[Object], registry: str | None, images: dict[str, str]) -> None:
    """Let all containers' images come from elsewhere.

    Args:
        objects: changed in place.
        registry: what stands before an image's own path, in place of its registry: HOST[:PORT][/PATH].
        images: whole images by the last part of the name of those they stand for, such as `node`.
    """
    for container in _containers(objects):
        container["image"] = image(container["image"], registry, images)


def image(name: str, registry: str | None, images: dict[str, str]) -> str:
    """Return the image that stands for another, as `with_images` does."""
    last = name.split("@")[0].rpartition("/")[2].split(":")[0]
    if last in images:
        return images[last]
    host, slash, path = name.partition("/")
    # Else it is a part of Docker Hub's path, by distribution/reference's rule.
    own = path if slash and ("." in host or ":" in host or host == "localhost") else name
    return f"{registry.rstrip('/')}/{own}" if registry else name


def _containers(objects: Iterable[Object]) -> Iterable[Object]:
    for one in objects:
        if one["kind"] in WORKLOADS:
            pod = one["spec"]["template"]["spec"]
            yield from (*pod.get("initContainers", ()), *pod["containers"])


def _place(one: Object) -> tuple[int, str]:
    kind = one["kind"]
    return ORDER.index(kind) if kind in ORDER else len(ORDER), reference(one)
