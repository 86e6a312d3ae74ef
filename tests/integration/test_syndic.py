"""A syndic between a minion and a master of masters: who holds the minion's key and pillar lets its kubelet
in, and nobody above."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml
from saltfactories.utils import random_string

from integration.conftest import CLUSTER, sync
from integration.kubelets import TOKENS, Kubelet


def settings(formula: Path, pillar_root: Path) -> dict:
    """Return a master's configuration with the formula's part."""
    config = yaml.safe_load((formula / "docs/examples/master.conf").read_text())
    config["kube_node"]["wait_seconds"] = 5
    del config["schedule"]  # a sweep would judge what other tests left
    roots = {"file_roots": {"base": [str(formula)]}, "pillar_roots": {"base": [str(pillar_root)]}}
    return config | roots | {"log_level": "info"}


@pytest.fixture(scope="module")
def top(salt_factories, control_plane, formula, tmp_path_factory):
    """Return a master of masters that has the formula and the cluster's kubeconfig as well."""
    overrides = settings(formula, tmp_path_factory.mktemp("top")) | {"order_masters": True}
    master = salt_factories.salt_master_daemon(random_string("top-"), overrides=overrides)
    give_kubeconfig(master, control_plane)
    sync(master)
    with master.started():
        yield master


@pytest.fixture(scope="module")
def below(top, control_plane, pillar, formula, tmp_path_factory):
    """Return the master below it, whose minion worker-1 is, with the syndic between the two."""
    pillar_root = tmp_path_factory.mktemp("below")
    tree = pillar | {"certificates": {"bootstrap_token": TOKENS["worker-1"]}}
    (pillar_root / "top.sls").write_text(yaml.safe_dump({"base": {"worker-1": ["worker-1"]}}))
    (pillar_root / "worker-1.sls").write_text(yaml.safe_dump({"kube_node": tree}))
    syndic = top.salt_syndic_daemon(random_string("syndic-"), master_overrides=settings(formula, pillar_root))
    give_kubeconfig(syndic.master, control_plane)
    sync(syndic.master)
    with syndic.master.started(), syndic.started():
        yield syndic.master


@pytest.fixture(scope="module")
def minion(below):
    """Return the running minion worker-1."""
    daemon = below.salt_minion_daemon("worker-1", overrides={"log_level": "info"})
    with daemon.started():
        yield daemon


def give_kubeconfig(master, control_plane) -> None:
    folder = Path(master.config_dir) / "kube_node"
    folder.mkdir()
    shutil.copy(control_plane.kubeconfig("kube-node-approver"), folder / f"{CLUSTER}.kubeconfig")


def test_the_master_that_holds_the_minions_key_lets_its_kubelet_in(control_plane, below, minion, tmp_path):
    control_plane.kubectl("delete", "csr", "--all")
    control_plane.kubectl("delete", "nodes", "--all")
    kubelet = Kubelet(control_plane, "worker-1", tmp_path)
    request = kubelet.ask_client()
    assert minion.salt_call_cli().run("event.send", "kube_node/kubelet/start").data is True
    assert kubelet.certificate(request)
    decided = below.salt_run_cli().run("kube_node.audit").data
    assert [one["verdict"] for one in decided if one["name"] == request] == ["approve"]


def test_a_master_above_that_hears_the_knock_leaves_it_alone(top, minion):
    assert top.salt_run_cli().run("kube_node.knock", "worker-1").data == {}
    assert top.salt_run_cli().run("kube_node.audit").data == []
