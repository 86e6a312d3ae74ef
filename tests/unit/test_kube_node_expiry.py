"""How long the certificates of a fleet still last."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from kube_node_expiry import rows, wanting

NOW = datetime(2026, 11, 27, 12, tzinfo=timezone.utc)


def told(days: float) -> list[dict]:
    """Return what a minion says of one certificate that ends in some days."""
    ends = (NOW + timedelta(days=days)).isoformat()
    return [{"name": "client", "state": "good", "ends": ends, "issuer": "kubernetes", "usable": True}]


def test_what_ends_first_is_on_top_and_what_is_not_there_before_it():
    answers = {"a": told(40), "b": told(3.5), "c": told(-0.5)}
    found = [(row["minion"], row["days_left"]) for row in rows(["a", "b", "c", "d"], answers, NOW)]
    assert found == [("d", None), ("c", -1), ("b", 3), ("a", 40)]


def test_a_minion_that_does_not_answer_is_told():
    assert rows(["a"], {}, NOW) == [
        {"minion": "a", "name": None, "state": "no answer", "ends": None, "issuer": None, "days_left": None}
    ]


@pytest.mark.parametrize(("threshold", "minions"), [(0, ["d", "c"]), (4, ["d", "c", "b"]), (3, ["d", "c"])])
def test_what_falls_below_the_threshold_is_wanting(threshold: int, minions: list[str]):
    answers = {"a": told(40), "b": told(3.5), "c": told(-0.5)}
    found = wanting(rows(["a", "b", "c", "d"], answers, NOW), threshold)
    assert [row["minion"] for row in found] == minions


@pytest.mark.parametrize("answer", ["traceback", {"x": 1}, [5], [{"ends": 5}], [{"ends": "never"}], None])
def test_whatever_a_minion_says_is_a_line_without_days(answer):
    [row] = rows(["a"], {"a": answer}, NOW)
    assert row["days_left"] is None
