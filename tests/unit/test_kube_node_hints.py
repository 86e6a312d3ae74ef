"""Who minions say they are by their cached pillars."""

from __future__ import annotations

from typing import Any

import pytest
from kube_node_hints import Hints

NODE = {"cluster": {"name": "production", "api_server": "https://10.0.0.10:6443"}}


class Cache:
    """Salt's cache, with the pillars of some minions."""

    def __init__(self, **pillars: Any) -> None:
        self.pillars, self.written, self.fetched = pillars, 1, 0

    def contains(self, bank: str, key: str) -> bool:
        return bank == "pillar" and key in self.pillars

    def updated(self, *_: str) -> int:
        return self.written

    def fetch(self, _: str, key: str) -> Any:
        self.fetched += 1
        return self.pillars[key]


@pytest.mark.parametrize(
    ("pillars", "cluster", "is_foreign"),
    [
        ({"one": {"kube_node": NODE}}, "production", False),
        ({"one": {"other": 1}}, None, True),
        ({"one": {"kube_node": {"cluster": 1}}}, None, False),
        ({"one": "not a mapping"}, None, False),
        ({}, None, False),
    ],
)
def test_who_a_minion_is(pillars: dict[str, Any], cluster: str | None, is_foreign: bool):
    hint = Hints(Cache(**pillars)).of("one")
    assert (hint.identity and hint.identity.cluster, hint.is_foreign) == (cluster, is_foreign)


def test_a_pillar_is_read_again_when_it_was_cached_anew():
    cache = Cache(one={"kube_node": NODE})
    hints = Hints(cache)
    first = hints.of("one")
    cache.pillars["one"] = {"kube_node": {"cluster": NODE["cluster"] | {"name": "staging"}}}
    assert hints.of("one") == first
    cache.written += 1
    assert hints.of("one").identity.cluster == "staging"
    assert hints.of("one").digest != first.digest
    assert cache.fetched == 2
