"""kube_node.parameters on a minion: one door, the operator's words, and no secret for who needs none."""

from __future__ import annotations

from pathlib import Path

import kube_node_files
import pytest
from salt.exceptions import CommandExecutionError
from unit.nodes import TOKEN, compiled, pillar
from unit.test_kube_node_files import NODE, templates

pytestmark = pytest.mark.usefixtures("node")


def test_the_module_has_these_functions_and_no_other(modules):
    assert {name for name in modules if name.startswith("kube_node.")} == {
        "kube_node.parameters",
        "kube_node.missing_certificates",
        "kube_node.binary_faults",
        "kube_node.binary_matches",
        "kube_node.cached_binary",
    }


def test_the_pillar_arrives_as_it_was_written(modules):
    assert modules.kube_node.parameters()["binaries"]["sha256"]["kubelet"] == "a" * 64


def test_the_node_goes_by_the_minions_id(modules):
    assert modules.kube_node.parameters()["node"]["name"] == "worker-1"


def test_the_knock_uses_the_minions_own_configuration(modules, minion_opts):
    called = modules.kube_node.parameters()["node"]["salt_call"]
    assert called.endswith(f"/salt-call --config-dir={minion_opts['config_dir']}")


def test_a_bootstrap_token_is_not_shown_to_who_asks(modules):
    assert TOKEN not in str(modules.kube_node.parameters())


def test_another_pillar_is_seen_at_once(modules, node):
    modules.kube_node.parameters()
    node(pillar({"node": {"name": "node-7"}}))
    assert modules.kube_node.parameters()["node"]["name"] == "node-7"


def test_the_same_pillar_is_compiled_once(modules):
    assert modules.kube_node.parameters()["paths"] is modules.kube_node.parameters()["paths"]


def test_a_faulty_pillar_is_told_fault_by_fault(modules, node):
    node(pillar({"versoin": 1, "cluster": {"api_server": "http://x"}}))
    with pytest.raises(CommandExecutionError) as error:
        modules.kube_node.parameters()
    assert str(error.value) == (
        "The kube_node pillar of Worker-1 cannot be used:\n"
        "cluster.api_server: 'http://x' is not the API server's URL, write https://HOST:PORT\n"
        "versoin: is not a known key, did you mean version?"
    )


def test_a_pillar_without_the_tree_is_told(modules, node):
    node(None)
    with pytest.raises(CommandExecutionError) as error:
        modules.kube_node.parameters()
    assert str(error.value) == (
        "The kube_node pillar of Worker-1 cannot be used:\n"
        "kube_node: the pillar has no such tree, write it as pillar.example shows"
    )


def test_a_formula_that_is_not_whole_is_told(modules, loaders, tmp_path, monkeypatch):
    monkeypatch.setitem(loaders.opts["file_roots"], "base", [str(tmp_path)])
    with pytest.raises(CommandExecutionError) as error:
        modules.kube_node.parameters()
    assert (
        str(error.value)
        == "salt://kube_node/defaults.yaml is not on the file server: the formula is not whole"
    )


def test_nothing_is_missing_once_the_certificates_are_there(modules):
    for path in modules.kube_node.missing_certificates():
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).touch()
    assert modules.kube_node.missing_certificates() == []


def test_the_client_certificate_alone_is_not_enough(modules):
    client, server = modules.kube_node.missing_certificates()
    Path(client).parent.mkdir(parents=True)
    Path(client).touch()
    assert modules.kube_node.missing_certificates() == [server]


FILES = [
    (path, f"salt://kube_node/{file['template']}")
    for path, file in sorted(
        (file["path"], file) for room in compiled(NODE)["files"].values() for file in room if file["wanted"]
    )
]


@pytest.mark.parametrize(("path", "source"), FILES, ids=[path for path, _ in FILES])
def test_salt_writes_what_is_rendered_without_it(modules, node, tmp_path, path: str, source: str):
    node(pillar(NODE))
    written = Path(modules.cp.get_template(source, str(tmp_path / "file"))).read_text()
    parameters = compiled(NODE, salt_call=modules.kube_node.parameters()["node"]["salt_call"])
    assert written == kube_node_files.render(parameters, templates())[path]
