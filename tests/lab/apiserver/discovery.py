"""What the server says it can do: groups, kinds, version, and as much OpenAPI as kubectl asks for.

Sources: `k8s.io/api/apidiscovery/v2/types.go`, cli-runtime `pkg/resource/query_param_verifier_v3.go`.
There are no schemas: `kubectl explain` finds none, and unknown fields are kept.
"""

from __future__ import annotations

from typing import Any

from .resources import Catalog, Resource

AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
_AGGREGATED_SINCE = 30
_VERBS = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"]
#: What `kubectl get all` shows.
_ALL = ("daemonsets", "deployments", "jobs", "pods", "replicasets", "services", "statefulsets")
_SUBRESOURCE_VERBS = ["get", "patch", "update"]
#: Kinds that are only ever posted, answered and forgotten.
REVIEWS = {
    "authorization.k8s.io": {
        "selfsubjectaccessreviews": "SelfSubjectAccessReview",
        "subjectaccessreviews": "SubjectAccessReview",
    },
    "authentication.k8s.io": {"selfsubjectreviews": "SelfSubjectReview"},
}


def document(path: str, accept: str, catalog: Catalog, minor: int) -> tuple[dict[str, Any], str] | None:
    """Return the answer and its media type for a discovery path, None for a path that is none."""
    parts = [part for part in path.split("/") if part]
    found_groups = groups(catalog)
    if parts[:1] == ["openapi"]:
        found = _openapi(parts, found_groups)
    elif len(parts) == 1 and parts[0] in ("api", "apis"):
        if minor >= _AGGREGATED_SINCE and "as=APIGroupDiscoveryList" in accept and "v=v2;" in f"{accept};":
            return _aggregated(found_groups, legacy=parts[0] == "api"), AGGREGATED
        found = _legacy(found_groups, parts[0])
    elif parts[:1] == ["api"] and len(parts) == 2:
        found = _resource_list("", parts[1], found_groups)
    elif parts[:1] == ["apis"] and len(parts) == 2:
        group = _group(parts[1], found_groups)
        found = {"kind": "APIGroup", "apiVersion": "v1", **group} if group else None
    elif parts[:1] == ["apis"] and len(parts) == 3:
        found = _resource_list(parts[1], parts[2], found_groups)
    else:
        return None
    return (found, "application/json") if found else None


def version(number: str) -> dict[str, str]:
    """Return what /version says of Kubernetes `number` (1.36.2)."""
    major, minor = number.split(".")[:2]
    return {
        "major": major,
        "minor": minor,
        "gitVersion": f"v{number}",
        "gitCommit": "0" * 40,
        "gitTreeState": "clean",
        "buildDate": "2026-01-01T00:00:00Z",
        "goVersion": "go1.26.0",
        "compiler": "gc",
        "platform": "linux/amd64",
    }


Groups = dict[str, dict[str, list[Resource]]]


def groups(catalog: Catalog) -> Groups:
    """Return what is served, by group and version."""
    reviews = {
        group: {"v1": [Resource(group, ("v1",), plural, kind) for plural, kind in kinds.items()]}
        for group, kinds in REVIEWS.items()
    }
    return {**catalog.groups(), **reviews}


def _verbs(resource: Resource) -> list[str]:
    return ["create"] if resource.group in REVIEWS else _VERBS


def _legacy(groups: Groups, root: str) -> dict[str, Any]:
    if root == "api":
        address = [{"clientCIDR": "0.0.0.0/0", "serverAddress": "127.0.0.1:6443"}]
        return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": address}
    named = [_group(name, groups) for name in groups if name]
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": named}


def _group(name: str, groups: Groups) -> dict[str, Any] | None:
    if name not in groups:
        return None
    versions = [{"groupVersion": f"{name}/{one}", "version": one} for one in groups[name]]
    return {"name": name, "versions": versions, "preferredVersion": versions[0]}


def _resource_list(group: str, version: str, groups: Groups) -> dict[str, Any] | None:
    resources = groups.get(group, {}).get(version)
    if resources is None:
        return None
    listed = []
    for one in resources:
        common = {"singularName": one.kind.lower(), "namespaced": one.namespaced, "kind": one.kind}
        short = {"shortNames": list(one.short_names)} if one.short_names else {}
        listed.append({"name": one.plural, **common, "verbs": _verbs(one), **short})
        for part in one.subresources:
            name = f"{one.plural}/{part}"
            listed.append({"name": name, **common, "singularName": "", "verbs": _SUBRESOURCE_VERBS})
    group_version = f"{group}/{version}" if group else version
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version, "resources": listed}


def _aggregated(groups: Groups, legacy: bool) -> dict[str, Any]:
    items = []
    for name, versions in groups.items():
        if legacy is not (name == ""):
            continue
        served = [
            {
                "version": one,
                "resources": [_discovered(found, one) for found in kinds],
                "freshness": "Current",
            }
            for one, kinds in versions.items()
        ]
        items.append({"metadata": {"name": name} if name else {}, "versions": served})
    kind = {"kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2"}
    return {**kind, "metadata": {}, "items": items}


def _discovered(resource: Resource, version: str) -> dict[str, Any]:
    kind = {"group": resource.group, "version": version, "kind": resource.kind}
    return {
        "resource": resource.plural,
        "responseKind": kind,
        "scope": "Namespaced" if resource.namespaced else "Cluster",
        "singularResource": resource.kind.lower(),
        "verbs": _verbs(resource),
        "shortNames": list(resource.short_names),
        "categories": ["all"] if resource.plural in _ALL else [],
        "subresources": [
            {"subresource": part, "responseKind": kind, "verbs": _SUBRESOURCE_VERBS}
            for part in resource.subresources
        ],
    }


def _openapi(parts: list[str], groups: Groups) -> dict[str, Any] | None:
    if parts[1:2] != ["v3"]:
        return None
    prefixes = {
        f"apis/{group}/{version}" if group else f"api/{version}": resources
        for group, versions in groups.items()
        for version, resources in versions.items()
    }
    if len(parts) == 2:
        return {"paths": {path: {"serverRelativeURL": f"/openapi/v3/{path}"} for path in prefixes}}
    prefix = "/".join(parts[2:])
    if prefix not in prefixes:
        return None
    paths = {}
    for one in prefixes[prefix]:
        scope = "namespaces/{namespace}/" if one.namespaced else ""
        kind = {"group": one.group, "version": prefix.split("/")[-1], "kind": one.kind}
        names = ("dryRun", "fieldManager", "fieldValidation", "force")
        operation = {
            "parameters": [{"name": name, "in": "query", "schema": {"type": "string"}} for name in names],
            "responses": {"200": {"description": "OK"}},
            "x-kubernetes-group-version-kind": kind,
        }
        paths[f"/{prefix}/{scope}{one.plural}/{{name}}"] = {"patch": operation}
    info = {"title": "Kubernetes", "version": "unversioned"}
    return {"openapi": "3.0.0", "info": info, "paths": paths, "components": {"schemas": {}}}
