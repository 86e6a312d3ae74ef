"""The commands for a lab that was left running."""

from __future__ import annotations

import pytest
from lab import __main__ as commands


@pytest.fixture(autouse=True)
def able(monkeypatch, tmp_path):
    monkeypatch.setattr(commands.host, "unable", lambda: None)
    monkeypatch.setenv("KUBE_NODE_LAB", str(tmp_path))


def test_an_unknown_command_gets_the_usage(capsys):
    assert commands.main(["fly", "demo"]) == 2
    assert capsys.readouterr().err == commands.USAGE


def test_a_lab_that_is_not_there_gets_one_sentence(capsys, tmp_path):
    assert commands.main(["kubectl", "demo", "get", "nodes"]) == 2
    assert capsys.readouterr().err == (
        f"there is no lab demo in {tmp_path}: `make demo KEEP=1` leaves one running\n"
    )


def test_a_machine_that_is_not_able_says_why(monkeypatch, capsys):
    monkeypatch.setattr(commands.host, "unable", lambda: "The lab's machines need root.")
    assert commands.main(["down", "demo"]) == 2
    assert capsys.readouterr().err == "The lab's machines need root.\n"


def test_taking_away_what_is_not_there_is_fine(capsys):
    assert commands.main(["down", "nothing"]) == 0
    assert capsys.readouterr().out == "the lab nothing is gone\n"


def test_a_machine_that_does_not_run_is_named(tmp_path, capsys):
    (tmp_path / "demo/nodes/worker-1").mkdir(parents=True)
    assert commands.main(["shell", "demo", "worker-1"]) == 1
    assert capsys.readouterr().err == (
        f"worker-1 is not running; see {tmp_path}/demo/nodes/worker-1/console.log\n"
    )
