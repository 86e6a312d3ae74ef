"""What a user may do: RBAC over the stored roles and bindings, and the Node authorizer before it.

Sources: `plugin/pkg/auth/authorizer/rbac/rbac.go`, `pkg/apis/rbac/v1/evaluation_helpers.go`,
apiserver `pkg/endpoints/handlers/responsewriters/errors.go` for the refusal.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import unquote

from . import nodes
from .request import Attributes, User
from .resources import Catalog
from .status import ApiError
from .store import Store

RBAC = "rbac.authorization.k8s.io"
_EXTRA = "impersonate-extra-"


class Authorizer:
    """Says yes or no, and why not."""

    def __init__(self, store: Store, catalog: Catalog, minor: int) -> None:
        self._store = store
        self._catalog = catalog
        self._minor = minor

    def refusal(self, wanted: Attributes) -> str | None:
        """Return None when it is allowed, else the authorizers' remark (often "")."""
        if "system:masters" in wanted.user.groups:
            return None
        remarks = []
        if wanted.user.node:
            remark = nodes.authorize(self._store, self._catalog, wanted, self._minor)
            if remark is None:
                return None
            remarks.append(remark)
        missing: list[str] = []
        if any(_allows(rule, wanted) for rule in self._rules(wanted, missing)):
            return None
        if missing:
            aggregate = missing[0] if len(missing) == 1 else f"[{', '.join(missing)}]"
            remarks.append(f"RBAC: {aggregate}")
        return "\n".join(remark for remark in remarks if remark)

    def require(self, wanted: Attributes) -> None:
        """Raise ApiError 403, with the real API server's sentence, unless it is allowed."""
        remark = self.refusal(wanted)
        if remark is None:
            return
        sentence = _sentence(wanted) + (f": {remark}" if remark else "")
        if not wanted.of_resource:
            raise ApiError(403, "Forbidden", f"forbidden: {sentence}")
        qualified = f"{wanted.resource}.{wanted.group}" if wanted.group else wanted.resource
        quoted = f' "{wanted.name}"' if wanted.name else ""
        details = {"name": wanted.name, "group": wanted.group, "kind": wanted.resource}
        raise ApiError(403, "Forbidden", f"{qualified}{quoted} is forbidden: {sentence}", **details)

    def may_approve(self, wanted: Attributes, signer: str) -> bool:
        """Tell whether the user may approve for a signer: by its name or by `DOMAIN/*`."""
        domain = signer.split("/")[0]
        asked = replace(wanted, verb="approve", resource="signers", subresource="", namespace="")
        return any(self.refusal(replace(asked, name=name)) is None for name in (signer, f"{domain}/*"))

    def impersonated(self, user: User, headers: Mapping[str, str]) -> User:
        """Return whom the user acts as (`kubectl --as`). Raises ApiError 403 unless it may."""
        name = headers.get("Impersonate-User")
        if not name:
            return user
        groups = tuple(value for header, value in headers.items() if header.lower() == "impersonate-group")
        for kind, wanted in (("users", name), *(("groups", group) for group in groups)):
            self.require(Attributes(user, "impersonate", resource=kind, name=wanted))
        extra = _impersonated_extra(headers)
        for key, values in extra.items():
            asked = Attributes(
                user, "impersonate", group="authentication.k8s.io", resource="userextras", subresource=key
            )
            for value in values:
                self.require(replace(asked, name=value))
        return User(name, tuple(dict.fromkeys((*groups, "system:authenticated"))), extra=extra)

    def _rules(self, wanted: Attributes, missing: list[str]) -> Iterator[dict[str, Any]]:
        bindings = [("", "clusterrolebindings")]
        if wanted.namespace:
            bindings.append((wanted.namespace, "rolebindings"))
        for namespace, plural in bindings:
            for entry in self._store.entries(self._catalog.get(RBAC, plural), namespace).values():
                subjects = entry.object.get("subjects") or ()
                if any(_is(subject, wanted, namespace) for subject in subjects):
                    yield from self._role_rules(entry.object["roleRef"], namespace, missing)

    def _role_rules(
        self, reference: dict[str, str], namespace: str, missing: list[str]
    ) -> list[dict[str, Any]]:
        plural, where = ("clusterroles", "") if reference["kind"] == "ClusterRole" else ("roles", namespace)
        role = self._store.find(self._catalog.get(RBAC, plural), (where, reference["name"]))
        if role is None:
            missing.append(f'{plural[:-1]}.{RBAC} "{reference["name"]}" not found')
            return []
        return role.object.get("rules") or []


def _is(subject: dict[str, str], wanted: Attributes, namespace: str) -> bool:
    kind, name = subject.get("kind"), subject.get("name", "")
    if kind == "User":
        return name == wanted.user.name
    if kind == "Group":
        return name in wanted.user.groups
    account = f"system:serviceaccount:{subject.get('namespace') or namespace}:{name}"
    return kind == "ServiceAccount" and wanted.user.name == account


def _allows(rule: dict[str, Any], wanted: Attributes) -> bool:
    if not _among(wanted.verb, rule.get("verbs")):
        return False
    if not wanted.of_resource:
        paths = rule.get("nonResourceURLs") or ()
        return any(
            path == wanted.path or (path[-1:] == "*" and wanted.path.startswith(path[:-1])) for path in paths
        )
    combined = f"{wanted.resource}/{wanted.subresource}" if wanted.subresource else wanted.resource
    resources = rule.get("resources") or ()
    of_any = f"*/{wanted.subresource}" if wanted.subresource else combined
    names = rule.get("resourceNames") or ()
    return (
        _among(wanted.group, rule.get("apiGroups"))
        and (_among(combined, resources) or of_any in resources)
        and (not names or wanted.name in names)
    )


def _among(value: str, listed: list[str] | None) -> bool:
    return bool(listed) and ("*" in listed or value in listed)


def _sentence(wanted: Attributes) -> str:
    if not wanted.of_resource:
        return f'User "{wanted.user.name}" cannot {wanted.verb} path "{wanted.path}"'
    resource = f"{wanted.resource}/{wanted.subresource}" if wanted.subresource else wanted.resource
    scope = f'in the namespace "{wanted.namespace}"' if wanted.namespace else "at the cluster scope"
    return (
        f'User "{wanted.user.name}" cannot {wanted.verb} resource "{resource}" '
        f'in API group "{wanted.group}" {scope}'
    )


def _impersonated_extra(headers: Mapping[str, str]) -> dict[str, list[str]]:
    """Return what `Impersonate-Extra-KEY` says; a key is percent-encoded and loses its case."""
    found: dict[str, list[str]] = {}
    for header, value in headers.items():
        prefix, key = header[: len(_EXTRA)], header[len(_EXTRA) :]
        if prefix.lower() == _EXTRA:
            found.setdefault(unquote(key.lower()), []).append(value)
    return found
