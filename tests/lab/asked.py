"""What a user asked of the API server, by the server's own log."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import yaml


@dataclass(frozen=True)
class Asked:
    """One request.

    Attributes:
        verb: Kubernetes' verb: list, watch, update, …
        resource: The plural, with its subresource: certificatesigningrequests/approval.
        path: Its path with the query.
    """

    verb: str
    resource: str
    path: str

    def is_list(self, resource: str) -> bool:
        """Tells whether it began to list a resource; further pages belong to the same list."""
        return (self.verb, self.resource) == ("list", resource) and "continue=" not in self.path


def of_double(text: str) -> list[Asked]:
    """Returns the requests in an answer of the double's /lab/requests."""
    return [
        Asked(one["verb"], "/".join(filter(None, (one["resource"], one["subresource"]))), one["path"])
        for one in json.loads(text)
    ]


def of_audit_log(log: Path, user: str) -> list[Asked]:
    """Returns a user's requests in kube-apiserver's audit log, kept by `policy`."""
    lines = log.read_text().splitlines() if log.exists() else []
    found = []
    for event in map(json.loads, lines):
        if event["user"]["username"] == user:
            ref = event.get("objectRef", {})
            parts = (ref.get("resource"), ref.get("subresource"))
            found.append(Asked(event["verb"], "/".join(filter(None, parts)), event["requestURI"]))
    return found


def policy(user: str) -> str:
    """Returns an audit policy by which each request of one user is noted once, when it comes."""
    return yaml.safe_dump(
        {
            "apiVersion": "audit.k8s.io/v1",
            "kind": "Policy",
            "omitStages": ["ResponseStarted", "ResponseComplete", "Panic"],
            "rules": [{"level": "Metadata", "users": [user]}, {"level": "None"}],
        }
    )
