"""Why a node does not get on, as one screen: likely causes first, then what was found.

Pure: no Salt, no I/O.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import kube_node_klog as klog
import kube_node_ready as ready
import kube_node_signs as signs

WIDTH, TITLE = 110, 14
CAUSES = 3


def screen(found: Mapping[str, Any]) -> str:
    """Return what `kube_node.diagnosis` found, for a terminal.

    Args:
        found: `node` (name), `unit` (`state`, `restarts`), `healthz` (None or what is wrong), `certificates`
            (`name`, `state`), `requests` (as the API server has them, None where they were not looked at),
            `object` (the Node or None), `api` (why the API server was not asked, or None), `plugin`,
            `missing` (files of the network), `pods` (why they are), `log` (lines).
    """
    lines = klog.telling(found["log"])
    rows = [
        *_causes(klog.errors(found["log"]), None if found["healthz"] else found["object"]),
        ("kubelet", f"{_unit(found['unit'])}; healthz: {found['healthz'] or 'ok'}"),
        ("node", found["api"] or _node(found["node"], found["object"])),
        ("certificates", ", ".join(f"{one['name']} {one['state']}" for one in found["certificates"])),
        *(("request", line) for line in _requests(found)),
    ]
    if found["missing"]:
        lacking = f"{found['plugin']}: {', '.join(found['missing'])} not there"
        rows.append(("network", "; ".join([lacking, *map(klog.without_secrets, found["pods"])])))
    log = [("log", lines[0]), *(("", line) for line in lines[1:])] if lines else [("log", "is empty")]
    return "\n".join(line for title, text in [*rows, *log] for line in _row(title, text))


def _causes(errors: Iterable[str], node: Mapping[str, Any] | None) -> list[tuple[str, str]]:
    """Return what errors, and the conditions that a healthy kubelet reports, are signs of."""
    bad = [one for one in ready.conditions(node or {}) if _is_bad(one)]
    known = signs.recognise([*errors, *(str(one.get("message")) for one in bad)])
    return [
        row for sign in known[:CAUSES] for row in (("likely cause", sign.cause), ("what to do", sign.fix))
    ]


def _unit(unit: Mapping[str, Any]) -> str:
    restarts = unit["restarts"]
    return f"{unit['state']}, {restarts} restarts" if restarts else unit["state"]


def _node(name: str, node: Mapping[str, Any] | None) -> str:
    if node is None:
        return f"the API server has no Node {name}"
    bad = [one for one in ready.conditions(node) if _is_bad(one)]
    if not bad:
        return "Ready"
    return "; ".join(f"{one['type']} {one['status']}: {klog.without_secrets(_why(one))}" for one in bad)


def _why(condition: Mapping[str, Any]) -> str:
    return str(condition.get("message") or condition.get("reason"))


def _is_bad(condition: Mapping[str, Any]) -> bool:
    wanted = "True" if condition.get("type") == "Ready" else "False"
    return condition.get("status") != wanted


def _requests(found: Mapping[str, Any]) -> list[str]:
    """Say what became of the node's requests, as far as it may see them; the master sees all."""
    lacking = [one["name"] for one in found["certificates"] if not one["usable"]]
    if not lacking:
        return []
    ask = f"on the master, 'salt-run kube_node.explain {found['node']}' says why"
    if found["requests"] is None:
        return [f"of the {' and the '.join(lacking)} certificate: not to be seen from here; {ask}"]
    if not found["requests"]:
        return [f"the kubelet has asked for no {' and no '.join(lacking)} certificate; {ask}"]
    return [f"{one['metadata']['name']} {outcome(one)}; {ask}" for one in found["requests"][-2:]]


def outcome(request: Mapping[str, Any]) -> str:
    """Say what became of a certificate request."""
    status = request.get("status") or {}
    by_type = {one.get("type"): one for one in status.get("conditions") or []}
    for kind in ("Denied", "Failed"):
        if kind in by_type:
            return f"{kind.lower()}: {by_type[kind].get('message') or by_type[kind].get('reason')}"
    if status.get("certificate"):
        return "issued"
    return "approved, the signer has not signed it" if "Approved" in by_type else "pending"


def _row(title: str, text: str) -> Sequence[str]:
    return textwrap.wrap(
        text, WIDTH, initial_indent=f"{title:{TITLE}}", subsequent_indent=" " * TITLE, break_on_hyphens=False
    )
