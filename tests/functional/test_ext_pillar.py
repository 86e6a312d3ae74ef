"""Each minion's bootstrap token comes with its pillar: through Salt's own loader and compiler, as on a
master."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import kube_node_tokens
import pytest
import salt.config
import salt.loader
import salt.pillar
import yaml
from unit.nodes import without

Compile = Callable[..., dict[str, Any]]


@pytest.fixture
def opts(formula: Path, tmp_path: Path) -> dict[str, Any]:
    """Return a master's configuration with the external pillar of kube_node/master/master.conf."""
    folders = {
        name: str(tmp_path / name) for name in ("cachedir", "pki_dir", "sock_dir", "config_dir", "pillar")
    }
    for folder in folders.values():
        Path(folder).mkdir()
    pillar_root = folders.pop("pillar")
    config = yaml.safe_load((formula / "kube_node/master/master.conf").read_text())
    return salt.config.DEFAULT_MASTER_OPTS.copy() | {
        **folders,
        "__role": "master",
        "id": "master",
        "file_client": "local",
        "root_dir": str(tmp_path),
        "conf_file": str(tmp_path / "config_dir" / "master"),
        "extension_modules": str(tmp_path / "cachedir" / "extmods"),
        "log_file": str(tmp_path / "master.log"),
        "pillar_roots": {"base": [pillar_root]},
        "ext_pillar": config["ext_pillar"],
        "pillar_dirs": [str(formula / "_pillar")],
        "utils_dirs": [str(formula / "_utils")],
    }


@pytest.fixture
def give(opts) -> Callable[[str, Any], None]:
    """Return a function that writes a minion's pillar."""
    [root] = map(Path, opts["pillar_roots"]["base"])
    top: dict[str, list[str]] = {}

    def write(minion: str, tree: Any) -> None:
        top[minion] = [minion]
        (root / "top.sls").write_text(yaml.safe_dump({"base": top}))
        (root / f"{minion}.sls").write_text(yaml.safe_dump({"kube_node": tree}))

    return write


@pytest.fixture
def compiled(opts) -> Compile:
    """Return a function that compiles a minion's pillar, with what the minion overrides."""

    def compile_pillar(minion: str, override: dict[str, Any] | None = None) -> dict[str, Any]:
        found = salt.pillar.Pillar(opts, {"id": minion}, minion, "base", pillar_override=override)
        return found.compile_pillar()

    return compile_pillar


@pytest.fixture
def token(compiled) -> Callable[..., str | None]:
    """Return a function that gives the bootstrap token in a minion's pillar."""

    def find(minion: str, override: dict[str, Any] | None = None) -> str | None:
        return compiled(minion, override)["kube_node"].get("certificates", {}).get("bootstrap_token")

    return find


@pytest.fixture
def accepted(opts) -> Callable[[str, str], list[str]]:
    """Return a function that gives the tokens by which the master lets a minion in as a node."""
    path = Path(opts["config_dir"], "kube_node", "token.keys")

    def find(minion: str, node: str, cluster: str = "production") -> list[str]:
        keys = kube_node_tokens.read(path)
        return [str(one) for one in kube_node_tokens.accepted(keys, cluster, minion, node, time.time())]

    return find


def tree(**node: Any) -> dict[str, Any]:
    """Return the smallest pillar of a node that leaves its token to the master."""
    return without("certificates") | {"node": {"addresses": ["192.168.1.42"], **node}}


def test_a_minion_gets_the_token_by_which_it_is_let_in(give, token, accepted):
    give("worker-1", tree())
    assert token("worker-1") == accepted("worker-1", "worker-1")[0]


def test_each_minion_gets_another(give, token):
    give("worker-1", tree())
    give("worker-2", tree())
    assert token("worker-1") != token("worker-2")


def test_a_minion_gets_the_same_each_time(give, token):
    give("worker-1", tree())
    assert token("worker-1") == token("worker-1")


def test_a_minion_whose_pillar_gives_it_another_name_gets_that_nodes_token(give, token, accepted):
    give("worker-1", tree(name="rack-7"))
    assert token("worker-1") in accepted("worker-1", "rack-7")


def test_the_rest_of_the_pillar_is_as_it_was(give, compiled):
    give("worker-1", tree() | {"certificates": {"wait_seconds": 60}})
    found = compiled("worker-1")["kube_node"]
    assert found.pop("certificates").keys() == {"wait_seconds", "bootstrap_token"}
    assert found == tree()


@pytest.mark.parametrize(
    "certificates",
    [
        {"bootstrap_token": "k3s9x2.q7w5e1r8t4y6u0p3"},
        {"bootstrap_token": None},
        {"bootstrap_user": "kubelet-bootstrap"},
        {"mode": "static"},
    ],
)
def test_what_the_operator_says_of_the_token_is_left_alone(give, compiled, certificates):
    give("worker-1", tree() | {"certificates": certificates})
    assert compiled("worker-1")["kube_node"]["certificates"] == certificates


