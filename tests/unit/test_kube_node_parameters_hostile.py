"""Whatever stands in a pillar, only faults come of it: in time, a line each, and without a secret."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from kube_node_schema import SCHEMA

from unit.nodes import CA, TOKEN, faults, pillar, sources

LONGEST_SECONDS = 2


def test_hundreds_of_faults_are_told_in_time():
    config = {f"unknownField{number}": number for number in range(500)}
    started = time.monotonic()
    found = faults(pillar({"kubelet": {"config": config}, **config}))
    assert len(found) == 1000
    assert time.monotonic() - started < LONGEST_SECONDS


MISPLACED = [
    {"certificates": TOKEN},
    {"certificates": [{"bootstrap_token": TOKEN}]},
    {"certificates": {TOKEN: None}},
    {"certificates": {"mode": TOKEN}},
    {"certificates": {"bootstrap_token": f"{TOKEN} "}},
    {"certificates": {"bootstrap_token": TOKEN.upper()}},
    {"certificates": {"bootstrap_token": [TOKEN]}},
    {"kubelet": {"extra_args": {"bootstrap-token": TOKEN, "cloud-provider": [TOKEN]}}},
    {"kubelet": {"config": {TOKEN: TOKEN}}},
    {"node": {"name": TOKEN.upper()}, "cluster": {"name": f"{TOKEN}_"}},
]


@pytest.mark.parametrize("change", MISPLACED)
def test_no_fault_shows_a_bootstrap_token(change: dict[str, Any]):
    found = faults(pillar(change))
    assert found
    assert not any(TOKEN in line for line in found)


@pytest.mark.parametrize("tree", [TOKEN, [pillar()], {"kube_node": pillar()}, pillar({"cluster": pillar()})])
def test_no_fault_of_a_misplaced_tree_shows_a_bootstrap_token(tree: Any):
    assert not any(TOKEN in line for line in faults(tree))


# Any JSON, with a liking for the keys that are looked at.
def keys(schema: Any) -> set[str]:
    return set(schema).union(*map(keys, schema.values())) if isinstance(schema, dict) else set()


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
names = (
    st.sampled_from(sorted(keys(SCHEMA) | {"maxPods", "v", "evictionHard", "logging", "vmodule"})) | st.text()
)
trees = st.recursive(
    scalars
    | st.sampled_from(["1.36.2", "10.0.0.0/8", "production", "salt://x", "systemd", "none", CA, TOKEN]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=4),
    max_leaves=12,
)


def places(schema: Any, at: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    if not isinstance(schema, dict):
        return [at]
    return [at, *(place for key, inner in schema.items() for place in places(inner, (*at, key)))]


PLACES = [
    *places(SCHEMA),
    *(
        (component, "config", *field.split("."))
        for component in ("kubelet", "kube_proxy")
        for field in sources()["facts"][component]["fields"]
    ),
    *(
        (component, "extra_args", flag)
        for component in ("kubelet", "kube_proxy")
        for flag in sources()["facts"][component]["flags"]
    ),
]


def put(tree: dict[str, Any], place: tuple[str, ...], value: Any) -> Any:
    """Return `tree` with `value` at `place`, whatever stood there or on the way."""
    if not place:
        return value
    tree = tree if isinstance(tree, dict) else {}
    return tree | {place[0]: put(tree.get(place[0]), place[1:], value)}


def is_a_fault(line: str) -> bool:
    path, colon, message = line.partition(": ")
    return bool(path and colon) and ", " in message and line.isprintable() and TOKEN not in line


def verdict(tree: Any) -> list[str]:
    """Compile `tree`; anything but a result in time or a ParameterError fails the test."""
    started = time.monotonic()
    found = faults(tree)
    assert time.monotonic() - started < LONGEST_SECONDS
    return found


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(trees)
def test_no_json_at_all_raises_anything_but_faults(tree: Any):
    found = verdict(tree)
    assert found
    assert all(map(is_a_fault, found))


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    version=st.sampled_from(["1.9.0", "1.14.10", "1.22.3", "1.36.2"]),
    place=st.sampled_from(PLACES),
    value=trees,
)
def test_no_json_in_any_place_raises_anything_but_faults(version: str, place: tuple[str, ...], value: Any):
    assert all(map(is_a_fault, verdict(put(pillar({"version": version}), place, value))))


@pytest.mark.parametrize(
    "value",
    [
        10**5000,
        -(10**5000),
        float("nan"),
        float("inf"),
        "\x00",
        "\ud800",
        "\n",
        "a" * 10**6,
        [[]] * 1000,
        b"\xff",
        {1, 2},
        (1,),
    ],
    ids=lambda value: type(value).__name__,
)
@pytest.mark.parametrize(
    "place",
    [
        (),
        ("version",),
        ("kubelet", "config"),
        ("kubelet", "config", "maxPods"),
        ("kubelet", "extra_args", "v"),
        ("os", "sysctl"),
    ],
    ids=".".join,
)
def test_what_json_can_hardly_say_raises_nothing_but_faults(place: tuple[str, ...], value: Any):
    found = verdict(put(pillar(), place, value))
    assert all(map(is_a_fault, found))


@pytest.mark.parametrize(
    "key", [10**5000, 1.5, None, True, b"x", "\n", "\ud800", "a" * 10**6], ids=lambda key: type(key).__name__
)
@pytest.mark.parametrize(
    "place",
    [(), ("node",), ("node", "labels"), ("kubelet", "config"), ("kubelet", "extra_args"), ("os", "sysctl")],
    ids=".".join,
)
def test_a_key_that_is_none_is_a_fault(place: tuple[str, ...], key: Any):
    found = verdict(put(pillar(), (*place, key), "x"))
    assert found
    assert all(map(is_a_fault, found))
