"""Layers of parameters: what wins, what stays, and who said it."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import yaml
from hypothesis import given
from hypothesis import strategies as st
from kube_node_merge import get, merge

trees = st.dictionaries(
    st.sampled_from("abc"),
    st.recursive(
        st.none() | st.integers() | st.lists(st.integers(), max_size=2),
        lambda inner: st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
        max_leaves=8,
    ),
    max_size=3,
)


def merged(*layers: dict[str, Any]) -> dict[str, Any]:
    return merge([(str(number), layer) for number, layer in enumerate(layers)])[0]


def leaves(tree: dict[str, Any], at: tuple[str, ...] = ()) -> set[tuple[str, ...]]:
    inner = [((*at, key), value) for key, value in tree.items()]
    return {
        path
        for here, value in inner
        for path in (leaves(value, here) if value and isinstance(value, dict) else {here})
    }


def test_the_later_layer_wins():
    assert merged({"a": 1}, {"a": 2}) == {"a": 2}


def test_mappings_merge():
    assert merged({"a": {"b": 1}}, {"a": {"c": 2}}) == {"a": {"b": 1, "c": 2}}


def test_lists_replace():
    assert merged({"a": [1, 2]}, {"a": [3]}) == {"a": [3]}


def test_an_empty_list_replaces():
    assert merged({"a": [1, 2]}, {"a": []}) == {"a": []}


def test_an_empty_mapping_takes_nothing_away():
    assert merged({"a": {"b": 1}}, {"a": {}}) == {"a": {"b": 1}}


def test_a_null_replaces():
    assert merged({"a": 1}, {"a": None}) == {"a": None}


def test_a_scalar_replaces_a_mapping():
    assert merged({"a": {"b": 1}}, {"a": 2}) == {"a": 2}


def test_a_mapping_replaces_a_scalar():
    assert merged({"a": 1}, {"a": {"b": 2}}) == {"a": {"b": 2}}


def test_each_value_remembers_its_layer():
    layers = [("defaults", {"a": {"b": 1, "c": 1}}), ("pillar", {"a": {"c": 2}})]
    assert merge(layers)[1] == {("a", "b"): "defaults", ("a", "c"): "pillar"}


def test_a_replaced_mapping_is_forgotten():
    assert merge([("defaults", {"a": {"b": 1}}), ("pillar", {"a": 2})])[1] == {("a",): "pillar"}


def test_a_filled_mapping_is_no_value_any_more():
    assert merge([("defaults", {"a": {}}), ("pillar", {"a": {"b": 1}})])[1] == {("a", "b"): "pillar"}


def test_the_layers_stay_as_they_were():
    layer = {"a": [{"b": [1]}]}
    merged(layer)["a"][0]["b"].append(2)
    assert layer == {"a": [{"b": [1]}]}


def test_what_a_masterless_minion_calls_a_mapping_can_be_written_as_yaml():
    assert yaml.safe_dump(merged({"a": [OrderedDict(b=OrderedDict(c=1))]})) == "a:\n- b:\n    c: 1\n"


@given(st.lists(trees, max_size=4))
def test_each_leaf_and_nothing_else_has_a_layer(layers: list[dict[str, Any]]):
    tree, origins = merge([(str(number), layer) for number, layer in enumerate(layers)])
    assert set(origins) == leaves(tree)


@given(trees)
def test_a_layer_over_itself_changes_nothing(tree: dict[str, Any]):
    assert merged(tree, tree) == tree


@given(trees, trees, trees)
def test_layers_may_be_merged_two_by_two(
    first: dict[str, Any], second: dict[str, Any], third: dict[str, Any]
):
    assert merged(merged(first, second), third) == merged(first, second, third)


def test_get_returns_what_stands_at_a_path():
    assert get({"a": {"b": 1}}, ("a", "b")) == 1


def test_get_returns_none_where_nothing_stands():
    assert get({"a": {"b": 1}}, ("a", "c", "d")) is None


def test_get_returns_none_below_a_value():
    assert get({"a": 1}, ("a", "b")) is None
