"""Refusals, each a metav1.Status with the message the real API server gives.

Source of the texts: apimachinery `pkg/api/errors/errors.go` and `pkg/util/validation/field/errors.go`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .resources import Resource

_ALWAYS_DETAILED = (403, 404, 405)


class ApiError(Exception):
    """An answer that is not success: an HTTP code and the Status object to send."""

    def __init__(self, code: int, reason: str, message: str, **details: Any) -> None:
        super().__init__(message)
        self.code = code
        status = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure"}
        said = {name: value for name, value in details.items() if value != ""}
        more = {"details": said} if details or code in _ALWAYS_DETAILED else {}
        self.body = {**status, "message": message, "reason": reason, **more, "code": code}


@dataclass(frozen=True)
class FieldError:
    """One fault in one field, as `field.Error`."""

    kind: str
    field: str
    body: str

    def __str__(self) -> str:
        return f"{self.field}: {self.body}"


def required(field: str, detail: str = "") -> FieldError:
    return FieldError("FieldValueRequired", field, "Required value" + (f": {detail}" if detail else ""))


def prohibited(field: str, detail: str) -> FieldError:
    return FieldError("FieldValueForbidden", field, f"Forbidden: {detail}")


def wrong(field: str, value: Any, detail: str) -> FieldError:
    return FieldError("FieldValueInvalid", field, f"Invalid value: {json.dumps(value)}: {detail}")


def duplicate(field: str, value: Any) -> FieldError:
    return FieldError("FieldValueDuplicate", field, f"Duplicate value: {json.dumps(value)}")


def unsupported(field: str, value: str, supported: Sequence[str]) -> FieldError:
    known = ", ".join(json.dumps(one) for one in supported)
    return FieldError(
        "FieldValueNotSupported", field, f"Unsupported value: {json.dumps(value)}: supported values: {known}"
    )


def not_found(resource: Resource, name: str) -> ApiError:
    return ApiError(404, "NotFound", f'{resource.qualified} "{name}" not found', **_named(resource, name))


def already_exists(resource: Resource, name: str) -> ApiError:
    return ApiError(
        409, "AlreadyExists", f'{resource.qualified} "{name}" already exists', **_named(resource, name)
    )


def conflict(resource: Resource, name: str, detail: str) -> ApiError:
    message = f'Operation cannot be fulfilled on {resource.qualified} "{name}": {detail}'
    return ApiError(409, "Conflict", message, **_named(resource, name))


def forbidden(resource: Resource, name: str, detail: str) -> ApiError:
    quoted = f' "{name}"' if name else ""
    return ApiError(
        403, "Forbidden", f"{resource.qualified}{quoted} is forbidden: {detail}", **_named(resource, name)
    )


def invalid(group: str, kind: str, name: str, errors: Sequence[FieldError]) -> ApiError:
    texts = list(dict.fromkeys(str(error) for error in errors))
    aggregate = texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"
    causes = [{"reason": error.kind, "message": error.body, "field": error.field} for error in errors]
    qualified = f"{kind}.{group}" if group else kind
    return ApiError(
        422,
        "Invalid",
        f'{qualified} "{name}" is invalid: {aggregate}',
        name=name,
        group=group,
        kind=kind,
        causes=causes,
    )


def bad_request(message: str) -> ApiError:
    return ApiError(400, "BadRequest", message)


def expired(message: str) -> ApiError:
    return ApiError(410, "Expired", message)


def method_not_allowed() -> ApiError:
    text = "the server does not allow this method on the requested resource"
    return ApiError(405, "MethodNotAllowed", text)


def no_such_resource() -> ApiError:
    return ApiError(404, "NotFound", "the server could not find the requested resource")


def _named(resource: Resource, name: str) -> dict[str, str]:
    return {"name": name, "group": resource.group, "kind": resource.plural}
