"""A machine whose minion is killed gets in all the same: by its kubelet, when it is back, or by the sweep."""

from __future__ import annotations

import pytest
from lab import waiting
from lab.cluster import CLUSTER
from lab.machine import Machine

from nodes.conftest import await_ready

PKI = "/var/lib/kubelet/pki"
KUBECONFIG = "/etc/kubernetes/kubelet.kubeconfig"
KNOCK = "kube-node-knock.service"
SECONDS = 30


@pytest.fixture
def machine(lab) -> Machine:
    """Return the second machine as one that never was a node: its kubelet is off, its Node is gone, and no
    worker waits for it any more."""
    machine = lab.machines[1]
    lab.master.rest(CLUSTER, seconds=90)
    machine.run("systemctl", "stop", "kubelet")
    machine.run("sh", "-c", f"rm -rf {PKI} {KUBECONFIG}")
    lab.control_plane.kubectl("delete", "node", "--ignore-not-found", machine.minion_id)
    yield machine
    machine.run("systemctl", "start", "salt-minion", "kubelet")
    await_ready(lab, machine)


def start_kubelet_and_kill_minion(machine: Machine) -> None:
    machine.run("sh", "-c", "systemctl start --no-block kubelet; systemctl kill --signal=KILL salt-minion")
    assert machine.run("systemctl", "is-active", "salt-minion", check=False).returncode != 0


def test_a_machine_whose_minion_was_killed_gets_in_by_its_kubelets_own_knock(lab, machine):
    start_kubelet_and_kill_minion(machine)
    await_ready(lab, machine)


@pytest.fixture
def silent(machine):
    """Return the machine whose kubelet does not knock when it starts."""
    machine.run("systemctl", "mask", "--runtime", KNOCK)
    yield machine
    machine.run("systemctl", "unmask", "--runtime", KNOCK)


def test_a_machine_whose_minion_was_killed_before_it_knocked_gets_in_when_it_is_back(lab, silent):
    start_kubelet_and_kill_minion(silent)
    silent.run("systemctl", "start", "salt-minion")
    await_ready(lab, silent)


def test_a_machine_whose_minion_was_killed_and_stays_away_gets_in_by_the_sweep(lab, silent):
    waiting.until(lambda: attested(lab, silent) is None, "what it attests without a certificate", SECONDS)
    start_kubelet_and_kill_minion(silent)
    lab.master.salt_run("kube_node.sweep")
    await_ready(lab, silent)


def attested(lab, machine: Machine) -> str | None:
    """Return the digest of the certificate that the master has of a minion."""
    mine = lab.master.salt_run("mine.get", machine.minion_id, "kube_node.attestation")
    return mine[machine.minion_id]["client_cert_sha256"]
