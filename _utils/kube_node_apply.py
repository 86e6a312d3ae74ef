"""A manifest is laid upon a cluster by its owner: what is there is compared, made, changed, and what is gone
from it removed.

The server merges (server-side apply, field manager `kube-node`) where it can, from 1.18 on; on older ones
each object is written whole, and its digest shows what is gone from it. Which objects are ours stands in a
ConfigMap, written before the first of them is made: whatever interrupts a run, the next one ends its work.
"""

from __future__ import annotations

import contextlib
import difflib
import time
from collections.abc import Callable, Iterator
from typing import Any

import kube_node_manifest as manifest
from kube_api import Api, ApiError
from kube_node_manifest import Object

MANAGER = "kube-node"
APPLY = "application/apply-patch+yaml"
INVENTORY = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": "kube-node-network", "namespace": "kube-system", "labels": manifest.OURS},
}
# They hold more than the manifest put there: they are named, and left to the operator.
KEPT = ("CustomResourceDefinition", "Namespace")
# Set by the server at each write, and no part of what was wanted.
SERVERS_OWN = ("creationTimestamp", "generation", "managedFields", "resourceVersion", "selfLink", "uid")
CONTROLLERS_OWN = "deprecated.daemonset.template.generation"
POLL_SECONDS = 1


class Refused(Exception):
    """Nothing was done, or no more; the message says why, and what to do."""


class Cluster:
    """A cluster that manifests are applied to.

    Args:
        api: a connection with the rights of kube_node/master/files/network.yaml.
        server_side: whether the API server merges by itself.
        test: look, compare, and write nothing.
        adopt: take over objects, and fields, that are somebody else's.
        seconds: how long a kind is waited for whose definition was just made.
    """

    def __init__(
        self, api: Api, server_side: bool, test: bool = False, adopt: bool = False, seconds: float = 60
    ) -> None:
        self._api, self._server_side, self._test, self._adopt = api, server_side, test, adopt
        self._seconds = seconds
        self._kinds: dict[str, dict[str, tuple[str, bool]]] = {}

    def apply(self, objects: list[Object]) -> tuple[dict[str, str], list[str]]:
        """Make the cluster as the manifest has it.

        Args:
            objects: as `kube_node_manifest.marked` returns them; none to take away what is ours.

        Returns:
            What was changed, or in a test would be, by the object's reference, as `diff -u` shows it; and the
            references of objects that are gone from the manifest but kept.

        Raises:
            Refused: an object is somebody else's.
            ApiError: the API server cannot be asked, or refuses.
        """
        wanted = [manifest.reference(one) for one in objects]
        before = self._inventory()
        places = {_place(one) for one in wanted}
        gone = [one for one in before if _place(one) not in places]
        kept = [one for one in gone if manifest.of_reference(one)["kind"] in KEPT]
        gone = [one for one in gone if one not in kept]
        live = {manifest.reference(one): self.get(one) for one in objects}
        self._refuse_others(live)
        self._remember([*dict.fromkeys([*before, *wanted])], before)
        changes: dict[str, str] = {}
        # A network's workload goes before that of another network comes, or both would run for a while.
        workloads = [one for one in gone if manifest.of_reference(one)["kind"] in manifest.WORKLOADS]
        for one in workloads:
            changes |= self._remove(one)
        for one in objects:
            changes |= self._put(one, live[manifest.reference(one)])
        for one in reversed(gone):
            changes |= {} if one in workloads else self._remove(one)
        self._remember([*wanted, *kept], before)
        return changes, kept

    def get(self, one: Object) -> Object | None:
        """Return an object as it is in the cluster; None where it, or its kind, is not there."""
        try:
            return self._api.request("GET", self._path(one))
        except ApiError as error:
            if error.status != 404:
                raise
            return None

    def _refuse_others(self, live: dict[str, Object | None]) -> None:
        others = [
            name
            for name, found in live.items()
            if found and not manifest.is_ours(found) and manifest.of_reference(name)["kind"] not in KEPT
        ]
        if others and not self._adopt:
            remedy = "remove them, or give this run adopt: true to take them over"
            raise Refused(f"somebody else made {', '.join(others)}: {remedy}")

    def _put(self, one: Object, live: Object | None) -> dict[str, str]:
        if self._test and live is None:
            return {manifest.reference(one): "would be made"}
        after = self._applied(one) if self._server_side else self._written(one, live)
        return {manifest.reference(one): text} if (text := difference(live, after)) else {}

    def _applied(self, one: Object) -> Object:
        query = {"fieldManager": MANAGER, "force": "true" if self._adopt else "false"}
        query |= {"dryRun": "All"} if self._test else {}
        try:
            return self._once_known(lambda: self._api.request("PATCH", self._path(one), one, query, APPLY))
        except ApiError as error:
            if error.status != 409:
                raise
            remedy = "take that back, or give this run adopt: true to overwrite it"
            raise Refused(f"{manifest.reference(one)}: {error}; {remedy}") from error

    def _written(self, one: Object, live: Object | None) -> Object:
        one = manifest.with_digest(one)
        if live is None:
            collection = self._path(one).rpartition("/")[0]
            return self._once_known(lambda: self._api.request("POST", collection, one))
        if _within(one, live):
            return live
        metadata = {
            key: {**(live["metadata"].get(key) or {}), **(one["metadata"].get(key) or {})}
            for key in ("labels", "annotations")
        }
        whole = {**live, **one, "metadata": {**live["metadata"], **metadata}}
        return whole if self._test else self._api.request("PUT", self._path(one), whole)

    def _remove(self, name: str) -> dict[str, str]:
        one = manifest.of_reference(name)
        live = self.get(one)
        if live is None or not manifest.is_ours(live):
            return {}
        if self._test:
            return {name: "would be removed"}
        with _absent():
            options = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Background"}
            self._api.request("DELETE", self._path(one), options)
        deadline = time.monotonic() + self._seconds
        while self.get(one) is not None:  # another's finalizer has its work to do
            if time.monotonic() > deadline:
                raise Refused(f"{name} is being removed, but is still there after {self._seconds} s")
            time.sleep(POLL_SECONDS)
        return {name: "removed"}

    def _once_known(self, write: Callable[[], Object]) -> Object:
        """Write an object; where its kind is not served yet, as soon as it is."""
        deadline = time.monotonic() + self._seconds
        while True:
            try:
                return write()
            except ApiError as error:
                if error.status != 404 or time.monotonic() > deadline:
                    raise
                self._kinds.clear()
                time.sleep(POLL_SECONDS)

    def _inventory(self) -> list[str]:
        data = (self.get(INVENTORY) or {}).get("data") or {}
        return [line for line in data.get("objects", "").splitlines() if line]

    def _remember(self, names: list[str], before: list[str]) -> None:
        if self._test or names == before:
            return
        one = {**INVENTORY, "data": {"objects": "".join(f"{name}\n" for name in names)}}
        if self._server_side:
            self._api.request(
                "PATCH", self._path(one), one, {"fieldManager": MANAGER, "force": "true"}, APPLY
            )
        else:
            self._written(one, self.get(INVENTORY))

    def _path(self, one: Object) -> str:
        """Return an object's path; a kind that is not served is a 404, as the object itself would be."""
        group_version, kind = one["apiVersion"], one["kind"]
        root = f"/apis/{group_version}" if "/" in group_version else f"/api/{group_version}"
        if group_version not in self._kinds:
            listed = self._api.request("GET", root)["resources"]
            self._kinds[group_version] = {
                found["kind"]: (found["name"], found["namespaced"])
                for found in listed
                if "/" not in found["name"]
            }
        if kind not in self._kinds[group_version]:
            raise ApiError(404, f"the API server has no {kind} of {group_version}")
        plural, namespaced = self._kinds[group_version][kind]
        namespace = one["metadata"].get("namespace") or "default"
        place = f"/namespaces/{namespace}" if namespaced else ""
        return f"{root}{place}/{plural}/{one['metadata']['name']}"


