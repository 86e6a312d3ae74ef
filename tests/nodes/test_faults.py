"""What goes wrong on one machine: its minion is killed, or its clock is wrong. It gets in all the same."""

from __future__ import annotations

import shutil
import subprocess
import time
from datetime import datetime
from pathlib import Path

import pytest
from lab import binaries, waiting
from lab.cluster import CLUSTER
from lab.machine import Machine

from nodes.conftest import await_ready

PKI = "/var/lib/kubelet/pki"
CLIENT = f"{PKI}/kubelet-client-current.pem"
KUBECONFIG = "/etc/kubernetes/kubelet.kubeconfig"
KNOCK = "kube-node-knock.service"
SKEWED_CLOCK = Path(__file__).with_name("skewed_clock.c")
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
    with lab.master.starting(machine):
        machine.run("systemctl", "restart", "salt-minion")
    machine.run("systemctl", "start", "kubelet")
    await_ready(lab, machine)


def start_kubelet_and_kill_minion(machine: Machine) -> None:
    machine.run("sh", "-c", "systemctl start --no-block kubelet; systemctl kill --signal=KILL salt-minion")
    active = ("systemctl", "is-active", "salt-minion")
    waiting.until(lambda: machine.run(*active, check=False).returncode, "the minion's end", SECONDS)


def test_a_machine_whose_minion_was_killed_gets_in_by_its_kubelets_own_knock(lab, machine):
    start_kubelet_and_kill_minion(machine)
    await_ready(lab, machine)


@pytest.fixture
def silent(machine):
    """Return the machine whose kubelet does not knock when it starts."""
    folder = f"/run/systemd/system/{KNOCK}.d"
    drop_in = "[Service]\nExecStart=\nExecStart=/bin/true\n"
    machine.run("sh", "-c", f"mkdir -p {folder}; cat > {folder}/silent.conf", input=drop_in)
    machine.run("systemctl", "daemon-reload")
    yield machine
    machine.run("rm", "-r", folder)
    machine.run("systemctl", "daemon-reload")


def test_a_machine_whose_minion_was_killed_before_it_knocked_gets_in_when_it_is_back(lab, silent):
    start_kubelet_and_kill_minion(silent)
    silent.run("systemctl", "start", "salt-minion")
    await_ready(lab, silent)


def test_a_machine_whose_minion_was_killed_and_stays_away_gets_in_by_the_sweep(lab, silent):
    waiting.until(lambda: attested(lab, silent) is None, "what it attests without a certificate", SECONDS)
    start_kubelet_and_kill_minion(silent)
    lab.master.salt_run("kube_node.sweep")
    await_ready(lab, silent)


@pytest.fixture(params=[600, -600], ids=["ahead", "behind"])
def skewed(request, lab, machine):
    """Return the machine, and the seconds by which the clock of its minion and kubelet is wrong: simulated,
    for the clock is the kernel's."""
    compiler = shutil.which("cc")
    if binaries.real("kubelet"):
        pytest.skip("a preloaded clock does not reach the real kubelet, which asks the kernel itself")
    if compiler is None:
        pytest.skip("a C compiler is missing, for the clock that is wrong")
    library = "/root/skewed_clock.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-o", f"{machine.root}{library}", SKEWED_CLOCK], check=True)
    clock = {"LD_PRELOAD": library, "CLOCK_SKEW": str(request.param)}
    machine.run("systemctl", "set-environment", *(f"{key}={value}" for key, value in clock.items()))
    machine.run("systemctl", "restart", "salt-minion")
    machine.run("systemctl", "start", "--no-block", "kubelet")
    yield machine, request.param
    machine.run("systemctl", "unset-environment", *clock)
    machine.run("systemctl", "restart", "kubelet")


def test_a_machine_whose_clock_is_ten_minutes_wrong_gets_in(lab, skewed):
    machine, seconds = skewed
    await_ready(lab, machine)
    made = machine.run("readlink", CLIENT).stdout.strip().rpartition("kubelet-client-")[2]
    made = datetime.strptime(made, "%Y-%m-%d-%H-%M-%S.pem").timestamp()
    assert abs(made - time.time() - seconds) < 120


def attested(lab, machine: Machine) -> str | None:
    """Return the digest of the certificate that the master has of a minion."""
    mine = lab.master.salt_run("mine.get", machine.minion_id, "kube_node.attestation")
    return mine[machine.minion_id]["client_cert_sha256"]
