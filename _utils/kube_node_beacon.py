"""The beacon's configuration: what the formula gives it, and what is wrong with another.

Pure: no Salt, no I/O. It imports nothing of the formula, so that a running minion can use it (`_beacons`).
"""

from __future__ import annotations

from typing import Any

NAME = "kube_node"
CERTIFICATES = ("client", "serving")
TEXTS = ("unit", "slice", "bootstrap_kubeconfig")


def config(node: dict[str, Any]) -> list[dict[str, Any]] | None:
    """Return the beacon's configuration as Salt has it, a list of single settings; None where none is wanted.

    With certificates of the operator's nothing is asked for, so there is nothing to look for.

    Args:
        node: the parameters as `kube_node_parameters.compile_node` returns them.
    """
    if node["certificates"]["mode"] == "static":
        return None
    kubelet = node["kubelet"]
    settings = {
        "interval": node["certificates"]["knock_seconds"],
        "unit": "kubelet.service",
        "slice": kubelet["cgroups"]["slice"] or "system.slice",
        "certificates": dict(zip(CERTIFICATES, kubelet["certificates"], strict=False)),
        "waiting_key": kubelet["waiting_key"],
        "bootstrap_kubeconfig": f"{node['paths']['kubernetes']}/bootstrap.kubeconfig",
    }
    return [{key: value} for key, value in settings.items()]


def settings(config: Any) -> dict[str, Any]:
    """Return Salt's list of single settings as one mapping."""
    return {key: value for part in config for key, value in part.items()}


def fault(config: Any) -> str | None:
    """Return what is wrong with a configuration; None where it is sound."""
    if not isinstance(config, list) or not all(isinstance(part, dict) for part in config):
        return "must be a list of single settings"
    given = settings(config)
    for key in TEXTS:
        if not isinstance(given.get(key), str):
            return f"{key} must be text"
    certificates, waiting = given.get("certificates"), given.get("waiting_key")
    if not isinstance(certificates, dict) or "client" not in certificates:
        return "certificates must be a mapping that has client"
    if set(certificates) - set(CERTIFICATES) or not all(map(_is_text, certificates.values())):
        return f"certificates must give paths to {' and '.join(CERTIFICATES)}"
    if waiting is None or (isinstance(waiting, dict) and _is_text(waiting.get("key"))):
        return None
    return "waiting_key must be a mapping that has key, or null"


def _is_text(value: Any) -> bool:
    return isinstance(value, str)
