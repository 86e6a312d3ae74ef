"""What a machine does by itself: its beacon knocks while its kubelet needs the master, and is silent else."""

from __future__ import annotations

import pytest
from lab.machine import Machine

from nodes.conftest import await_ready, changed, highstate, invocations

PKI = "/var/lib/kubelet/pki"
BOOTSTRAP = "/etc/kubernetes/bootstrap.kubeconfig"
OTHER_TOKEN = "aaaaaa.0123456789abcdef"
# Two looks of the beacon and more.
TWO_LOOKS = 12


@pytest.fixture
def machine(lab) -> Machine:
    """Return the machine that is disturbed here, the second."""
    return lab.machines[1]


def knocks(lab, machine: Machine, seconds: float) -> list[list[str]]:
    """Listen to the master's events for so long, and return what each knock of the beacon lacks."""
    events = lab.master.events(f"salt/beacon/{machine.minion_id}/kube_node/knock", seconds)
    return [data["lacks"] for _, data in events]


def other_token(machine: Machine) -> None:
    machine.run("sed", "--in-place", f's/token: .*/token: "{OTHER_TOKEN}"/', BOOTSTRAP)


@pytest.fixture
def own_token(machine):
    """Put the machine's own bootstrap kubeconfig back afterwards."""
    own = machine.run("cat", BOOTSTRAP).stdout
    yield
    machine.run("tee", BOOTSTRAP, input=own)


@pytest.fixture
def without_certificate(machine):
    """Move the kubelet's client certificate away; put it back afterwards."""
    machine.run("mkdir", "/root/away")
    machine.run("sh", "-c", f"mv {PKI}/kubelet-client-* /root/away/")
    yield
    machine.run("systemctl", "stop", "kubelet")
    machine.run("sh", "-c", f"rm -f {PKI}/kubelet-client-*; mv /root/away/* {PKI}/; rmdir /root/away")
    machine.run("systemctl", "start", "kubelet")


def test_a_node_with_its_certificates_is_silent(lab, machine):
    machine.run("systemctl", "restart", "kubelet")
    assert knocks(lab, machine, TWO_LOOKS) == []


@pytest.mark.usefixtures("without_certificate")
def test_a_kubelet_that_starts_without_its_client_certificate_is_knocked_for(lab, machine):
    machine.run("systemctl", "restart", "kubelet")
    # Its Node is at work, so nothing is approved meanwhile and the knock is repeated.
    assert ["client"] in knocks(lab, machine, TWO_LOOKS)


def test_the_beacon_is_kept_for_the_minions_next_start(machine):
    saved = machine.run("cat", "/etc/salt/minion.d/beacons.conf").stdout
    assert "kube_node" in saved


def test_the_master_has_what_the_machine_attests(lab):
    for machine in lab.machines:
        [attested] = lab.master.salt(machine.minion_id, "kube_node.attestation").values()
        mine = lab.master.salt_run("mine.get", machine.minion_id, "kube_node.attestation")
        assert attested["client_cert_sha256"]
        assert mine == {machine.minion_id: attested}


@pytest.mark.usefixtures("own_token")
def test_a_new_token_is_no_change_on_a_node_that_has_joined(lab, machine):
    other_token(machine)
    before = invocations(machine)
    assert changed(highstate(lab, machine.minion_id, "test=True")[machine.minion_id]) == set()
    assert changed(highstate(lab, machine.minion_id)[machine.minion_id]) == set()
    assert invocations(machine) == before


@pytest.mark.usefixtures("without_certificate", "own_token")
def test_a_new_token_restarts_a_kubelet_that_needs_it(lab, machine):
    other_token(machine)
    predicted = changed(highstate(lab, machine.minion_id, "test=True")[machine.minion_id])
    assert predicted >= {"bootstrap-kubeconfig", "kubelet-service-running"}


def test_a_machine_that_was_off_for_long_comes_back_by_itself(lab, machine):
    """Its certificate is gone, its Node too, and its bootstrap token is one of old."""
    other_token(machine)
    machine.run("systemctl", "stop", "kubelet")
    machine.run("sh", "-c", f"rm {PKI}/*")
    lab.control_plane.kubectl("delete", "node", machine.minion_id)
    machine.run("systemctl", "start", "kubelet")
    await_ready(lab, machine)
    assert OTHER_TOKEN not in machine.run("cat", BOOTSTRAP).stdout
    assert machine.run("stat", "--format=%a %U", BOOTSTRAP).stdout.strip() == "600 root"
