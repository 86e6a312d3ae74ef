"""kube-proxy in another mode: the rules of the one before go, once, and those of the new one come."""

from __future__ import annotations

import pytest
import yaml
from lab import binaries, waiting
from lab.machine import Machine

from nodes.conftest import changed, highstate, invocations

# Of each mode what tells that its rules are there.
REAL = {
    "iptables": "iptables-save | grep -e '^:KUBE-SERVICES' -e '^:KUBE-POSTROUTING'",
    "nftables": "nft list tables | grep kube-proxy",
}
DOUBLE = {mode: f"ls /run/kube-proxy-double/{mode}" for mode in REAL}
STATES = {"kube-proxy-config", "kube-proxy-rules-of-its-mode", "kube-proxy-service-running"}


@pytest.fixture
def rules(lab):
    """Return a function that tells whose rules are on a machine."""
    looks = REAL if binaries.real("kube-proxy") else DOUBLE

    def found(machine: Machine) -> list[str]:
        return [mode for mode, look in looks.items() if machine.run("sh", "-c", look, check=False).stdout]

    return found


@pytest.fixture
def mode(lab):
    """Return a function that has the first machine's pillar say another mode; put it back."""
    file = lab.master.pillar / f"{lab.machines[0].minion_id}.sls"
    before = file.read_text()

    def give(mode: str) -> None:
        pillar = yaml.safe_load(before)
        pillar["kube_node"]["kube_proxy"]["config"]["mode"] = mode
        file.write_text(yaml.safe_dump(pillar))

    yield give
    file.write_text(before)
    highstate(lab, lab.machines[0].minion_id)


def test_the_rules_of_the_mode_before_go_once(lab, mode, rules):
    machine = lab.machines[0]
    minion = machine.minion_id
    waiting.until(lambda: rules(machine) == ["iptables"], "the rules of iptables", 60)
    for name in ("nftables", "iptables"):
        mode(name)
        foretold = changed(highstate(lab, minion, "test=True")[minion])
        done = changed(highstate(lab, minion)[minion])
        assert done == foretold >= STATES
        waiting.until(lambda name=name: rules(machine) == [name], f"the rules of {name} alone", 60)
        running = invocations(machine)
        assert changed(highstate(lab, minion)[minion]) == set()
        assert invocations(machine) == running  # kube-proxy is stopped while it cleans
