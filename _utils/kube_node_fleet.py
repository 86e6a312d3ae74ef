"""A cluster's nodes as rows: what the API server says of each, and the minion that is it.

Pure: no Salt, no I/O.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import kube_node_ready as ready

COLUMNS = ("cluster", "node", "minion", "state", "version", "address", "note")
_STATES = {"True": "Ready", "False": "NotReady"}


def rows(
    cluster: str, nodes: Iterable[Mapping[str, Any]], minions: Mapping[str, str]
) -> list[dict[str, str]]:
    """Return a row for each Node, and for each minion that is to be one, by name.

    Args:
        cluster: its name.
        nodes: the Nodes, as the API server has them.
        minions: of each minion of that cluster, by id, the name of the node that it is.

    Returns:
        `{cluster, node, minion, state, version, address, note}`, all texts. The state is `Ready`, `NotReady`,
        `Unknown` or `not registered`, with what kubectl adds to it; the note says what is amiss.
    """
    found = {node["metadata"]["name"]: node for node in nodes}
    owners: dict[str, list[str]] = {}
    for minion, name in sorted(minions.items()):
        owners.setdefault(name, []).append(minion)
    return [
        {"cluster": cluster, "node": name, **_row(found.get(name), owners.get(name, []))}
        for name in sorted(found.keys() | owners.keys())
    ]


def _row(node: Mapping[str, Any] | None, minions: list[str]) -> dict[str, str]:
    notes = []
    if not minions:
        notes.append("no accepted minion is this node")
    elif len(minions) > 1:
        notes.append("claimed by several minions, give each a node.name of its own")
    row = {"minion": ", ".join(minions), "state": "not registered", "version": "", "address": ""}
    if node is not None:
        status = node.get("status") or {}
        condition = ready.condition(node, "Ready") or {}
        state = _STATES.get(condition.get("status", ""), "Unknown")
        if state != "Ready":
            notes.append(str(condition.get("message") or condition.get("reason") or "it never reported"))
        unschedulable = (node.get("spec") or {}).get("unschedulable")
        row |= {
            "state": f"{state},SchedulingDisabled" if unschedulable else state,
            "version": ready.release(node) or "",
            "address": _address(status.get("addresses") or []),
        }
    return row | {"note": "; ".join(notes)}


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
