"""Create, update, patch and delete.

Source of order and texts: apiserver `pkg/endpoints/handlers/{create,update,patch,delete}.go`,
`pkg/registry/generic/registry/store.go`.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace
from typing import Any

from . import apply, bodies, kinds, nodes, patch
from .authorization import Authorizer
from .clock import now
from .request import Attributes
from .resources import Catalog, Resource
from .status import ApiError, bad_request, conflict, forbidden, invalid, not_found, required, wrong
from .store import Entry, Key, Store, stamped

_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
_MODIFIED = "the object has been modified; please apply your changes to the latest version and try again"
APPLY = "application/apply-patch+yaml"
_APPLY_SINCE = 16
_JSON_PATCH = "application/json-patch+json"
_MERGE_PATCH = "application/merge-patch+json"
_STRATEGIC = "application/strategic-merge-patch+json"
_STORED = {"creationTimestamp", "deletionTimestamp", "generateName", "namespace", "resourceVersion", "uid"}
_PERMANENT = ("default", "kube-public", "kube-system")


@dataclass(frozen=True)
class Write:
    """One request to change something."""

    wanted: Attributes
    resource: Resource
    document: Any
    content_type: str
    manager: str
    force: bool = False
    dry_run: bool = False

    @property
    def key(self) -> Key:
        return (self.wanted.namespace if self.resource.namespaced else "", self.wanted.name)

    def of(self, key: Key) -> Write:
        """Return the same request for one object of the collection."""
        return replace(self, wanted=replace(self.wanted, namespace=key[0], name=key[1]))


class Writer:
    """Changes the store as the real API server would, or refuses as it would."""

    def __init__(self, store: Store, catalog: Catalog, authorizer: Authorizer, minor: int) -> None:
        self._store = store
        self._catalog = catalog
        self._authorizer = authorizer
        self._minor = minor

    def create(self, write: Write) -> Entry:
        """Create the object in the body. Raises ApiError."""
        return self._create(write, self._decode(write, write.document))

    def update(self, write: Write) -> tuple[Entry, bool]:
        """Replace an object by the one in the body; return it and whether it was created."""
        new = self._decode(write, write.document)
        old = self._store.find(write.resource, write.key)
        if old is None:
            if write.wanted.subresource or not write.resource.create_on_update:
                raise not_found(write.resource, write.wanted.name)
            return self._create(write, new), True
        return self._replace(write, new, old), False

    def patch(self, write: Write) -> tuple[Entry, bool]:
        """Change an object by a patch of any of the four kinds; return it and whether it was created."""
        old = self._store.find(write.resource, write.key)
        if write.content_type == APPLY:
            if self._minor < _APPLY_SINCE:
                raise bodies.unknown_format(_JSON_PATCH, _MERGE_PATCH, _STRATEGIC)
            return self._apply(write, old)
        if old is None:
            raise not_found(write.resource, write.wanted.name)
        change = write.document
        if write.content_type == _JSON_PATCH:
            new = patch.json_patch(old.object, change)
        elif not isinstance(change, dict):
            raise bad_request("json: cannot unmarshal array into Go value of type map[string]interface {}")
        elif write.content_type == _MERGE_PATCH:
            new = patch.merge(old.object, change)
        elif write.content_type == _STRATEGIC and not write.resource.custom:
            new = patch.strategic(old.object, change)
        else:
            raise _unknown_patch(write.resource)
        return self._replace(write, self._decode(write, new), old), False

    def delete(self, write: Write) -> Entry:
        """Delete an object, or mark it when finalizers are to run first. Raises ApiError."""
        entry = self._store.get(write.resource, write.key)
        name, metadata = write.wanted.name, entry.object["metadata"]
        _check_preconditions(write, metadata)
        if write.resource.plural == "namespaces" and name in _PERMANENT:
            raise forbidden(write.resource, name, "this namespace may not be deleted")
        if write.dry_run:
            return entry
        if metadata.get("finalizers"):
            marked = {**metadata, "deletionTimestamp": metadata.get("deletionTimestamp") or now()}
            return self._store.replace(write.resource, write.key, {**entry.object, "metadata": marked})
        if write.resource.plural == "namespaces":
            self._empty(name)
        if write.resource.plural == "customresourcedefinitions":
            self._catalog.forget(entry.object)
        return self._store.delete(write.resource, write.key)

    def _create(self, write: Write, new: dict[str, Any]) -> Entry:
        resource = write.resource
        nodes.admit(write.wanted, resource, new, None, self._minor)
        metadata = self._system_metadata(write, new)
        new = {**new, "metadata": metadata}
        if resource.namespaced:
            self._store.get(self._catalog.get("", "namespaces"), ("", metadata["namespace"]))
        new = kinds.on_create(resource, new, write.wanted.user)
        kinds.validate(resource, write.wanted.version, new, None, "", self._minor)
        key = (metadata.get("namespace", ""), metadata["name"])
        if write.dry_run:
            return Entry(new, 0)
        return self._stored(resource, self._store.create(resource, key, new))

    def _replace(self, write: Write, new: dict[str, Any], old: Entry) -> Entry:
        wanted, resource = write.wanted, write.resource
        self._check_version(write, new["metadata"], old)
        stored = {name: value for name, value in old.object["metadata"].items() if name in _STORED}
        new = {**new, "metadata": {**new["metadata"], **stored}}
        new = kinds.on_update(resource, new, old.object, wanted.subresource)
        nodes.admit(wanted, resource, new, old.object, self._minor)
        kinds.validate(resource, wanted.version, new, old.object, wanted.subresource, self._minor)
        self._admit_approval(write, old)
        if write.content_type != APPLY:
            new = apply.track(old.object, new, self._manager(write), not resource.custom)
        if write.dry_run:
            return Entry(new, old.version)
        if "deletionTimestamp" in stored and not new["metadata"].get("finalizers"):
            return self._store.delete(resource, write.key)
        return self._stored(resource, self._store.replace(resource, write.key, new))

    def _stored(self, resource: Resource, entry: Entry) -> Entry:
        if resource.plural == "customresourcedefinitions":
            self._catalog.define(entry.object)
        return entry

    def _apply(self, write: Write, old: Entry | None) -> tuple[Entry, bool]:
        if not write.manager:
            fault = required("fieldManager", "is required for apply patch")
            raise invalid("meta.k8s.io", "PatchOptions", "", [fault])
        wanted = self._decode(write, write.document)
        if not write.wanted.subresource and "status" in write.resource.subresources:
            wanted.pop("status", None)
        version = wanted["metadata"].pop("resourceVersion", None)
        live = old.object if old else None
        new = apply.apply(live, wanted, self._manager(write), write.force, not write.resource.custom)
        if old is None:
            return self._create(write, new), True
        if version:
            new["metadata"]["resourceVersion"] = version
        return self._replace(write, new, old), False

    def _decode(self, write: Write, body: Any) -> dict[str, Any]:
        """Return a body's object: checked against the URL, and without kind and apiVersion."""
        wanted, resource = write.wanted, write.resource
        if not isinstance(body, dict):
            raise bad_request("the object provided is unrecognized (must be of type Object)")
        api_version, kind = body.get("apiVersion"), body.get("kind")
        expected = resource.api_version(wanted.version)
        if kind not in (None, resource.kind):
            handled = f"cannot be handled as a {resource.kind}: unknown conversion"
            raise bad_request(f'{kind} in version "{api_version}" {handled}')
        if api_version not in (None, expected):
            raise bad_request(
                f"the API version in the data ({api_version}) "
                f"does not match the expected API version ({expected})"
            )
        metadata = _typed_metadata(body.get("metadata") or {}, resource)
        _same("name", metadata.get("name"), wanted.name)
        _same("namespace", metadata.get("namespace"), write.key[0])
        new = {name: value for name, value in body.items() if name not in ("kind", "apiVersion")}
        filled = {"name": wanted.name or metadata.get("name"), "namespace": write.key[0]}
        new["metadata"] = {**metadata, **{name: value for name, value in filled.items() if value}}
        return kinds.decode(resource, new, wanted.version, self._minor)

    def _system_metadata(self, write: Write, new: dict[str, Any]) -> dict[str, Any]:
        metadata = {k: v for k, v in new["metadata"].items() if k not in ("resourceVersion", "selfLink")}
        if not metadata.get("name"):
            if not metadata.get("generateName"):
                fault = required("metadata.name", "name or generateName is required")
                raise invalid(write.resource.group, write.resource.kind, "", [fault])
            metadata["name"] = self._free_name(write, metadata["generateName"])
        return stamped(metadata)

    def _free_name(self, write: Write, base: str) -> str:
        while True:
            name = base[:58] + "".join(secrets.choice(_ALPHABET) for _ in range(5))
            if self._store.find(write.resource, (write.key[0], name)) is None:
                return name

    def _check_version(self, write: Write, metadata: dict[str, Any], old: Entry) -> None:
        stored, name = old.object["metadata"], write.wanted.name
        uid, version = metadata.get("uid") or stored["uid"], metadata.get("resourceVersion")
        if uid != stored["uid"]:
            detail = (
                f"StorageError: invalid object, Code: 4, Key: /registry/{write.resource.plural}/{name}, "
                "ResourceVersion: 0, AdditionalErrorMsg: Precondition failed: "
                f"UID in precondition: {uid}, UID in object meta: {stored['uid']}"
            )
            raise conflict(write.resource, name, detail)
        if not version and not write.resource.unconditional_update:
            fault = wrong("metadata.resourceVersion", 0, "must be specified for an update")
            raise invalid(write.resource.group, write.resource.plural, name, [fault])
        if version and version != stored["resourceVersion"]:
            raise conflict(write.resource, name, _MODIFIED)

    def _admit_approval(self, write: Write, old: Entry) -> None:
        """The admission plugin CertificateApproval: approving needs the signer's permission (since 1.18)."""
        signer = old.object.get("spec", {}).get("signerName")
        if write.wanted.subresource != "approval" or signer is None:
            return
        if not self._authorizer.may_approve(write.wanted, signer):
            detail = f'user not permitted to approve requests with signerName "{signer}"'
            raise forbidden(write.resource, write.wanted.name, detail)

    def _manager(self, write: Write) -> dict[str, str]:
        manager = {
            "manager": write.manager,
            "apiVersion": write.resource.api_version(write.wanted.version),
            "subresource": write.wanted.subresource,
        }
        return {name: value for name, value in manager.items() if value}

    def _empty(self, namespace: str) -> None:
        for versions in self._catalog.groups().values():
            for resource in {one.key: one for kinds_ in versions.values() for one in kinds_}.values():
                for key in list(self._store.entries(resource, namespace)) if resource.namespaced else ():
                    self._store.delete(resource, key)


