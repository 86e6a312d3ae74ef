"""Which minions a master knows, by its own keys: through Salt's own loader, as on a master."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import kube_node_lately
import pytest
import salt.cache
import salt.config
import salt.loader
import salt.pillar
import yaml
from lab.fleet import minions
from lab.master import Master, settings
from lab.network import Loopback


@pytest.fixture
def master(tmp_path: Path) -> Master:
    """A master that does not run: its folders alone."""
    return Master(tmp_path, Loopback())


@pytest.fixture
def modules(master: Master, formula: Path) -> Any:
    """Return the execution modules that the master has."""
    ours = {"module_dirs": [str(formula / "_modules")], "utils_dirs": [str(formula / "_utils")]}
    for folder in (master.config, master.pillar):
        folder.mkdir(parents=True)
    (master.config / "master").write_text(yaml.safe_dump(settings(master) | ours))
    opts = {**salt.config.master_config(str(master.config / "master")), "grains": {}}
    return salt.loader.minion_mods(opts, utils=salt.loader.utils(opts))


@pytest.fixture
def module(modules: Any) -> ModuleType:
    """Return the module itself, as the loader has it."""
    return sys.modules[modules["kube_node_minions.accepted"].__module__]


@pytest.mark.parametrize("count", [3, 300])
def test_who_is_accepted_is_told_apart_among_few_and_among_many(modules, master, count):
    ours = {f"node-{number}" for number in range(count)}
    minions.accept(master, ours)
    strangers = {f"stranger-{number}" for number in range(count)} | {"../node-0", ""}
    assert modules["kube_node_minions.known_minions"](ours | strangers) == strangers


def test_a_list_of_keys_that_took_long_is_believed_for_longer(modules, module, monkeypatch):
    now, lists = [0.0], []
    monkeypatch.setattr(kube_node_lately, "time", SimpleNamespace(monotonic=lambda: now[0]))

    def accepted() -> set[str]:
        now[0] += 2
        lists.append(now[0])
        return set()

    monkeypatch.setattr(module, "accepted", accepted)
    for seconds in (0, 7, 2):
        now[0] += seconds
        modules["kube_node_minions.known_minions"]({f"node-{number}" for number in range(300)})
    assert len(lists) == 2


def test_a_fleet_is_shown_by_what_was_last_known_of_it(modules, module, master, monkeypatch):
    minions.accept(master, {"worker-1"})
    cluster, compiled = {"name": "production", "api_server": "https://10.0.0.10:6443"}, []

    def compile_pillar(minion: str) -> dict[str, Any]:
        compiled.append(minion)
        return {"kube_node": {"cluster": cluster}}

    monkeypatch.setattr(module, "_compile", compile_pillar)
    for count, ask in ((1, "last_known"), (1, "last_known"), (2, "identities")):
        (master.pillar / "top.sls").write_text(f"# {ask} {count}")
        modules.pack["__context__"].clear()
        [found] = modules[f"kube_node_minions.{ask}"]({"worker-1", "stranger"}).values()
        assert (found.cluster, len(compiled)) == ("production", count)
    forged = {"kube_node": {"cluster": cluster | {"name": "staging"}}}
    salt.cache.factory(modules.opts).store("pillar", "worker-1", forged)
    assert modules["kube_node_minions.last_known"]({"worker-1"})["worker-1"].cluster == "production"


def test_a_pillar_whose_matcher_salt_did_not_find_is_compiled_once_more(modules, master, monkeypatch):
    minions.accept(master, {"node-0"})
    faults, calls = [KeyError("compound_match.match")], []

    class Pillar(salt.pillar.Pillar):
        def top_matches(self, *arguments, **options):
            calls.append(1)
            if faults:
                raise faults.pop()
            return super().top_matches(*arguments, **options)

    monkeypatch.setattr(salt.pillar, "Pillar", Pillar)
    assert modules["kube_node_minions.identities"](["node-0"]) == {"node-0": None}
    assert len(calls) == 2
