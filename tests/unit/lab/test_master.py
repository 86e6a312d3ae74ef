"""The master's configuration, and which keys it takes for a machine's own."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from lab import waiting
from lab.master import PROJECT, Master, MasterError, settings
from lab.network import Network

PENDING = "etc/salt/pki/master/minions_pre"
OWN = "etc/salt/pki/minion/minion.pub"


@pytest.fixture
def master(tmp_path) -> Master:
    return Master(tmp_path / "master", Network("kube-node-x"))


def machine(folder, key: str) -> SimpleNamespace:
    path = folder / "machine" / OWN
    path.parent.mkdir(parents=True)
    path.write_text(key)
    return SimpleNamespace(minion_id="worker-1", root=folder / "machine")


def sent(master: Master, key: str) -> None:
    path = master.directory / PENDING / "worker-1"
    path.parent.mkdir(parents=True)
    path.write_text(key)


def test_every_file_of_it_lies_below_its_folder(master):
    assert settings(master)["root_dir"] == str(master.directory)


def test_the_labs_states_come_before_the_project(master):
    assert settings(master)["file_roots"] == {"base": [str(master.states), str(PROJECT)]}


def test_it_accepts_no_key_by_itself(master):
    assert not {"auto_accept", "open_mode", "autosign_file"} & set(settings(master))


def test_a_key_that_is_not_the_machines_own_is_refused(master, tmp_path):
    sent(master, "another key")
    with pytest.raises(MasterError) as raised:
        master.accept(machine(tmp_path, "its own key"))
    assert str(raised.value) == "the key that the master was sent as worker-1's is not that machine's"


def test_a_machine_that_sends_no_key_is_named(master, tmp_path):
    with pytest.raises(waiting.TimedOut) as raised:
        master.accept(machine(tmp_path, "its own key"), seconds=0)
    assert str(raised.value) == "the key of worker-1 (its log: journalctl -u salt-minion): not within 0 s"


def test_salts_programs_are_run_in_the_labs_network(master):
    command = master.command("salt-key", "--list-all")
    assert command[:3] == ["nsenter", "--net=/run/netns/kube-node-x", "--"]
    assert command[4:] == [f"--config-dir={master.config}", "--list-all"]


def test_stopping_a_master_that_was_never_started_is_fine(master):
    assert master.stop() is None


@pytest.mark.parametrize(
    ("printed", "answers"),
    [
        ('{"worker-1": true}\n{\n  "worker-2": {"a": 1}\n}\n', {"worker-1": True, "worker-2": {"a": 1}}),
        ('{"worker-1": "Minion did not return. [Not connected]"}\n{"worker-2": 1}\n', {"worker-2": 1}),
    ],
)
def test_who_does_not_answer_is_missing_from_the_answers(master, monkeypatch, printed: str, answers: object):
    monkeypatch.setattr(master, "_run", lambda *_: SimpleNamespace(stdout=printed, stderr=""))
    assert master.salt("*", "test.ping") == answers


@pytest.mark.parametrize("printed", ["", "No minions matched the target.\n{}\n"])
def test_what_salt_says_in_the_place_of_an_answer_is_told(master, monkeypatch, printed: str):
    monkeypatch.setattr(master, "_run", lambda *_: SimpleNamespace(stdout=printed, stderr="ERROR: why"))
    with pytest.raises(MasterError, match=r"(?s)^salt --timeout=30 worker-3 test\.ping said: .*ERROR: why$"):
        master.salt("worker-3", "test.ping")
