"""The bootstrap token that a kubelet has, out of its bootstrap kubeconfig.

Pure but for reading that file. It imports nothing of the formula, so that a running minion can use it
(`_beacons`). A token is a secret: its id alone, which every request names anyway, may be shown.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

_TOKEN = re.compile(r"(?P<id>[a-z0-9]{6})\.[a-z0-9]{16}")


def token(path: str) -> str | None:
    """Return the token in the kubeconfig at `path`; None where there is none, whatever lies there."""
    try:
        config = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
        contexts, users = (_named(config, key) for key in ("contexts", "users"))
        found = users[contexts[config["current-context"]]["context"]["user"]]["user"]["token"]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError, yaml.YAMLError):
        return None
    return found if isinstance(found, str) else None


def token_id(path: str) -> str | None:
    """Return the id of the bootstrap token in the kubeconfig at `path`; None where there is no such token."""
    found = _TOKEN.fullmatch(token(path) or "")
    return found["id"] if found else None


def _named(config: dict[str, Any], key: str) -> dict[str, Any]:
    return {entry["name"]: entry for entry in config[key]}
