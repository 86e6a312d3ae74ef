"""The beacon in Salt's own beacon loop: what it tells, when, and what it leaves to Salt."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType

import pytest
import salt.beacons
import salt.loader
from unit.certificates import DAY, write
from unit.nodes import TOKEN, pillar
from unit.test_kube_node_beacon import changed

NOW = time.time()
GOOD, EXPIRED = (NOW - DAY, NOW + 10 * DAY), (NOW - 2 * DAY, NOW - DAY)
RENEWING = (NOW - 9 * DAY, NOW + DAY)


class Machine:
    """A minion whose beacon loop is turned by hand, and a kubelet that starts by systemd's links."""

    def __init__(self, loop: salt.beacons.Beacon, node: dict, units: Path) -> None:
        self._loop, self._units, self._started = loop, units, 0
        self.config = [part for part in node["kubelet"]["beacon"] if "interval" not in part]
        self.client, self.serving = node["kubelet"]["certificates"]
        self.bootstrap = Path(node["paths"]["kubernetes"], "bootstrap.kubeconfig")

    def start_kubelet(self) -> None:
        self._units.mkdir(exist_ok=True)
        link = self._units / "invocation:kubelet.service"
        link.unlink(missing_ok=True)
        self._started += 1
        link.symlink_to(f"{self._started:032x}")

    def look(self) -> list[dict]:
        """Return the events of one turn of the loop."""
        return self._loop.process({"kube_node": self.config}, {})

    def lacks(self) -> list[list[str]]:
        return [event["data"]["lacks"] for event in self.look()]


@pytest.fixture
def loop(loaders) -> salt.beacons.Beacon:
    """Return the beacons of a minion that has just started."""
    made = salt.beacons.Beacon(loaders.opts, loaders.modules)
    module_of(made)._memory.clear()
    return made


def module_of(loop: salt.beacons.Beacon) -> ModuleType:
    return sys.modules[loop.beacons["kube_node.beacon"].__module__]


@pytest.fixture
def machine(loop, node, modules, tmp_path: Path, monkeypatch) -> Machine:
    """Return a machine whose kubelet runs, with its certificates and its bootstrap kubeconfig."""
    node(pillar({"paths": {name: f"{tmp_path}/{name}" for name in ("kubelet", "kubernetes")}}))
    made = Machine(loop, modules.kube_node.parameters(), tmp_path / "units")
    systemd = module_of(loop)._loaded["utils"]["kube_node_systemd.invocation"].__module__
    monkeypatch.setattr(sys.modules[systemd], "UNITS", str(tmp_path / "units"))
    for path in (made.client, made.serving):
        write(path, *GOOD)
    made.bootstrap.parent.mkdir()
    made.bootstrap.write_text(
        f"current-context: x\ncontexts: [{{name: x, context: {{user: y}}}}]\n"
        f"users: [{{name: y, user: {{token: {TOKEN}}}}}]\n"
    )
    made.start_kubelet()
    return made


def test_salts_loop_takes_the_configuration_of_the_formula(loop, modules, node):
    config = modules.kube_node.parameters()["kubelet"]["beacon"]
    assert loop.beacons["kube_node.validate"](config) == (True, "Valid")


def test_a_configuration_that_is_not_sound_is_refused_in_words(loop):
    assert loop.beacons["kube_node.validate"](changed(unit=5)) == (
        False,
        "The configuration of the beacon kube_node unit must be text.",
    )


def test_all_well_is_silence(machine):
    assert machine.look() == []


def test_a_missing_certificate_is_knocked_for(machine):
    Path(machine.client).unlink()
    assert machine.look() == [
        {
            "tag": "salt/beacon/Worker-1/kube_node/knock",
            "data": {"lacks": ["client"], "token": TOKEN.partition(".")[0], "id": "Worker-1"},
            "beacon_name": "kube_node",
        }
    ]


@pytest.mark.parametrize("span", [EXPIRED, RENEWING, (NOW + DAY, NOW + 2 * DAY)])
def test_a_certificate_that_needs_the_master_is_knocked_for(machine, span):
    write(machine.serving, *span)
    assert machine.lacks() == [["serving"]]


def test_the_same_is_not_told_twice_in_a_row(machine):
    Path(machine.client).unlink()
    assert [machine.lacks(), machine.lacks()] == [[["client"]], []]


def test_a_start_of_the_kubelet_is_told_at_once(machine):
    Path(machine.client).unlink()
    machine.look()
    machine.start_kubelet()
    assert machine.lacks() == [["client"]]


def test_a_kubelet_that_does_not_run_is_left_alone(machine, tmp_path):
    Path(machine.client).unlink()
    (tmp_path / "units/invocation:kubelet.service").unlink()
    assert machine.look() == []


def test_no_token_is_in_a_knock(machine):
    Path(machine.client).unlink()
    assert TOKEN not in str(machine.look())


def test_a_look_starts_no_process_and_speaks_to_nobody(machine, monkeypatch):
    machine.look()
    Path(machine.client).unlink()
    monkeypatch.setattr(subprocess, "Popen", lambda *_, **__: pytest.fail("a process"))
    monkeypatch.setattr(socket, "socket", lambda *_, **__: pytest.fail("a connection"))
    assert machine.lacks() == [["client"]]


def test_a_refresh_of_salts_modules_forgets_nothing(machine, loaders, loop):
    Path(machine.client).unlink()
    machine.look()
    loop.beacons.clear()
    assert "kube_node.beacon" in loop.beacons
    assert machine.look() == []


