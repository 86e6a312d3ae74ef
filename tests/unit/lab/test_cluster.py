"""What the lab's operator prepares."""

from __future__ import annotations

import yaml
from lab import cluster


class Files:
    """As much of a master as has pillar and states."""

    def __init__(self, folder):
        self.pillar, self.states = folder / "pillar", folder / "states"
        self.pillar.mkdir()
        self.states.mkdir()


def test_a_kubelet_on_cgroup_v1_is_told_not_to_refuse_it():
    told = {"failSwapOn": False, "failCgroupV1": False}
    assert cluster.kubelet_config("1.36.2", cgroup_v1=True) == told


def test_a_kubelet_that_does_not_know_the_field_is_told_nothing_of_it():
    assert cluster.kubelet_config("1.30.14", cgroup_v1=True) == {"failSwapOn": False}


def test_a_kubelet_on_cgroup_v2_is_told_nothing_of_it():
    assert cluster.kubelet_config("1.36.2", cgroup_v1=False) == {"failSwapOn": False}


def test_each_minion_gets_its_own_pillar_and_no_other(tmp_path):
    master = Files(tmp_path)
    cluster.write_pillar(master, {"worker-1": {"version": "1.36.2"}, "worker-2": {"version": "1.35.1"}})
    top = yaml.safe_load((master.pillar / "top.sls").read_text())
    assert top == {"base": {"worker-1": ["worker-1"], "worker-2": ["worker-2"]}}


def test_the_pillar_is_the_formulas_tree(tmp_path):
    master = Files(tmp_path)
    cluster.write_pillar(master, {"worker-1": {"version": "1.36.2"}})
    assert yaml.safe_load((master.pillar / "worker-1.sls").read_text()) == {
        "kube_node": {"version": "1.36.2"}
    }
