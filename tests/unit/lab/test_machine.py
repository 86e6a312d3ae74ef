"""A machine's files and command lines, before it is booted."""

from __future__ import annotations

import pytest
from lab.machine import Machine, MachineError
from lab.network import Network


@pytest.fixture
def machine(tmp_path) -> Machine:
    return Machine("worker-1", "10.77.0.11", tmp_path / "worker-1", Network("kube-node-x"))


@pytest.fixture
def upper(machine):
    machine._prepare()
    return machine.directory / "upper"


def test_its_host_name_is_its_minion_id(upper):
    assert (upper / "etc/hostname").read_text() == "worker-1\n"


def test_its_minion_calls_the_labs_master(upper):
    lines = (upper / "etc/salt/minion").read_text().splitlines()
    assert lines[:2] == ["id: worker-1", "master: 10.77.0.1"]


def test_it_knows_its_address_before_it_boots(upper):
    assert (upper / "etc/lab-network").read_text() == "ADDRESS=10.77.0.11/24\nGATEWAY=10.77.0.1\n"


def test_no_two_machines_share_a_machine_id(tmp_path):
    machines = [Machine(f"worker-{n}", "", tmp_path / str(n), Network("x")) for n in (1, 2)]
    for machine in machines:
        machine._prepare()
    ids = {(machine.directory / "upper/etc/machine-id").read_text() for machine in machines}
    assert len(ids) == 2


def test_a_command_on_a_machine_that_is_off_says_so(machine):
    with pytest.raises(MachineError) as raised:
        machine.run("true")
    assert str(raised.value) == f"worker-1 is not running; see {machine.console}"


def test_stopping_a_machine_that_is_off_is_fine(machine):
    assert machine.stop() is None


def test_destroying_a_machine_that_never_was_is_fine(machine):
    assert machine.destroy() is None


def test_destroying_takes_its_files(machine, upper):
    machine.destroy()
    assert not upper.exists()
