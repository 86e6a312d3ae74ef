"""An explanation as a screen of text: what is known, and rule by rule what was expected, found, and is to be
done."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from typing import Any

WIDTH = 100
_MARKS = {"passed": "ok", "failed": "NO", "not reached": "-"}


def screen(known: Mapping[str, Any]) -> str:
    """Return an explanation of `kubelet_csr.explain` for a terminal.

    The rules that passed or were not reached take a word each: what is to be read is the one that did not
    pass.
    """
    cluster, node, minion = known["cluster"], known["node"], known["minion"]
    lines = [f"cluster  {cluster}", f"node     {_shown(node)}", f"minion   {_shown(minion)}"]
    if known["request"] is None:
        return "\n".join([*lines, "request  none", "", *_without_request(known)])
    lines += [f"request  {_shown(known['request'])}", ""]
    failed = next((rule for rule in known["rules"] if rule["state"] == "failed"), None)
    lines += _wrapped([f"{_MARKS[rule['state']]:2} {rule['name']}" for rule in known["rules"]])
    if failed is None:
        return "\n".join(
            [*lines, "", "Every rule passes: the next pass approves it (salt-run kube_node.approve)."]
        )
    rows = [("rule", failed["name"]), ("expected", failed["expected"]), ("found", failed["found"])]
    rows.append(("what to do", failed["todo"] or "nothing, it is left alone on purpose"))
    return "\n".join([*lines, "", *(line for row in rows for line in _row(*row))])


def _without_request(known: Mapping[str, Any]) -> list[str]:
    node, cluster = known["node"], known["cluster"]
    if known["minion"] is None:
        what = (
            f"No accepted minion's pillar says that it is node {_shown(node)} of {cluster}. "
            "Look at salt-key -L and, on its minion, at salt-call pillar.get kube_node: "
            "cluster.name and node.name must say so."
        )
    else:
        what = (
            f"Minion {known['minion']} is this node, and there is no request of it at the API server: "
            "its kubelet has all its certificates, does not run, or cannot reach the API server or log in. "
            "Look at journalctl -u kubelet on it, and at kubectl get node; "
            "a kubelet whose bootstrap token has expired says Unauthorized."
        )
    return textwrap.wrap(what, WIDTH)


def _row(title: str, text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent=f"{title:12}", subsequent_indent=" " * 12)


def _wrapped(cells: list[str]) -> list[str]:
    """Lay cells out in columns, read downwards."""
    width = max(map(len, cells), default=0) + 3
    columns = max(1, WIDTH // width)
    rows = -(-len(cells) // columns)
    return ["".join(f"{cell:{width}}" for cell in cells[row::rows]).rstrip() for row in range(rows)]


def _shown(value: Any) -> str:
    """A name that a requestor chose is shown escaped: a terminal obeys some characters."""
    return "unknown" if value is None else ascii(str(value))[1:-1]
