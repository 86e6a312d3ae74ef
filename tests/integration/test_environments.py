"""The example of two environments on a real master: each minion gets its own values, none of the other's."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from salt._logging import shutdown_temp_handler
from saltfactories.utils import random_string

MINIONS = {"prod-worker-1": "base", "staging-worker-1": "staging"}
CLUSTERS = {"prod-worker-1": "production", "staging-worker-1": "staging"}
VERSIONS = {"prod-worker-1": "1.34.2", "staging-worker-1": "1.36.2"}
RUNTIMES = {"prod-worker-1": "containerd", "staging-worker-1": "docker"}


@pytest.fixture(scope="module")
def example(formula: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the example."""
    folder = tmp_path_factory.mktemp("environments") / "srv"
    shutil.copytree(formula / "docs/examples/environments", folder)
    return folder


@pytest.fixture(scope="module")
def environments(salt_factories, example: Path, formula: Path) -> Any:
    """Return a running master with the example's configuration."""
    # What Salt holds back until its logging is configured would be printed after pytest's last line.
    shutdown_temp_handler()
    config = yaml.safe_load((example / "master.conf").read_text())
    for roots in ("pillar_roots", "file_roots"):
        config[roots] = {
            name: [there(folder, example, formula) for folder in folders]
            for name, folders in config[roots].items()
        }
    master = salt_factories.salt_master_daemon(random_string("environments-"), overrides=config)
    with master.started():
        yield master


def there(folder: str, example: Path, formula: Path) -> str:
    """Return where the example's folder on a master lies in this test."""
    return folder.replace("/srv/formulas/kube_node", str(formula)).replace("/srv", str(example), 1)


@pytest.fixture(scope="module")
def answers(environments: Any, example: Path) -> dict[str, dict[str, Any]]:
    """Return what each minion says of its environment."""
    return {minion: ask(environments, example, minion) for minion in MINIONS}


def ask(master: Any, example: Path, minion: str) -> dict[str, Any]:
    config = yaml.safe_load((example / "minion" / f"{MINIONS[minion]}.conf").read_text())
    with master.salt_minion_daemon(minion, overrides=config).started():
        client = master.salt_cli()
        client.run("saltutil.sync_all", minion_tgt=minion)
        questions = ("kube_node.parameters", "kube_node.render", "state.show_top", "pillar.items")
        return {question: client.run(question, minion_tgt=minion).data for question in questions}


@pytest.mark.parametrize("minion", MINIONS)
def test_each_minion_is_a_node_of_its_environments_cluster(answers, minion: str):
    found = answers[minion]["kube_node.parameters"]
    assert (found["cluster"]["name"], found["version"], found["runtime"]["name"]) == (
        CLUSTERS[minion],
        VERSIONS[minion],
        RUNTIMES[minion],
    )


@pytest.mark.parametrize("minion", MINIONS)
def test_each_minion_gets_nothing_of_the_other_environment(answers, minion: str):
    [other] = set(MINIONS) - {minion}
    everything = str(answers[minion])
    others = answers[other]["kube_node.parameters"]
    for value in (others["cluster"]["api_server"], others["version"], others["node"]["addresses"][0], other):
        assert value not in everything


@pytest.mark.parametrize("minion", MINIONS)
def test_each_minion_gets_the_formula_by_its_own_top_file(answers, minion: str):
    assert answers[minion]["state.show_top"] == {MINIONS[minion]: ["kube_node"]}


@pytest.mark.parametrize("minion", MINIONS)
def test_each_minions_files_are_those_of_its_runtime(answers, minion: str):
    files = answers[minion]["kube_node.render"]
    found = {path for path in files if path.startswith(("/etc/containerd/", "/etc/docker/"))}
    wanted = {"containerd": {"/etc/containerd/config.toml"}, "docker": {"/etc/docker/daemon.json"}}
    assert found == wanted[RUNTIMES[minion]]


def test_a_minion_that_claims_the_other_environment_gets_nothing_of_it(environments):
    claim = {"pillarenv": "staging", "saltenv": "staging"}
    with environments.salt_minion_daemon("prod-worker-2", overrides=claim).started():
        found = environments.salt_cli().run("pillar.items", minion_tgt="prod-worker-2").data
    assert found == {}
