"""Questions about rights, posted and answered at once: `kubectl auth can-i`, `kubectl auth whoami`."""

from __future__ import annotations

from typing import Any

from .authorization import Authorizer
from .clock import now
from .request import Attributes, User


def answer(wanted: Attributes, body: dict[str, Any], authorizer: Authorizer) -> dict[str, Any]:
    """Return the review that was posted with its status filled in."""
    user = wanted.user
    if wanted.resource == "selfsubjectreviews":
        info = {"username": user.name, "uid": user.uid, "groups": list(user.groups), "extra": user.extra}
        known = {name: value for name, value in info.items() if value}
        return {**body, "metadata": {"creationTimestamp": now()}, "status": {"userInfo": known}}
    spec = body.get("spec") or {}
    if wanted.resource == "subjectaccessreviews":
        user = User(spec.get("user", ""), tuple(spec.get("groups") or ()), spec.get("uid", ""))
    remark = authorizer.refusal(_asked(user, spec))
    return {**body, "status": {"allowed": remark is None, **({"reason": remark} if remark else {})}}


def _asked(user: User, spec: dict[str, Any]) -> Attributes:
    if "nonResourceAttributes" in spec:
        asked = spec["nonResourceAttributes"]
        return Attributes(user, asked.get("verb", ""), asked.get("path", ""))
    asked = spec.get("resourceAttributes") or {}
    names = ("group", "version", "resource", "subresource", "namespace", "name")
    return Attributes(user, asked.get("verb", ""), **{name: asked.get(name, "") for name in names})
