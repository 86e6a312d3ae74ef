"""kube_node.binary_installed: a program is whole, checked, and switched to in one step."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import threading
from pathlib import Path

import pytest

from functional.binaries import binary, files, run


def test_a_program_runs_by_its_link(states, new):
    result = states.kube_node.binary_installed(**new.arguments())
    assert (result.result, result.comment) == (True, f"{new.path} has been put into use")
    assert run(new.name) == "v1.36.2"


def test_a_program_may_be_written_by_its_owner_alone(states, new):
    states.kube_node.binary_installed(**new.arguments())
    assert stat.S_IMODE(Path(new.path).stat().st_mode) == 0o755


def test_a_second_run_changes_nothing(states, installed):
    result = states.kube_node.binary_installed(**installed.arguments())
    assert (result.result, result.changes, result.comment) == (True, {}, f"{installed.path} is in use")


def test_a_second_run_needs_no_source(states, installed, tmp_path):
    shutil.rmtree(tmp_path / "served")
    assert states.kube_node.binary_installed(**installed.arguments()).result is True


@pytest.mark.parametrize("test", [True, False])
def test_a_first_run_tells_its_changes(states, new, test):
    result = states.kube_node.binary_installed(**new.arguments(), test=test)
    assert result.changes == {
        new.path: f"installed from {new.source}",
        new.name: {"old": None, "new": new.path},
    }


@pytest.mark.parametrize("test", [True, False])
def test_an_upgrade_tells_its_changes(states, installed, new, test):
    result = states.kube_node.binary_installed(**new.arguments(), test=test)
    assert result.changes == {
        new.path: f"installed from {new.source}",
        new.name: {"old": installed.path, "new": new.path},
    }


@pytest.mark.parametrize("test", [True, False])
def test_the_way_back_is_the_link_alone(states, installed, new, test):
    states.kube_node.binary_installed(**new.arguments())
    result = states.kube_node.binary_installed(**installed.arguments(), test=test)
    assert result.changes == {new.name: {"old": new.path, "new": installed.path}}


def test_a_test_run_says_what_would_be(states, new):
    result = states.kube_node.binary_installed(**new.arguments(), test=True)
    assert (result.result, result.comment) == (None, f"{new.path} would be put into use")


def test_a_test_run_writes_nothing(states, new, tmp_path):
    states.kube_node.binary_installed(**new.arguments(), test=True)
    assert files(tmp_path) == []


def test_a_test_run_of_what_is_in_use_says_so(states, installed):
    result = states.kube_node.binary_installed(**installed.arguments(), test=True)
    assert (result.result, result.changes) == (True, {})


def test_an_upgrade_keeps_the_old_release(states, installed, new):
    states.kube_node.binary_installed(**new.arguments())
    assert (run(new.name), run(installed.path)) == ("v1.36.2", "v1.36.1")


@pytest.mark.usefixtures("installed")
def test_an_interrupted_copy_never_runs(states, new, monkeypatch):
    def interrupted(_: int) -> None:
        raise OSError("Input/output error")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", interrupted)
        assert states.kube_node.binary_installed(**new.arguments()).result is False
    assert run(new.name) == "v1.36.1"
    assert not Path(new.path).exists()


def test_the_run_after_an_interrupted_copy_repairs_it(states, new):
    part = Path(f"{new.path}.part")
    part.parent.mkdir(parents=True)
    part.write_text("#!/bin")
    assert states.kube_node.binary_installed(**new.arguments()).result is True
    assert run(new.name) == "v1.36.2"
    assert not part.exists()


@pytest.mark.usefixtures("installed")
def test_a_run_interrupted_before_the_switch_leaves_the_old_program(states, new, monkeypatch):
    replace = Path.replace

    def interrupted(self: Path, target: Path) -> Path:
        if str(target) == new.name:
            raise OSError("interrupted")
        return replace(self, target)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", interrupted)
        assert states.kube_node.binary_installed(**new.arguments()).result is False
    assert run(new.name) == "v1.36.1"
    assert states.kube_node.binary_installed(**new.arguments()).result is True
    assert run(new.name) == "v1.36.2"


def test_the_link_is_there_at_every_moment(states, installed, new):
    gone, done = [], threading.Event()

    def watch() -> None:
        while not done.is_set():
            if not Path(new.name).exists():
                gone.append(True)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        for program in [new, installed] * 5:
            states.kube_node.binary_installed(**program.arguments())
    finally:
        done.set()
        watcher.join()
    assert gone == []


def test_a_damaged_program_is_put_right(states, installed):
    Path(installed.path).write_text("#!/bin/sh\necho damaged\n")
    result = states.kube_node.binary_installed(**installed.arguments())
    assert result.changes == {installed.path: f"installed from {installed.source}"}
    assert run(installed.name) == "v1.36.1"


def test_a_running_program_is_never_written_to(states, tmp_path):
    sleep = Path(shutil.which("sleep")).read_bytes()
    first, second = binary(tmp_path, "first", sleep), binary(tmp_path, "second", sleep + b"\0")
    states.kube_node.binary_installed(**first.arguments())
    process = subprocess.Popen([first.path, "60"])
    try:
        again = second.arguments() | {"path": first.path}
        assert states.kube_node.binary_installed(**again).result is True
        assert process.poll() is None
    finally:
        process.kill()
        process.wait()


def test_a_foreign_file_is_refused_and_kept(states, new):
    Path(new.name).parent.mkdir(parents=True)
    Path(new.name).write_text("not ours")
    result = states.kube_node.binary_installed(**new.arguments())
    assert (result.result, result.changes, result.comment) == (
        False,
        {},
        f"{new.name} is a file that is not ours, move it away or choose another paths.bin",
    )
    assert Path(new.name).read_text() == "not ours"


def test_a_foreign_file_is_refused_in_a_test_run_too(states, new):
    Path(new.name).mkdir(parents=True)
    assert states.kube_node.binary_installed(**new.arguments(), test=True).result is False


def test_a_dead_link_is_replaced(states, new):
    Path(new.name).parent.mkdir(parents=True)
    Path(new.name).symlink_to("/nowhere")
    result = states.kube_node.binary_installed(**new.arguments())
    assert result.changes[new.name] == {"old": "/nowhere", "new": new.path}


@pytest.mark.usefixtures("installed")
def test_a_wrong_digest_is_refused(states, new, tmp_path):
    before = files(tmp_path)
    result = states.kube_node.binary_installed(**new.arguments() | {"sha256": "0" * 64})
    assert (result.result, result.changes, result.comment) == (
        False,
        {},
        f"{'0' * 64} is not the digest of {new.source}, which has {new.sha256}, "
        "correct the one that is wrong",
    )
    assert files(tmp_path) == before
    assert run(new.name) == "v1.36.1"


def test_a_missing_source_is_refused(states, new, tmp_path):
    shutil.rmtree(tmp_path / "served")
    result = states.kube_node.binary_installed(**new.arguments())
    assert (result.result, result.changes, result.comment) == (
        False,
        {},
        f"{new.source} is not there, put the file there or correct the source",
    )