def test_the_minion_keeps_nothing_of_the_formula_by_its_plain_name(machine, monkeypatch):
    """Each job is forked from the minion, and would import what it finds there instead of what was synced."""
    for name in [name for name in sys.modules if name.startswith(("kube_node", "kubelet_csr"))]:
        monkeypatch.delitem(sys.modules, name)
    Path(machine.client).unlink()
    assert machine.look() != []
    assert [name for name in sys.modules if name.startswith(("kube_node", "kubelet_csr"))] == []


def in_the_mine(modules) -> dict:
    return modules.mine.get("*", "kube_node.attestation")["Worker-1"]


def test_the_attestation_is_in_the_mine(machine, modules):
    machine.look()
    assert in_the_mine(modules) == modules.kube_node.attestation()
    assert in_the_mine(modules)["client_cert_sha256"]


def test_another_certificate_is_attested_at_once(machine, modules):
    machine.look()
    before = in_the_mine(modules)
    write(machine.client, *GOOD)
    machine.look()
    assert before != in_the_mine(modules) == modules.kube_node.attestation()


def test_a_machine_made_anew_attests_that_it_has_nothing(machine, modules):
    Path(machine.client).unlink()
    machine.look()
    assert in_the_mine(modules) == {"client_cert_sha256": None, "spki_sha256": None}


@pytest.fixture
def sends(stand_in) -> list[str]:
    """Return what is sent to the mine, by its name."""
    names: list[str] = []

    def send(name: str, **kwargs: object) -> bool:
        names.append(name)
        return True

    stand_in("mine.send", send)
    return names


def test_what_the_master_was_told_is_not_sent_again(machine, sends):
    for _ in range(3):
        machine.look()
    assert sends == ["kube_node.attestation"]


def test_a_repeated_knock_sends_the_attestation_again(machine, sends, loop):
    Path(machine.client).unlink()
    machine.look()
    module_of(loop)._memory["at"] = 0
    assert machine.lacks() == [["client"]]
    assert sends == ["kube_node.attestation"] * 2


OLD, NEW = [{"interval": 9}], [{"interval": 5}]


class Minion:
    """A running minion's beacons, as Salt's module `beacons` gives at them; None where no minion runs."""

    def __init__(self, opts: dict, running: dict | None) -> None:
        self._opts, self.running, self.saved, self.takes = opts, running, None, True

    def state(self, config: list | None, test: bool = False) -> dict:
        """Return what the state says with this configuration."""
        functions = {
            "beacons.list": self._list,
            "beacons.add": self._put,
            "beacons.modify": self._put,
            "beacons.delete": self._delete,
            "beacons.save": self._save,
        }
        opts = {**self._opts, "test": test}
        states = salt.loader.states(opts, functions, salt.loader.utils(opts), {})
        return states["kube_node.beacon"]("kube_node", config)

    def _list(self, return_yaml: bool) -> dict | None:
        assert not return_yaml
        return self.running

    def _put(self, name: str, config: list) -> dict:
        if not self.takes:
            return {"result": False, "comment": f"Beacon {name} is not available."}
        self.running[name] = config
        return {"result": True, "comment": ""}

    def _delete(self, name: str) -> dict:
        del self.running[name]
        return {"result": True, "comment": ""}

    def _save(self) -> dict:
        self.saved = dict(self.running)
        return {"result": True, "comment": ""}


@pytest.fixture
def minion(minion_opts):
    """Return a function that has a minion run with some beacons."""
    return lambda running: Minion(minion_opts, running)


@pytest.mark.parametrize(
    ("before", "config", "after"),
    [
        ({}, NEW, {"kube_node": NEW}),
        ({"kube_node": OLD, "load": []}, NEW, {"kube_node": NEW, "load": []}),
        ({"kube_node": OLD, "load": []}, None, {"load": []}),
    ],
)
def test_a_beacon_is_changed_in_the_running_minion_and_kept(minion, before, config, after):
    running = minion(before)
    assert running.state(config)["result"] is True
    assert (running.running, running.saved) == (after, after)


@pytest.mark.parametrize("test", [True, False])
def test_what_is_changed_is_told_beforehand_and_afterwards(minion, test):
    result = minion({"kube_node": OLD}).state(NEW, test)
    assert result["changes"] == {"kube_node": {"old": OLD, "new": NEW}}


def test_a_test_run_changes_no_beacon(minion):
    running = minion({"kube_node": OLD})
    assert running.state(NEW, test=True)["result"] is None
    assert (running.running, running.saved) == ({"kube_node": OLD}, None)


@pytest.mark.parametrize(("before", "config"), [({"kube_node": NEW}, NEW), ({}, None)])
@pytest.mark.parametrize("test", [True, False])
def test_a_beacon_that_is_right_is_left_alone(minion, before, config, test):
    running = minion(before)
    result = running.state(config, test)
    assert (result["result"], result["changes"], running.saved) == (True, {}, None)


def test_a_beacon_that_the_minion_does_not_take_is_told_with_the_remedy(minion):
    running = minion({})
    running.takes = False
    result = running.state(NEW)
    assert (result["result"], result["changes"], result["comment"]) == (
        False,
        {},
        "Beacon kube_node is not available. Try again after 'saltutil.sync_all' on this minion",
    )


@pytest.mark.parametrize("test", [True, False])
def test_without_a_running_minion_nothing_is_done(states, test):
    result = states.kube_node.beacon(name="kube_node", config=NEW, test=test)
    assert (result.result, result.changes, result.comment) == (
        True,
        {},
        "No running minion answers: the beacon kube_node is left out",
    )
