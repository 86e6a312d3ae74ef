"""A cluster's nodes as rows: what the API server says of each, and the minion that is it.

Pure: no Salt, no I/O.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import kube_node_ready as ready

COLUMNS = ("cluster", "node", "minion", "state", "version", "address", "note")
ABSENT = {"state": "not registered", "version": "", "address": "", "note": ""}
_STATES = {"True": "Ready", "False": "NotReady"}


def seen(node: Mapping[str, Any]) -> dict[str, str]:
    """Return of a Node what a row says: `{node, state, version, address, note}`, all texts."""
    condition, spec = ready.condition(node, "Ready") or {}, node.get("spec") or {}
    state = _STATES.get(condition.get("status", ""), "Unknown")
    said = condition.get("message") or condition.get("reason") or "it never reported"
    return {
        "node": node["metadata"]["name"],
        "state": f"{state},SchedulingDisabled" if spec.get("unschedulable") else state,
        "version": ready.release(node) or "",
        "address": _address((node.get("status") or {}).get("addresses") or []),
        "note": "" if state == "Ready" else str(said),
    }


def rows(
    cluster: str, nodes: Iterable[Mapping[str, str]], minions: Mapping[str, str]
) -> list[dict[str, str]]:
    """Return a row for each Node, and for each minion that is to be one, by name.

    Args:
        cluster: its name.
        nodes: each Node, as `seen` has it.
        minions: of each minion of that cluster, by id, the name of the node that it is.

    Returns:
        `{cluster, node, minion, state, version, address, note}`, all texts. The state is `Ready`, `NotReady`,
        `Unknown` or `not registered`, with what kubectl adds to it; the note says what is amiss.
    """
    found = {node["node"]: node for node in nodes}
    owners: dict[str, list[str]] = {}
    for minion, name in sorted(minions.items()):
        owners.setdefault(name, []).append(minion)
    return [
        _row(cluster, found.get(name) or ABSENT | {"node": name}, owners.get(name, []))
        for name in sorted(found.keys() | owners.keys())
    ]


def _row(cluster: str, node: Mapping[str, str], minions: list[str]) -> dict[str, str]:
    amiss = ""
    if not minions:
        amiss = "no accepted minion is this node"
    elif len(minions) > 1:
        amiss = "claimed by several minions, give each a node.name of its own"
    note = "; ".join(filter(None, (node["note"], amiss)))
    return {**node, "cluster": cluster, "minion": ", ".join(minions), "note": note}


def _address(addresses: Iterable[Mapping[str, str]]) -> str:
    return next((one["address"] for one in addresses if one.get("type") == "InternalIP"), "")


def table(rows: Iterable[Mapping[str, str]]) -> str:
    """Return rows as a table, and how many are Ready below it.

    What a node says of itself is shown escaped: a terminal obeys some characters.
    """
    rows = list(rows)
    cells = [[key.upper() for key in COLUMNS], *([ascii(row[key])[1:-1] for key in COLUMNS] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = ["  ".join(map(str.ljust, line, widths)).rstrip() for line in cells]
    ready = sum(row["state"].startswith("Ready") for row in rows)
    return "\n".join([*lines, "", f"{ready} of {len(rows)} are Ready"])
