"""The bootstrap token out of a kubeconfig: found as a kubelet finds it, and never shown but by its id."""

from __future__ import annotations

from pathlib import Path

import kube_node_bootstrap as bootstrap
import pytest
import yaml

from unit.nodes import TOKEN, compiled
from unit.test_kube_node_files import rendered


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return where the formula's own bootstrap kubeconfig lies."""
    file = tmp_path / "bootstrap.kubeconfig"
    file.write_text(rendered(compiled())["/etc/kubernetes/bootstrap.kubeconfig"])
    return file


def test_the_formulas_own_kubeconfig_has_its_token(path):
    assert bootstrap.token(str(path)) == TOKEN


def test_a_token_is_named_by_its_id(path):
    assert bootstrap.token_id(str(path)) == TOKEN.partition(".")[0]


def test_the_user_of_the_current_context_counts(path):
    config = yaml.safe_load(path.read_text())
    config["users"].insert(0, {"name": "another", "user": {"token": "aaaaaa.0123456789abcdef"}})
    path.write_text(yaml.safe_dump(config))
    assert bootstrap.token(str(path)) == TOKEN


@pytest.mark.parametrize("secret", ["a-secret-of-token.csv", "abcdef", "ABCDEF.0123456789abcdef", 5, None])
def test_a_token_of_another_kind_has_no_id(path, secret):
    config = yaml.safe_load(path.read_text())
    config["users"][0]["user"]["token"] = secret
    path.write_text(yaml.safe_dump(config))
    assert bootstrap.token_id(str(path)) is None


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe",
        b"\0",
        b"- a list",
        b"a: b: c",
        b"users: 5\ncontexts: []\ncurrent-context: x",
        b"contexts: [{name: x, context: {user: y}}]\nusers: [{name: y}]\ncurrent-context: x",
        b"contexts: [{name: {}}]\nusers: [x]\ncurrent-context: x",
        b"[" * 5000,
    ],
)
def test_garbage_has_no_token(tmp_path, content):
    (tmp_path / "kubeconfig").write_bytes(content)
    assert bootstrap.token_id(str(tmp_path / "kubeconfig")) is None


def test_a_file_that_is_not_there_has_no_token(tmp_path):
    assert bootstrap.token_id(str(tmp_path / "kubeconfig")) is None