def _place(reference: str) -> str:
    """Return a reference without its version: an object is the same in each that serves it."""
    return reference.partition(" ")[2]


def difference(before: Object | None, after: Object) -> str:
    """Return what changed between two states of an object, as `diff -u` shows it; a Secret's is not shown."""
    if before is None:
        return "made"
    texts = [_text(before), _text(after)]
    if texts[0] == texts[1]:
        return ""
    if after["kind"] == "Secret":
        return "changed (not shown)"
    return "\n".join([*difflib.unified_diff(*(text.splitlines() for text in texts), lineterm="", n=2)][2:])


def _text(one: Object) -> str:
    metadata = {key: value for key, value in one["metadata"].items() if key not in SERVERS_OWN}
    annotations = {
        key: value for key, value in metadata.get("annotations", {}).items() if key != CONTROLLERS_OWN
    }
    shown = {key: value for key, value in one.items() if key not in ("status", "apiVersion", "kind")}
    shown["metadata"] = {**metadata, "annotations": annotations}
    return manifest.text([shown])


def _within(wanted: Any, live: Any) -> bool:
    """Tell whether all that is wanted is there; what a server filled in beside it does not count."""
    if isinstance(wanted, dict) and isinstance(live, dict):
        return all(
            _within(value, live[key]) if key in live else value in (None, {}, [])
            for key, value in wanted.items()
        )
    if isinstance(wanted, list) and isinstance(live, list):
        return len(wanted) == len(live) and all(map(_within, wanted, live))
    return wanted == live


@contextlib.contextmanager
def _absent() -> Iterator[None]:
    """Take an object's absence for its removal."""
    try:
        yield
    except ApiError as error:
        if error.status != 404:
            raise
