"""salt-run kube_node.status: what the API server tells beside what a real master knows of its minions."""

from __future__ import annotations

import json

import pytest


@pytest.fixture
def node(control_plane, quiet, minions):
    """Have a Node of worker-1, and one that is no minion's."""
    for name in ("worker-1", "stranger"):
        body = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}}
        control_plane.apply(json.dumps(body))
    yield
    control_plane.kubectl("delete", "nodes", "--all")


def test_nodes_minions_and_strangers_are_told(node, runner):
    found = runner.run("kube_node.status", "table=False")
    assert found.returncode == 0, found
    assert [(row["node"], row["minion"], row["state"], row["note"]) for row in found.data] == [
        ("stranger", "", "Unknown", "it never reported; no accepted minion is this node"),
        ("worker-1", "worker-1", "Unknown", "it never reported"),
        ("worker-2", "worker-2", "not registered", ""),
    ]


def test_it_is_a_table_for_people(node, runner):
    found = runner.run("kube_node.status", "demo").stdout
    assert found.rstrip().endswith("0 of 3 are Ready")


def test_a_cluster_that_is_not_known_is_told_in_a_sentence(master, runner):
    found = runner.run("kube_node.status", "nowhere")
    assert found.returncode == 1
    assert "cluster nowhere: kubeconfig" in found.stdout + found.stderr
    assert "Traceback" not in found.stdout + found.stderr
