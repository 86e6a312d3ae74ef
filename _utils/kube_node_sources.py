"""The formula's own data: which files hold it, and what becomes of them.

Pure: the caller reads the files (a minion through its file server, a test from the checkout).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import kube_node_types_pem as pem
import yaml
from kube_node_merge import get, merge
from kube_node_schema import PROFILES

# What may be named by the file it lies in.
CONTENTS = (
    ("cluster", "ca"),
    ("certificates", "kubelet", "certificate"),
    ("certificates", "kube_proxy", "certificate"),
)
FACTS = ("kubelet", "kube_proxy", "milestones")


def load(read: Callable[[str], str]) -> dict[str, Any]:
    """Return `{defaults, profiles, os_families, facts}`.

    Args:
        read: returns the text of a file by its path in the state tree, such as `kube_node/defaults.yaml`.
    """
    return {
        "defaults": _parsed(read("kube_node/defaults.yaml")),
        "profiles": {name: _parsed(read(f"kube_node/profiles/{name}.yaml")) for name in PROFILES},
        "os_families": _parsed(read("kube_node/os_families.yaml")),
        "facts": {name: _parsed(read(f"kube_node/versions/{name}.yaml")) for name in FACTS},
    }


def with_contents(pillar: Any, read: Callable[[str], str]) -> Any:
    """Return the operator's tree with what lies in the files that it names for certificates.

    Args:
        pillar: what stands under `kube_node` in the pillar, of any type.
        read: returns the text of a file by its place, `salt://…` or a path.
    """
    for path in CONTENTS:
        *above, key = path
        parent = get(pillar, tuple(above)) if isinstance(pillar, dict) else None
        if isinstance(parent, dict) and pem.is_place(parent.get(key)):
            found: dict[str, Any] = {key: read(parent[key])}
            for name in reversed(above):
                found = {name: found}
            pillar = merge([("pillar", pillar), ("contents", found)])[0]
    return pillar


@lru_cache(maxsize=32)
def _parsed(text: str) -> dict[str, Any]:
    """Parse YAML; the result is shared, so nobody may change it."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return yaml.load(text, Loader=loader) or {}
