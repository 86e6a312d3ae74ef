"""Two machines with systemd, booted once and shared: each test leaves them as it found them."""

from __future__ import annotations

import json

import pytest
from lab import host, waiting
from lab.lab import Lab
from lab.machine import Machine

UNITS = ("containerd", "kubelet", "kube-proxy")


@pytest.fixture(scope="session")
def lab(worker_id: str):
    """Return a lab whose machines have had their first highstate, and before it a test run."""
    if reason := host.unable():
        pytest.skip(reason)
    # Each process of pytest-xdist has a lab of its own.
    with Lab(f"test-{worker_id}") as running:
        running.predicted = highstate(running, "*", "test=True")
        running.first_highstate = highstate(running)
        yield running


def highstate(lab: Lab, target: str = "*", *arguments: str) -> dict[str, dict[str, dict]]:
    """Run the highstate; return each minion's states by id, and fail with what a failed one said."""
    answers = lab.master.salt(target, "state.highstate", *arguments, timeout=300)
    for minion, states in answers.items():
        assert isinstance(states, dict), f"{minion}: {states}"
        failed = {key: state["comment"] for key, state in states.items() if state["result"] is False}
        assert not failed, f"{minion}: {json.dumps(failed, indent=2)}"
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
