"""What was looked at a moment ago, and for how long it is believed."""

from __future__ import annotations

from types import SimpleNamespace

import kube_node_lately
import pytest
from kube_node_lately import SECONDS, TIMES, Lately


@pytest.mark.parametrize(
    ("took", "pause", "looks"),
    [(0, SECONDS - 0.1, 1), (0, SECONDS + 0.1, 2), (2, 2 * TIMES - 0.1, 1), (2, 2 * TIMES + 0.1, 2)],
)
def test_what_took_long_is_believed_longer(monkeypatch, took: float, pause: float, looks: int):
    now, made = [0.0], []
    monkeypatch.setattr(kube_node_lately, "time", SimpleNamespace(monotonic=lambda: now[0]))

    def look() -> int:
        now[0] += took
        made.append(now[0])
        return len(made)

    lately = Lately()
    assert lately.seen("keys", look) == 1
    now[0] += pause
    assert lately.seen("keys", look) == looks


def test_each_name_has_its_own():
    lately = Lately()
    assert [lately.seen(name, lambda name=name: name) for name in ("a", "b", "a")] == ["a", "b", "a"]