def test_a_minion_that_is_no_node_gets_nothing(give, compiled):
    give("worker-1", tree())
    assert compiled("database-1") == {}


def test_a_pillar_without_a_cluster_gets_nothing(give, token):
    give("worker-1", without("cluster") | {"certificates": {}})
    assert token("worker-1") is None


@pytest.mark.parametrize(
    "wrong", [7, [], "production", {"cluster": "production"}, {"cluster": {"name": ["x"]}}]
)
def test_a_faulty_pillar_is_left_to_those_who_check_it(give, compiled, wrong):
    give("worker-1", wrong)
    assert compiled("worker-1") == {"kube_node": wrong}


def test_a_minion_that_overrides_its_name_gets_no_token_by_which_it_is_let_in_as_that(give, token, accepted):
    give("worker-1", tree())
    give("worker-2", tree())
    forged = token("worker-2", {"kube_node": {"node": {"name": "worker-1"}}})
    assert forged not in accepted("worker-1", "worker-1")
    assert forged not in accepted("worker-2", "worker-2")


@pytest.mark.parametrize(
    "name", ["worker-1\0worker-1", "worker-1\0", "\0worker-1", "production\0worker-1\0worker-1"]
)
def test_no_trick_with_names_makes_it_anothers_token(give, token, accepted, name):
    give("worker-1", tree())
    give("worker-2", tree())
    for part in ("node", "cluster"):
        assert token("worker-2", {"kube_node": {part: {"name": name}}}) not in accepted(
            "worker-1", "worker-1"
        )


def test_a_minion_that_overrides_its_cluster_gets_no_token_of_that(give, token, accepted):
    give("worker-2", tree())
    forged = token("worker-2", {"kube_node": {"cluster": {"name": "staging"}}})
    assert forged not in accepted("worker-1", "worker-1", "staging")
    assert forged not in accepted("worker-2", "worker-2")


def test_a_key_that_was_rotated_makes_the_tokens_from_then_on(give, token, accepted, opts):
    give("worker-1", tree())
    before = token("worker-1")
    kube_node_tokens.rotate(Path(opts["config_dir"], "kube_node", "token.keys"), time.time())
    assert token("worker-1") == accepted("worker-1", "worker-1")[0] != before
    assert before in accepted("worker-1", "worker-1")


def test_a_key_file_without_a_key_keeps_no_minion_from_the_rest_of_its_pillar(give, compiled, opts):
    give("worker-1", tree())
    compiled("worker-1")
    Path(opts["config_dir"], "kube_node", "token.keys").write_text("")
    found = compiled("worker-1")
    assert found["kube_node"] == tree()
    assert found["_errors"][0].startswith("Failed to load ext_pillar kube_node: ")
    assert "holds no key: remove it" in found["_errors"][0]


def test_no_secret_is_in_the_log(give, token, opts, caplog):
    give("worker-1", tree())
    with caplog.at_level(logging.NOTSET + 1):
        secret = token("worker-1").split(".")[1]
    [key] = kube_node_tokens.read(Path(opts["config_dir"], "kube_node", "token.keys"))
    assert caplog.messages
    assert not [line for line in caplog.messages if secret in line or key.key.hex() in line]


def test_the_key_is_the_masters_alone(give, token, opts):
    give("worker-1", tree())
    token("worker-1")
    assert Path(opts["config_dir"], "kube_node", "token.keys").stat().st_mode & 0o777 == 0o600


@pytest.fixture
def loaded(opts) -> Callable[[str, dict], dict]:
    """Return the external pillar itself, as one of the master's processes keeps it."""
    functions = salt.loader.minion_mods({**opts, "grains": {}})
    return salt.loader.pillars({**opts, "grains": {}}, functions, context={})["kube_node"]


def test_a_key_that_was_rotated_is_seen_by_who_has_read_the_old_one(loaded, opts):
    loaded("worker-1", {"kube_node": tree()})  # makes the first key
    before = loaded("worker-1", {"kube_node": tree()})
    kube_node_tokens.rotate(Path(opts["config_dir"], "kube_node", "token.keys"), time.time())
    assert loaded("worker-1", {"kube_node": tree()}) != before


def test_the_token_costs_little(loaded):
    """A thousand minions' pillars are compiled at once when a rack returns."""
    loaded("worker-1", {"kube_node": tree()})
    start = time.process_time()
    for _ in range(1000):
        loaded("worker-1", {"kube_node": tree()})
    assert time.process_time() - start < 1
