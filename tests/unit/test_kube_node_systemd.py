"""Which start of a unit runs: by systemd's own link, or by the unit's processes where systemd is older."""

from __future__ import annotations

import os
from pathlib import Path

import kube_node_systemd as systemd
import pytest

UNIT = "kubelet.service"
ID = "84e297bd17e346859fb3cc5a885a6762"


@pytest.fixture
def units(tmp_path: Path) -> Path:
    """Return the folder where systemd keeps its links."""
    folder = tmp_path / systemd.UNITS
    folder.mkdir(parents=True)
    return folder


def test_a_running_unit_has_its_invocation(tmp_path, units):
    (units / f"invocation:{UNIT}").symlink_to(ID)
    assert systemd.invocation(UNIT, root=str(tmp_path)) == ID


def test_a_unit_that_does_not_run_has_none(tmp_path, units):
    (units / "invocation:containerd.service").symlink_to(ID)
    assert systemd.invocation(UNIT, root=str(tmp_path)) is None


def test_a_machine_without_systemd_runs_no_unit(tmp_path):
    assert systemd.invocation(UNIT, root=str(tmp_path)) is None


def process(root: Path, pid: int, start: int, name: str = "kubelet") -> None:
    """Have a process below `root`, as proc(5) shows it."""
    folder = root / "proc" / str(pid)
    folder.mkdir(parents=True)
    (folder / "stat").write_text(f"{pid} ({name}) S 1 {' 0' * 17} {start} 0 0")


def cgroup(root: Path, folder: str, *processes: int) -> None:
    """Have the unit's cgroup in a slice's folder, with its processes."""
    path = root / systemd.CGROUPS / folder / UNIT
    path.mkdir(parents=True)
    (path / "cgroup.procs").write_text("".join(f"{pid}\n" for pid in processes))


def test_an_older_systemd_tells_by_the_oldest_process(tmp_path):
    process(tmp_path, 4242, start=700)
    process(tmp_path, 17, start=900, name="mount) (8")
    cgroup(tmp_path, "system.slice", 17, 4242)
    assert systemd.invocation(UNIT, root=str(tmp_path)) == "700-4242"


def test_an_older_systemd_has_an_empty_cgroup_for_a_unit_that_ended(tmp_path):
    cgroup(tmp_path, "system.slice")
    assert systemd.invocation(UNIT, root=str(tmp_path)) is None


def test_a_process_that_ends_meanwhile_is_passed_over(tmp_path):
    process(tmp_path, 4242, start=700)
    cgroup(tmp_path, "system.slice", 17, 4242)
    assert systemd.invocation(UNIT, root=str(tmp_path)) == "700-4242"


@pytest.mark.parametrize(
    ("slice_", "folder"),
    [("kube.slice", "kube.slice"), ("kube-node-a.slice", "kube.slice/kube-node.slice/kube-node-a.slice")],
)
def test_a_unit_lies_in_its_slices_folder(tmp_path, slice_, folder):
    process(tmp_path, 5, start=1)
    cgroup(tmp_path, folder, 5)
    assert systemd.invocation(UNIT, slice_, str(tmp_path)) == "1-5"


def test_a_unit_that_runs_started_when_its_link_was_made(tmp_path):
    units = tmp_path / systemd.UNITS
    units.mkdir(parents=True)
    (units / "invocation:kubelet.service").symlink_to("84e297bd17e346859fb3cc5a885a6762")
    os.utime(units / "invocation:kubelet.service", (7, 1795000000), follow_symlinks=False)
    assert systemd.started("kubelet.service", root=str(tmp_path)) == 1795000000
    assert systemd.started("kube-proxy.service", root=str(tmp_path)) is None


def test_before_such_links_its_oldest_process_tells(tmp_path):
    group = tmp_path / systemd.CGROUPS / "system.slice/kubelet.service"
    group.mkdir(parents=True)
    (group / "cgroup.procs").write_text("42\n")
    (tmp_path / "proc/42").mkdir(parents=True)
    (tmp_path / "proc/42/stat").write_text(f"42 (kubelet) S {' '.join(['0'] * 18)} 500 0\n")
    (tmp_path / "proc/stat").write_text("cpu 1\nbtime 1795000000\n")
    wanted = 1795000000 + 500 / os.sysconf("SC_CLK_TCK")
    assert systemd.started("kubelet.service", root=str(tmp_path)) == wanted
