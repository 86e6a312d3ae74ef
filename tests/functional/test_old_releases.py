"""kube_node.old_releases_removed: what stays is what a way back needs, and what is in use."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest


@pytest.fixture
def releases(tmp_path: Path) -> Path:
    """Return a folder with releases, the last of each program being the one that was last in use."""
    folder = tmp_path / "versions"
    names = ("v1.35.9", "v1.36.0", "v1.36.1", "v1.36.2", "runc-v1.3.0", "runc-v1.3.4", "notes", "runc")
    for age, name in enumerate(reversed(names)):
        (folder / name).mkdir(parents=True)
        (folder / name / "kubelet").touch()
        os.utime(folder / name, (10**9 - age, 10**9 - age))
    return folder


@pytest.fixture
def clean(states, releases: Path, tmp_path: Path) -> Callable[..., list[str]]:
    """Return a function that has old releases removed; it returns their names, in a test run too."""

    def removed(keep: int = 1, test: bool = False) -> list[str]:
        arguments = {"keep": keep, "releases": ["v1.36.2", "runc-v1.3.4"], "links": [str(tmp_path / "bin")]}
        result = states.kube_node.old_releases_removed(str(releases), **arguments, test=test)
        assert result.result is (None if test and result.changes else True)
        return sorted(Path(path).name for path in result.changes)

    return removed


@pytest.mark.parametrize(("keep", "old"), [(1, ["v1.35.9", "v1.36.0"]), (2, ["v1.35.9"]), (3, [])])
def test_so_many_stay_of_each_program_as_the_pillar_says(clean, releases, keep: int, old: list[str]):
    before = {path.name for path in releases.iterdir()}
    assert clean(keep, test=True) == old
    assert {path.name for path in releases.iterdir()} == before
    assert clean(keep) == old
    assert {path.name for path in releases.iterdir()} == before - set(old)
    assert clean(keep) == []


def test_what_a_link_points_to_stays(clean, releases, tmp_path):
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/kubelet").symlink_to(releases / "v1.35.9/kubelet")
    assert clean() == ["v1.36.0"]


@pytest.fixture
def process(releases: Path) -> Iterator[None]:
    """Have a program of an old release run."""
    shutil.copy(shutil.which("sleep"), releases / "v1.36.0/kubelet")
    os.utime(releases / "v1.36.0", (10**9 - 6, 10**9 - 6))
    running = subprocess.Popen([releases / "v1.36.0/kubelet", "600"])
    yield
    running.kill()
    running.wait()


@pytest.mark.usefixtures("process")
def test_what_runs_stays(clean):
    assert clean() == ["v1.35.9"]


def test_the_way_back_is_to_what_was_last_in_use(states, installed, new):
    states.kube_node.binary_installed(**new.arguments())
    states.kube_node.binary_installed(**installed.arguments())
    first, second = (Path(one.path).parent.stat().st_mtime_ns for one in (installed, new))
    assert first > second


def test_where_nothing_is_installed_nothing_is_removed(states, tmp_path):
    result = states.kube_node.old_releases_removed(str(tmp_path / "none"), keep=1, releases=[], links=[])
    assert (result.result, result.changes, result.comment) == (True, {}, "No release is too old")
