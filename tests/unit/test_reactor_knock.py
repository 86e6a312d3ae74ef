"""The reaction to a knock: it calls the modules itself, or the runner where the reactor is older."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

SLS = Path(__file__).parents[2] / "kube_node/reactor/knock.sls"
TAG = "kube_node/kubelet/start"
DATA = {"id": "worker-1", "lacks": ["client"], "_stamp": "2026-11-28T00:00:00", "cmd": "_minion_event"}
TOLD = {key: DATA[key] for key in ("id", "lacks", "_stamp")}


def reaction(modules: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the reactor is to do, as Salt's renderer for Python has it."""
    names: dict[str, Any] = {"__salt__": modules, "data": DATA, "tag": TAG}
    exec(compile(SLS.read_text(), str(SLS), "exec"), names)
    return names["run"]()


@pytest.fixture
def told() -> list[tuple[Any, ...]]:
    return []


@pytest.fixture
def modules(told) -> dict[str, Any]:
    """Return the modules that the reaction needs; the first is what it calls."""
    return {
        "kubelet_csr_knocks.knock": lambda *arguments: told.append(arguments),
        "kubelet_csr.clusters": list,
        "kube_node_minions.cluster_of": str,
    }


def test_the_module_is_called_and_no_runner(modules, told):
    assert reaction(modules) == {}
    assert told == [(TAG, TOLD)]


@pytest.mark.parametrize(
    "name", ["kubelet_csr_knocks.knock", "kubelet_csr.clusters", "kube_node_minions.cluster_of"]
)
def test_the_runner_is_called_where_the_reactor_has_not_all_modules(modules, told, name: str):
    del modules[name]
    args = [{"minion": "worker-1"}, {"tag": TAG}, {"said": TOLD}]
    assert reaction(modules) == {"minion-knocked": {"runner.kube_node.knock": [{"args": args}]}}
    assert told == []