def _check_preconditions(write: Write, stored: dict[str, Any]) -> None:
    wanted = (write.document or {}).get("preconditions") or {}
    said = {"uid": ("UID", "deleted and then recreated"), "resourceVersion": ("ResourceVersion", "modified")}
    for field, (label, happened) in said.items():
        if wanted.get(field, stored[field]) != stored[field]:
            detail = (
                f"the {label} in the precondition ({wanted[field]}) does not match the {label} in record "
                f"({stored[field]}). The object might have been {happened}"
            )
            raise conflict(replace(write.resource, plural=write.resource.kind), write.wanted.name, detail)


def _typed_metadata(metadata: Any, resource: Resource) -> dict[str, Any]:
    """Return metadata of the right types. Raises ApiError 400."""
    typed = isinstance(metadata, dict) and all(
        isinstance(metadata.get(name, ""), str) for name in ("name", "generateName", "namespace", "uid")
    )
    if not typed or not all(_texts(metadata.get(name)) for name in ("labels", "annotations")):
        raise bad_request(f"{resource.kind} cannot be handled: json: cannot unmarshal ObjectMeta.metadata")
    return metadata


def _texts(value: Any) -> bool:
    return value is None or (isinstance(value, dict) and all(isinstance(one, str) for one in value.values()))


def _same(what: str, found: Any, expected: str) -> None:
    if not found or not expected or found == expected:
        return
    if what == "name":
        raise bad_request(f"the name of the object ({found}) does not match the name on the URL ({expected})")
    raise bad_request("the namespace of the provided object does not match the namespace sent on the request")


def _unknown_patch(resource: Resource) -> ApiError:
    if resource.custom:
        return bodies.unknown_format(_JSON_PATCH, _MERGE_PATCH, APPLY)
    return ApiError(415, "UnsupportedMediaType", "415: Unsupported Media Type")
