"""Reading this machine's cgroups, and making and removing groups."""

from __future__ import annotations

from pathlib import Path

from lab import cgroups
from lab.cgroups import Hierarchy

HYBRID = """\
tmpfs /sys/fs/cgroup tmpfs rw,relatime,mode=755 0 0
cgroup /sys/fs/cgroup/cpu,cpuacct cgroup rw,relatime,cpu,cpuacct 0 0
cgroup /sys/fs/cgroup/systemd cgroup rw,relatime,name=systemd 0 0
cgroup2 /sys/fs/cgroup/unified cgroup2 rw,relatime 0 0
"""
UNIFIED = "cgroup2 /sys/fs/cgroup cgroup2 rw,nosuid,nsdelegate 0 0\n"


def test_a_hybrid_machine_has_a_hierarchy_for_each_mount():
    assert cgroups.hierarchies(HYBRID) == [
        Hierarchy(Path("/sys/fs/cgroup/cpu,cpuacct"), frozenset({"cpu", "cpuacct"})),
        Hierarchy(Path("/sys/fs/cgroup/systemd"), frozenset({"name=systemd"})),
        Hierarchy(Path("/sys/fs/cgroup/unified"), frozenset()),
    ]


def test_a_unified_machine_has_one():
    assert cgroups.hierarchies(UNIFIED) == [Hierarchy(Path("/sys/fs/cgroup"), frozenset())]


def test_own_groups_lie_in_the_hierarchy_of_their_controllers():
    groups = "2:cpu,cpuacct:/ci/job\n1:name=systemd:/\n0::/ci\n"
    assert cgroups.own_groups(groups, cgroups.hierarchies(HYBRID)) == [
        Path("/sys/fs/cgroup/cpu,cpuacct/ci/job"),
        Path("/sys/fs/cgroup/systemd"),
        Path("/sys/fs/cgroup/unified/ci"),
    ]


def test_own_group_of_a_unified_machine():
    assert cgroups.own_groups("0::/user.slice\n", cgroups.hierarchies(UNIFIED)) == [
        Path("/sys/fs/cgroup/user.slice")
    ]


def test_a_cpuset_group_gets_its_parents_processors(tmp_path):
    (tmp_path / "kube_node_lab" / "node").mkdir(parents=True)
    (tmp_path / "cpuset.cpus").write_text("0-1\n")
    for folder in (tmp_path / "kube_node_lab", tmp_path / "kube_node_lab/node"):
        (folder / "cpuset.cpus").write_text("\n")
    cgroups.make([tmp_path / "kube_node_lab" / "node"])
    assert (tmp_path / "kube_node_lab/node/cpuset.cpus").read_text() == "0-1\n"


def test_removing_takes_what_a_machine_made_below_its_group(tmp_path):
    (tmp_path / "kube_node_lab/node/payload/system.slice").mkdir(parents=True)
    cgroups.remove([tmp_path / "kube_node_lab/node"])
    assert list(tmp_path.iterdir()) == []


def test_removing_leaves_another_machines_group(tmp_path):
    for node in ("one", "other"):
        (tmp_path / "kube_node_lab" / node).mkdir(parents=True)
    cgroups.remove([tmp_path / "kube_node_lab/one"])
    assert [path.name for path in (tmp_path / "kube_node_lab").iterdir()] == ["other"]


def test_removing_twice_is_fine(tmp_path):
    cgroups.remove([tmp_path / "kube_node_lab/node"])
    assert list(tmp_path.iterdir()) == []
