"""The fleet as rows and as a table."""

from __future__ import annotations

from typing import Any

import kube_node_fleet as fleet


def node(name: str, ready: str = "True", **spec: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": name},
        "spec": spec,
        "status": {
            "conditions": [{"type": "Ready", "status": ready, "message": f"{name} says so"}],
            "nodeInfo": {"kubeletVersion": "v1.36.2"},
            "addresses": [
                {"type": "Hostname", "address": name},
                {"type": "InternalIP", "address": "10.0.0.1"},
            ],
        },
    }


def told(nodes: list, minions: dict) -> list[tuple[str, str, str, str]]:
    rows = fleet.rows("demo", map(fleet.seen, nodes), minions)
    return [(row["node"], row["minion"], row["state"], row["note"]) for row in rows]


def test_a_row_is_whole():
    assert fleet.rows("demo", [fleet.seen(node("a"))], {"A": "a"}) == [
        {
            "cluster": "demo",
            "node": "a",
            "minion": "A",
            "state": "Ready",
            "version": "1.36.2",
            "address": "10.0.0.1",
            "note": "",
        }
    ]


def test_each_state_is_told():
    nodes = [node("c", "Unknown"), node("b", "False", unschedulable=True), node("a", unschedulable=True)]
    assert told(nodes, {"a": "a", "b": "b", "c": "c", "d": "d"}) == [
        ("a", "a", "Ready,SchedulingDisabled", ""),
        ("b", "b", "NotReady,SchedulingDisabled", "b says so"),
        ("c", "c", "Unknown", "c says so"),
        ("d", "d", "not registered", ""),
    ]


def test_a_node_that_never_reported():
    assert told([{"metadata": {"name": "a"}}], {"a": "a"}) == [("a", "a", "Unknown", "it never reported")]


def test_a_node_that_is_nobodys_and_one_that_is_claimed_twice():
    assert told([node("a"), node("b")], {"x": "b", "y": "b"}) == [
        ("a", "", "Ready", "no accepted minion is this node"),
        ("b", "x, y", "Ready", "claimed by several minions, give each a node.name of its own"),
    ]


def test_the_table_ends_with_a_sum_and_obeys_no_terminal():
    text = fleet.table(fleet.rows("demo", map(fleet.seen, [node("a"), node("b\x1b", "False")]), {"a": "a"}))
    lines = text.splitlines()
    assert lines[0].split() == ["CLUSTER", "NODE", "MINION", "STATE", "VERSION", "ADDRESS", "NOTE"]
    assert lines[-1] == "1 of 2 are Ready"
    assert "\x1b" not in text


def test_a_table_of_nothing():
    assert fleet.table([]).splitlines()[-1] == "0 of 0 are Ready"
