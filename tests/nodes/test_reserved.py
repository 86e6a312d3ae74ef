"""A reservation that the kubelet enforces has a slice of systemd's own, with the kubelet in it."""

from __future__ import annotations

import pytest
import yaml

from nodes.conftest import highstate

RESERVED = {
    "enforceNodeAllocatable": ["pods", "kube-reserved"],
    "kubeReserved": {"cpu": "100m", "memory": "128Mi"},
    "kubeReservedCgroup": "/kube.slice",
}


@pytest.fixture
def reserving(lab):
    """Return the second machine while its kubelet enforces a reservation; all is put back afterwards."""
    machine = lab.machines[1]
    file = lab.master.pillar / f"{machine.minion_id}.sls"
    original = file.read_text()
    pillar = yaml.safe_load(original)
    pillar["kube_node"]["kubelet"]["config"] |= RESERVED
    try:
        file.write_text(yaml.safe_dump(pillar))
        highstate(lab, machine.minion_id)
        yield machine
    finally:
        file.write_text(original)
        highstate(lab, machine.minion_id)
        machine.run("rm", "/etc/systemd/system/kube.slice")
        machine.run("systemctl", "daemon-reload")


def test_the_kubelet_runs_in_the_slice_that_it_enforces(reserving):
    shown = reserving.run("systemctl", "show", "--property=FragmentPath,ActiveState", "kube.slice").stdout
    assert set(shown.split()) == {"FragmentPath=/etc/systemd/system/kube.slice", "ActiveState=active"}
    shown = reserving.run("systemctl", "show", "--property=Slice,ActiveState", "kubelet").stdout
    assert set(shown.split()) == {"Slice=kube.slice", "ActiveState=active"}
