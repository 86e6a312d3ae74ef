"""Server-side printing: the columns that `kubectl get` shows.

Source: `pkg/printers/internalversion/printers.go`. Kinds that are not here get NAME and AGE.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from . import clock
from .resources import Resource
from .store import Entry

_NONE = "<none>"
_UNKNOWN = "<unknown>"


def table(resource: Resource, entries: list[Entry], include: str, metadata: dict[str, Any]) -> dict[str, Any]:
    """Return objects as a metav1.Table.

    Args:
        resource: their kind.
        entries: the objects.
        include: how much of each object to send along: Metadata, Object or None (the API's includeObject).
        metadata: the list's metadata.
    """
    narrow, wide, cells = _PRINTERS.get(resource.plural, ("Age", "", lambda found: [_age(found)]))
    names = ["Name", *narrow.split(","), *(wide.split(",") if wide else ())]
    definitions = [
        {
            "name": name,
            "type": "integer" if name == "Data" else "string",
            "format": "name" if name == "Name" else "",
            "description": name,
            "priority": int(place > narrow.count(",") + 1),
        }
        for place, name in enumerate(names)
    ]
    rows = [
        {
            "cells": [entry.object["metadata"]["name"], *cells(entry.object)],
            "object": _object(resource, entry, include),
        }
        for entry in entries
    ]
    head = {"kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": metadata}
    return {**head, "columnDefinitions": definitions, "rows": rows}


def _object(resource: Resource, entry: Entry, include: str) -> dict[str, Any] | None:
    if include == "None":
        return None
    if include == "Object":
        api_version = resource.api_version(resource.versions[0])
        return {"kind": resource.kind, "apiVersion": api_version, **entry.object}
    head = {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1"}
    return {**head, "metadata": entry.object["metadata"]}


def _age(found: dict[str, Any]) -> str:
    return clock.age(found["metadata"].get("creationTimestamp"))


def _created(found: dict[str, Any]) -> list[Any]:
    return [found["metadata"].get("creationTimestamp")]


def _node(node: dict[str, Any]) -> list[Any]:
    status, info = node.get("status", {}), node.get("status", {}).get("nodeInfo", {})
    ready = [one["status"] for one in status.get("conditions", ()) if one["type"] == "Ready"]
    state = [("Ready" if ready[-1] == "True" else "NotReady") if ready else "Unknown"]
    if node.get("spec", {}).get("unschedulable"):
        state.append("SchedulingDisabled")
    kernel = info.get("kernelVersion") or _UNKNOWN
    if info.get("architecture"):
        kernel += f" ({info['architecture']})"
    return [
        ",".join(state),
        ",".join(_roles(node["metadata"].get("labels") or {})) or _NONE,
        _age(node),
        info.get("kubeletVersion", ""),
        _address(status, "InternalIP"),
        _address(status, "ExternalIP"),
        info.get("osImage") or _UNKNOWN,
        kernel,
        info.get("containerRuntimeVersion") or _UNKNOWN,
    ]


def _roles(labels: dict[str, str]) -> list[str]:
    prefix = "node-role.kubernetes.io/"
    roles = {label.removeprefix(prefix) for label in labels if label.startswith(prefix)}
    return sorted((roles | {labels.get("kubernetes.io/role", "")}) - {""})


def _address(status: dict[str, Any], kind: str) -> str:
    return next((one["address"] for one in status.get("addresses", ()) if one["type"] == kind), _NONE)


def _csr(csr: dict[str, Any]) -> list[Any]:
    spec, status = csr["spec"], csr["status"]
    kinds = {one["type"] for one in status.get("conditions", ())}
    state = ["Denied" if "Denied" in kinds else "Approved" if "Approved" in kinds else "Pending"]
    if "Failed" in kinds:
        state.append("Failed")
    if status.get("certificate"):
        state.append("Issued")
    seconds = spec.get("expirationSeconds")
    wanted = _NONE if seconds is None else clock.human(seconds)
    return [_age(csr), spec.get("signerName") or _NONE, spec["username"], wanted, ",".join(state)]


def _pod(pod: dict[str, Any]) -> list[Any]:
    status, spec = pod.get("status", {}), pod.get("spec", {})
    states = status.get("containerStatuses", ())
    ready = f"{sum(1 for one in states if one.get('ready'))}/{len(spec.get('containers', ()))}"
    restarts = str(sum(one.get("restartCount", 0) for one in states))
    phase = "Terminating" if "deletionTimestamp" in pod["metadata"] else status.get("phase", "")
    where = [status.get("podIP") or _NONE, spec.get("nodeName") or _NONE]
    return [ready, phase, restarts, _age(pod), *where, _NONE, _NONE]


def _binding(binding: dict[str, Any]) -> list[Any]:
    named: dict[str, list[str]] = {"User": [], "Group": [], "ServiceAccount": []}
    for subject in binding.get("subjects") or ():
        of = f"{subject['namespace']}/" if subject.get("namespace") else ""
        named[subject["kind"]].append(of + subject["name"])
    role = binding["roleRef"]
    return [f"{role['kind']}/{role['name']}", _age(binding), *(", ".join(names) for names in named.values())]


def _service(service: dict[str, Any]) -> list[Any]:
    spec = service.get("spec", {})
    ports = ",".join(f"{one['port']}/{one.get('protocol', 'TCP')}" for one in spec.get("ports") or ())
    selector = ",".join(f"{key}={value}" for key, value in sorted((spec.get("selector") or {}).items()))
    address = spec.get("clusterIP") or _NONE
    return [spec.get("type", "ClusterIP"), address, _NONE, ports or _NONE, _age(service), selector or _NONE]


def _namespace(namespace: dict[str, Any]) -> list[Any]:
    return [namespace["status"]["phase"], _age(namespace)]


def _secret(secret: dict[str, Any]) -> list[Any]:
    return [secret["type"], len(secret.get("data") or {}), _age(secret)]


def _config_map(found: dict[str, Any]) -> list[Any]:
    return [len(found.get("data") or {}) + len(found.get("binaryData") or {}), _age(found)]


def _lease(lease: dict[str, Any]) -> list[Any]:
    return [lease.get("spec", {}).get("holderIdentity", ""), _age(lease)]


_Row = Callable[[dict[str, Any]], list[Any]]
_BINDING = ("Role,Age", "Users,Groups,ServiceAccounts", _binding)
#: Columns after the name, those of `-o wide` besides, and what stands in them.
_PRINTERS: dict[str, tuple[str, str, _Row]] = {
    "nodes": (
        "Status,Roles,Age,Version",
        "Internal-IP,External-IP,OS-Image,Kernel-Version,Container-Runtime",
        _node,
    ),
    "certificatesigningrequests": ("Age,SignerName,Requestor,RequestedDuration,Condition", "", _csr),
    "pods": ("Ready,Status,Restarts,Age", "IP,Node,Nominated Node,Readiness Gates", _pod),
    "services": ("Type,Cluster-IP,External-IP,Port(s),Age", "Selector", _service),
    "namespaces": ("Status,Age", "", _namespace),
    "secrets": ("Type,Data,Age", "", _secret),
    "configmaps": ("Data,Age", "", _config_map),
    "leases": ("Holder,Age", "", _lease),
    "clusterrolebindings": _BINDING,
    "rolebindings": _BINDING,
    "clusterroles": ("Created At", "", _created),
    "roles": ("Created At", "", _created),
    "customresourcedefinitions": ("Created At", "", _created),
}
