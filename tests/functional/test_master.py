"""The master's side as a state."""

from __future__ import annotations

import pytest
import yaml


@pytest.fixture
def chunks(modules):
    return {chunk["__id__"]: chunk for chunk in modules.state.show_low_sls("kube_node.master")}


def test_the_master_gets_its_configuration_and_is_restarted_for_it_last(chunks):
    assert list(chunks) == [
        "master-configuration",
        "kubeconfig-folder",
        "modules-synced",
        "master-enabled",
        "master-service",
    ]
    assert {"file": "master-configuration"} in chunks["master-service"]["watch"]


def test_kubeconfigs_are_their_owners_alone(chunks):
    folder = chunks["kubeconfig-folder"]
    assert (folder["mode"], folder["file_mode"]) == ("0700", "0600")


def test_the_configuration_is_the_one_of_the_examples(formula):
    config = yaml.safe_load((formula / "docs/examples/master.conf").read_text())
    assert config == yaml.safe_load((formula / "kube_node/master/master.conf").read_text())
    assert list(config) == ["reactor", "schedule", "ext_pillar", "kube_node"]
