"""kube_node.parameters on a minion: one door, the operator's words, and no secret for who needs none."""

from __future__ import annotations

import time
from pathlib import Path

import kube_node_files
import pytest
from salt.exceptions import CommandExecutionError
from unit.certificates import DAY, write
from unit.nodes import TOKEN, compiled, pillar, without
from unit.test_kube_node_files import NODE, templates

pytestmark = pytest.mark.usefixtures("node")


def test_the_module_has_these_functions_and_no_other(modules):
    assert {name for name in modules if name.startswith("kube_node.")} == {
        "kube_node.parameters",
        "kube_node.render",
        "kube_node.certificates",
        "kube_node.has_client_certificate",
        "kube_node.attestation",
        "kube_node.knock",
        "kube_node.preflight",
        "kube_node.wait_until_ready",
        "kube_node.status",
        "kube_node.diagnosis",
        "kube_node.images",
        "kube_node.archive_loaded",
        "kube_node.load_archive",
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


FILES = [
    (path, f"salt://kube_node/{file['template']}")
    for path, file in sorted(
        (file["path"], file) for file in kube_node_files.kept(compiled(NODE)) if file["wanted"]
    )
]


@pytest.mark.parametrize(("path", "source"), FILES, ids=[path for path, _ in FILES])
def test_salt_writes_what_is_rendered_without_it(modules, node, tmp_path, path: str, source: str):
    node(pillar(NODE))
    written = Path(modules.cp.get_template(source, str(tmp_path / "file"))).read_text()
    parameters = compiled(NODE, salt_call=modules.kube_node.parameters()["node"]["salt_call"])
    assert written == kube_node_files.render(parameters, templates())[path]


def test_each_value_is_shown_with_its_layer(modules, node):
    node(pillar({"kubelet": {"config": {"maxPods": 50}}}))
    layers = modules.kube_node.parameters(layers=True)
    assert layers["kubelet.config.maxPods"] == {"value": 50, "layer": "pillar"}
    assert layers["kubelet.config.readOnlyPort"] == {"value": 0, "layer": "defaults"}
    assert layers["cluster.dns_address"] == {"value": "10.68.0.2", "layer": "derived"}


def test_the_profile_and_the_operating_system_are_layers(modules, node, loaders, monkeypatch):
    monkeypatch.setitem(loaders.opts["grains"], "osfinger", "Debian-12")
    node(pillar({"version": "1.14.10", "profile": "kubeasz-1.1"}))
    layers = modules.kube_node.parameters(layers=True)
    assert layers["paths.bin"] == {"value": "/opt/kube/bin", "layer": "profile kubeasz-1.1"}
    assert layers["runtime.docker.package"] == {"value": "docker.io", "layer": "OS family Debian"}


def test_no_layer_shows_a_bootstrap_token(modules):
    assert TOKEN not in str(modules.kube_node.parameters(layers=True))


def test_the_files_are_shown_by_their_paths(modules, node):
    node(pillar(NODE))
    shown = modules.kube_node.render()
    parameters = compiled(NODE, salt_call=modules.kube_node.parameters()["node"]["salt_call"])
    expected = kube_node_files.render(parameters, templates())
    secret = "/etc/kubernetes/bootstrap.kubeconfig"
    assert shown == expected | {secret: "(a secret, not shown)"}


@pytest.fixture
def below(node, tmp_path: Path) -> Path:
    """Give the minion a pillar whose folders are below one of this test; return that."""
    paths = {name: f"{tmp_path}/{name}" for name in ("kubernetes", "certificates", "kubelet", "kube_proxy")}
    node(pillar({"paths": paths}))
    return tmp_path


def test_a_difference_names_what_would_be_changed(modules, below):
    path = below / "kubelet/config.yaml"
    path.parent.mkdir()
    path.write_text(modules.kube_node.render()[str(path)].replace("readOnlyPort: 0", "readOnlyPort: 10255"))
    change = modules.kube_node.render(diff=True)[str(path)].splitlines()
    assert change[:2] == [f"--- {path}", f"+++ {path}"]
    assert [line for line in change[2:] if line[0] in "-+"] == ["-readOnlyPort: 10255", "+readOnlyPort: 0"]


def test_a_file_that_is_not_there_yet_is_all_new(modules, below):
    change = modules.kube_node.render(diff=True)[f"{below}/kube_proxy/config.yaml"].splitlines()
    assert change[0] == "--- /dev/null"
    assert all(line.startswith("+") for line in change[3:])


def test_a_file_that_is_as_it_should_be_has_no_difference(modules, below):
    path = below / "kubelet/config.yaml"
    path.parent.mkdir()
    path.write_text(modules.kube_node.render()[str(path)])
    assert str(path) not in modules.kube_node.render(diff=True)


def test_a_file_that_is_to_go_is_shown_as_gone(modules, node, tmp_path):
    left = tmp_path / "10-default.conf"
    left.write_text("{}\n")
    node(pillar({"paths": {"cni_config": str(tmp_path)}}))
    change = modules.kube_node.render(diff=True)[str(left)].splitlines()
    assert (change[1], change[-1]) == ("+++ /dev/null", "-{}")


def test_no_difference_shows_a_secret(modules, below):
    (below / "kubernetes").mkdir()
    (below / "kubernetes/bootstrap.kubeconfig").write_text(f"token: {TOKEN}\n")
    changes = modules.kube_node.render(diff=True)
    assert changes[f"{below}/kubernetes/bootstrap.kubeconfig"] == "(a secret, not shown)"
    assert TOKEN not in str(changes)


@pytest.mark.parametrize("diff", [False, True])
def test_a_node_that_has_joined_shows_no_bootstrap_kubeconfig(modules, below, diff):
    path = f"{below}/kubernetes/bootstrap.kubeconfig"
    assert path in modules.kube_node.render(diff=diff)
    write(modules.kube_node.certificates()[0]["path"], time.time() - DAY, time.time() + 10 * DAY)
    assert path not in modules.kube_node.render(diff=diff)


@pytest.mark.parametrize("diff", [False, True])
def test_what_the_operator_brings_is_neither_rendered_nor_taken_away(modules, node, tmp_path, diff):
    brought = tmp_path / "bootstrap.kubeconfig"
    brought.write_text("apiVersion: v1")
    node(without("certificates", "bootstrap_token") | {"paths": {"kubernetes": str(tmp_path)}})
    assert str(brought) not in modules.kube_node.render(diff=diff)
