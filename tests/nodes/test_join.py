"""Two machines become Ready nodes by one highstate, and a second one finds nothing to do."""

from __future__ import annotations

import json

import pytest
import yaml

from nodes.conftest import UNITS, changed, highstate, invocations


def test_both_machines_are_ready_nodes(lab):
    lab.control_plane.kubectl("wait", "--for=condition=Ready", "node", "--all", "--timeout=60s")
    nodes = json.loads(lab.control_plane.kubectl("get", "nodes", "--output=json"))["items"]
    assert {node["metadata"]["name"] for node in nodes} == {machine.minion_id for machine in lab.machines}


def test_a_test_run_on_a_new_machine_predicts_what_the_first_highstate_changes(lab):
    predicted, done = (
        {minion: changed(states) for minion, states in answers.items()}
        for answers in (lab.predicted, lab.first_highstate)
    )
    assert predicted == done


def test_each_node_runs_the_release_of_the_pillar(lab):
    nodes = json.loads(lab.control_plane.kubectl("get", "nodes", "--output=json"))["items"]
    assert {node["status"]["nodeInfo"]["kubeletVersion"] for node in nodes} == {f"v{lab.version}"}


def test_every_approved_request_says_whose_it_is(lab):
    requests = json.loads(lab.control_plane.kubectl("get", "csr", "--output=json"))["items"]
    approved = [
        condition["message"]
        for request in requests
        for condition in request["status"].get("conditions", [])
        if condition["type"] == "Approved"
    ]
    assert len(approved) >= 2 * len(lab.machines)
    assert all("of minion 'worker-" in message for message in approved)


@pytest.mark.parametrize("unit", UNITS)
def test_unit_is_active_and_enabled(lab, unit):
    for machine in lab.machines:
        assert machine.run("systemctl", "is-active", unit).stdout.strip() == "active"
        assert machine.run("systemctl", "is-enabled", unit).stdout.strip() == "enabled"


def test_second_highstate_changes_nothing_and_restarts_nothing(lab):
    before = {machine.minion_id: invocations(machine) for machine in lab.machines}
    assert {minion: changed(states) for minion, states in highstate(lab).items()} == {
        minion: set() for minion in before
    }
    assert {machine.minion_id: invocations(machine) for machine in lab.machines} == before


def test_dry_run_on_a_joined_node_predicts_no_change(lab):
    answers = highstate(lab, "*", "test=True")
    assert {minion: changed(states) for minion, states in answers.items()} == {
        minion: set() for minion in answers
    }


def test_changed_parameter_restarts_the_kubelet_alone_and_as_predicted(lab):
    machine = lab.machines[0]
    file = lab.master.pillar / f"{machine.minion_id}.sls"
    original, before = file.read_text(), invocations(machine)
    pillar = yaml.safe_load(original)
    pillar["kube_node"]["kubelet"]["config"]["maxPods"] = 42
    try:
        file.write_text(yaml.safe_dump(pillar))
        predicted = changed(highstate(lab, machine.minion_id, "test=True")[machine.minion_id])
        done = changed(highstate(lab, machine.minion_id)[machine.minion_id])
        after = invocations(machine)
    finally:
        file.write_text(original)
        highstate(lab, machine.minion_id)
    assert predicted == done == {"kubelet-config", "kubelet-service-running"}
    assert {unit for unit in UNITS if after[unit] != before[unit]} == {"kubelet"}


def test_bootstrap_token_is_for_root_alone(lab):
    for machine in lab.machines:
        found = machine.run("stat", "--format=%a %U", "/etc/kubernetes/bootstrap.kubeconfig").stdout.strip()
        assert found == "600 root"
