"""Two machines with systemd, booted once and shared: each test leaves them as it found them."""

from __future__ import annotations

import json

import pytest
from lab import host, waiting
from lab.highstate import failures
from lab.lab import Lab
from lab.machine import Machine

UNITS = ("containerd", "kubelet", "kube-proxy")
LOG_SHOWN = 20_000  # characters of the master's log
# Tests wait for the end of a worker that waits for a request in vain: not for a minute each.
HURRIED = {"kube_node": {"wait_seconds": 10}}


@pytest.fixture(scope="session")
def lab(worker_id: str):
    """Return a lab whose machines have had their first highstate, and before it a test run."""
    if reason := host.unable():
        pytest.skip(reason)
    # Each process of pytest-xdist has a lab of its own.
    with Lab(f"test-{worker_id}", master_settings=HURRIED) as running:
        running.predicted = highstate(running, "*", "test=True")
        running.first_highstate = highstate(running)
        yield running


def highstate(lab: Lab, target: str = "*", *arguments: str) -> dict[str, dict[str, dict]]:
    """Run the highstate on one minion, or on all; return the states of each by its id.

    Fails with what failed states said and who did not answer, and shows the master's log then.
    """
    wanted = {machine.minion_id for machine in lab.machines} if target == "*" else {target}
    answers = lab.master.salt(target, "state.highstate", *arguments)
    if failed := failures(wanted, answers):
        print(lab.master.log.read_text()[-LOG_SHOWN:])
    assert not failed, "\n".join(failed)
    return answers


def changed(states: dict[str, dict]) -> set[str]:
    """Return the ids of the states that changed something, or would."""
    return {state["__id__"] for state in states.values() if state["changes"] or state["result"] is None}


def invocations(machine: Machine) -> dict[str, str]:
    """Return systemd's invocation id of each unit: another one after each start."""
    return {
        unit: machine.run("systemctl", "show", "--property=InvocationID", "--value", unit).stdout.strip()
        for unit in UNITS
    }


def await_ready(lab: Lab, machine: Machine, seconds: float = 90) -> None:
    """Return when a machine is a Ready node."""
    name = machine.minion_id

    def is_ready() -> bool:
        nodes = json.loads(lab.control_plane.kubectl("get", "nodes", "--output=json"))["items"]
        return any(
            condition["type"] == "Ready" and condition["status"] == "True"
            for node in nodes
            if node["metadata"]["name"] == name
            for condition in node["status"].get("conditions", [])
        )

    waiting.until(is_ready, f"{name} being Ready", seconds, interval=0.5)


def services(machine: Machine) -> dict[str, str]:
    """Return systemd's invocation id of every service that runs."""
    shown = machine.run("systemctl", "show", "--property=Id,InvocationID,SubState", "*.service").stdout
    units = [dict(line.split("=", 1) for line in unit.splitlines()) for unit in shown.split("\n\n") if unit]
    return {unit["Id"]: unit["InvocationID"] for unit in units if unit["SubState"] == "running"}
