"""One node's pillar, as small as it may be, and what compiling it takes; a test changes one thing of it."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import kube_node_merge
import kube_node_parameters
import kube_node_sources

ROOT = Path(__file__).resolve().parents[2]
CA = Path(__file__).with_name("ca.crt").read_text()
TOKEN = "k3s9x2.q7w5e1r8t4y6u0p3"
MACHINE = {
    "id": "Worker-1",
    "address": "192.168.1.7",
    "salt_call": "/opt/salt/bin/salt-call",
    "os_family": "Debian",
    "os_release": "Debian-12",
    "processor": "x86_64",
}


def pillar(change: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return the smallest pillar, with `change` laid over it."""
    smallest = {
        "version": "1.36.2",
        "cluster": {"name": "production", "api_server": "https://10.0.0.10:6443", "ca": CA},
        "node": {"addresses": ["192.168.1.42"]},
        "certificates": {"bootstrap_token": TOKEN},
        "binaries": {"source": "salt://kubernetes", "sha256": {"kubelet": "a" * 64, "kube-proxy": "b" * 64}},
    }
    return kube_node_merge.merge([("smallest", smallest), ("change", change or {})])[0]


def without(*path: str) -> dict[str, Any]:
    """Return the smallest pillar without what stands at `path`."""
    smallest = pillar()
    del kube_node_merge.get(smallest, path[:-1])[path[-1]]
    return smallest


@lru_cache(maxsize=1)
def sources() -> dict[str, Any]:
    """Return the formula's own data."""
    return kube_node_sources.load(lambda path: (ROOT / path).read_text())


def compiled(change: dict[str, Any] | None = None, **machine: Any) -> dict[str, Any]:
    """Return the parameters of the smallest pillar with `change`, on a machine that tells `machine`."""
    return kube_node_parameters.compile_node(pillar(change), MACHINE | machine, sources())


def faults(tree: Any, **machine: Any) -> list[str]:
    """Return what is wrong with a pillar, a line each; nothing where it compiles."""
    try:
        kube_node_parameters.compile_node(tree, MACHINE | machine, sources())
    except kube_node_parameters.ParameterError as error:
        return str(error).splitlines()
    return []
