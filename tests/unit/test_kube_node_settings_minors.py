"""Every minor gets flags and fields that it knows, and each setting in one of the two."""

from __future__ import annotations

import re
from typing import Any

import kube_node_values as values
import kube_node_versions as versions
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unit.nodes import compiled, sources
from unit.test_kube_node_settings import config, of

FACTS = sources()["facts"]
MINORS = versions.minors(FACTS)
# Settings whose keys are free.
MAPS = ("featureGates",)
TAINT = {"key": "gpu", "value": "", "effect": "NoSchedule"}


@pytest.mark.parametrize("minor", MINORS)
@pytest.mark.parametrize("component", ["kubelet", "kube_proxy"])
def test_every_minor_gets_flags_that_it_knows(minor: str, component: str):
    node = compiled({"version": f"{minor}.0", "node": {"taints": [TAINT], "labels": {"tier": "gold"}}})
    used = {re.match(r'"?--([a-z0-9-]+)=', argument)[1] for argument in node[component]["arguments"]}
    assert used <= set(versions.flags(FACTS, component, minor))


@pytest.mark.parametrize("minor", MINORS)
@pytest.mark.parametrize("component", ["kubelet", "kube_proxy"])
def test_every_minor_gets_fields_that_it_knows(minor: str, component: str):
    node = compiled({"version": f"{minor}.0", "node": {"taints": [TAINT]}})
    fields = set(versions.fields(FACTS, component, minor))
    assert set(paths(config(node, component) or {})) - {"apiVersion", "kind"} <= fields


def paths(tree: dict[str, Any], at: str = "") -> list[str]:
    return [
        path
        for key, value in tree.items()
        for path in (
            paths(value, f"{at}{key}.") if isinstance(value, dict) and key not in MAPS else [f"{at}{key}"]
        )
    ]


# A value of each type that has no keys of its own.
VALUES = {
    "bool": st.booleans(),
    "int": st.integers(-(2**31), 2**31 - 1),
    "float": st.floats(0, 1),
    "string": st.text("ab $%\"'\\é", max_size=8),
    "duration": st.sampled_from(["10s", "1m30s"]),
    "quantity": st.sampled_from(["10Mi", "1"]),
    "path": st.sampled_from(["", "/etc/x"]),
    "url": st.sampled_from(["unix:///run/x.sock", "https://x"]),
    "ip": st.sampled_from(["10.0.0.1", "2001:db8::1"]),
    "list": st.lists(st.text("ab$%", min_size=1, max_size=3), unique=True, max_size=3),
}
SETTINGS = sorted(
    (minor, path, field.type)
    for minor in MINORS
    for path, field in versions.fields(FACTS, "kubelet", minor).items()
    if field.type in VALUES and not field.values and "[]" not in path and path not in ("cgroupDriver",)
)


@settings(max_examples=200, deadline=None)
@given(setting=st.sampled_from(SETTINGS), data=st.data())
def test_what_the_pillar_sets_is_set_once(setting: tuple[str, str, str], data: st.DataObject):
    minor, path, kind = setting
    value = data.draw(st.integers(*values.RANGES[path]) if path in values.RANGES else VALUES[kind])
    tree = value
    for key in reversed(path.split(".")):
        tree = {key: tree}
    node = compiled(of(f"{minor}.0", config=tree))
    flag = versions.fields(FACTS, "kubelet", minor)[path].flag
    in_file = path in paths(config(node) or {})
    on_command_line = any(re.match(rf'"?--{flag}=', argument) for argument in node["kubelet"]["arguments"])
    assert in_file != (on_command_line and flag != "v")
