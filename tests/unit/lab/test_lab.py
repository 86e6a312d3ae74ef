"""A lab's names and places, before anything of it runs."""

from __future__ import annotations

import pytest
from lab.lab import Lab, LabInUse, machine_of


@pytest.fixture(autouse=True)
def labs(monkeypatch, tmp_path):
    monkeypatch.setenv("KUBE_NODE_LAB", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("name", ["", "../etc", "Demo", "a" * 21, "a b", "-a"])
def test_a_name_that_could_lead_elsewhere_is_refused(name):
    with pytest.raises(ValueError, match="lower case letters, digits and hyphens, 20 at most"):
        Lab(name)


def test_machines_are_numbered_from_one():
    assert [machine.minion_id for machine in Lab("x", nodes=3).machines] == [
        "worker-1",
        "worker-2",
        "worker-3",
    ]


def test_each_machine_has_its_own_address():
    assert [machine.address for machine in Lab("x").machines] == ["10.77.0.11", "10.77.0.12"]


def test_a_machine_is_found_again_by_the_labs_name_alone(labs):
    assert machine_of("x", "worker-1").directory == labs / "x/nodes/worker-1"


def test_two_labs_machines_have_different_names():
    assert machine_of("x", "worker-1").name != machine_of("y", "worker-1").name


def test_a_lab_that_another_process_uses_is_left_alone():
    other = Lab("unit-test")
    other.claim()
    with pytest.raises(LabInUse) as raised:
        Lab("unit-test").up()
    other.down()
    assert str(raised.value) == "another process uses the lab unit-test at the moment"


def test_a_lab_that_was_taken_away_can_be_claimed_again():
    for _ in range(2):
        lab = Lab("unit-test")
        lab.claim()
        lab.down()
