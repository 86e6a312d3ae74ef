"""The record of decisions."""

from __future__ import annotations

import json
from datetime import datetime, timezone

import kube_node_audit as audit

NOW = datetime(2026, 11, 23, 12, 0, 5, tzinfo=timezone.utc)
DECISION = {
    "cluster": "demo",
    "name": "csr-bcdfg",
    "created": "2026-11-23T12:00:03Z",
    "verdict": "approve",
    "rule": "approved_token",
    "message": "Because.",
}


def test_a_decision_is_one_line_whatever_a_requestor_writes():
    text = audit.line(DECISION | {"name": "x\n\x1b[2J\u2028" + "y" * 10_000}, NOW)
    assert text.count("\n") == 1
    assert text.isascii()
    assert "\x1b" not in text
    assert len(json.loads(text)["name"]) == 500


def test_a_decision_says_when():
    assert json.loads(audit.line(DECISION, NOW))["time"] == "2026-11-23T12:00:05.000+00:00"


def test_last_decisions_are_read_and_a_torn_line_is_left_out(tmp_path):
    path = tmp_path / "audit.log"
    audit.append(path, '{"name": "a"}\n{"name": "b"}\n{"na')
    assert audit.read(path, 2) == [{"name": "b"}]


def test_log_that_is_not_there_is_empty(tmp_path):
    assert audit.read(tmp_path / "none.log", 5) == []


def test_counters_go_on_from_what_the_file_says(tmp_path):
    path = tmp_path / "kube_node.prom"
    audit.count(path, [DECISION], NOW)
    audit.count(path, [DECISION, DECISION | {"verdict": "ignore", "rule": "node_known"}], NOW)
    assert [line for line in path.read_text().splitlines() if not line.startswith("#")] == [
        'kube_node_csr_decision_seconds_count{cluster="demo",verdict="approve"} 2',
        'kube_node_csr_decision_seconds_sum{cluster="demo",verdict="approve"} 4',
        'kube_node_csr_decisions_total{cluster="demo",verdict="approve",rule="approved_token"} 2',
        'kube_node_csr_decisions_total{cluster="demo",verdict="ignore",rule="node_known"} 1',
    ]
