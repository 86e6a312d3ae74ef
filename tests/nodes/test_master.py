"""The state kube_node.master on a machine with a running master of its own: set up once, then left alone."""

from __future__ import annotations

import pytest

from nodes.conftest import changed

UNIT = """
[Service]
Type=notify
NotifyAccess=all
LimitNOFILE=8192
TimeoutStopSec=5
ExecStart=/opt/salt/bin/salt-master --config-dir=/etc/salt
[Install]
WantedBy=multi-user.target
"""
LEFT = "/etc/salt/master.d /etc/salt/kube_node /etc/systemd/system/salt-master.service /var/cache/salt/master"


@pytest.fixture(scope="module")
def machine(lab):
    """Return a machine on which salt-master runs as well, as its package has it."""
    machine = lab.machines[0]
    machine.run("sh", "-c", "cat > /etc/systemd/system/salt-master.service", input=UNIT)
    machine.run("systemctl", "daemon-reload")
    machine.run("systemctl", "start", "salt-master")
    yield machine
    machine.run("systemctl", "disable", "--now", "salt-master")
    machine.run("sh", "-c", f"rm -rf {LEFT}; systemctl daemon-reload")


def apply(lab, machine, *arguments: str) -> dict[str, dict]:
    """Apply the state, and fail with what a failed one said."""
    answer = lab.master.salt(machine.minion_id, "state.apply", "kube_node.master", *arguments)
    states = answer[machine.minion_id]
    assert isinstance(states, dict), states
    assert {one["comment"] for one in states.values() if one["result"] is False} == set()
    return states


def invocation(machine) -> str:
    return machine.run("systemctl", "show", "--property=InvocationID", "--value", "salt-master").stdout


def test_a_master_is_set_up_once_and_restarted_for_it(lab, machine):
    before = invocation(machine)
    predicted = changed(apply(lab, machine, "test=True"))
    assert invocation(machine) == before
    assert changed(apply(lab, machine)) == predicted
    assert invocation(machine) != before
    reactor = machine.run("/opt/salt/bin/salt-run", "--out=json", "config.get", "ext_pillar").stdout
    assert "kube_node" in reactor
    assert changed(apply(lab, machine)) == set()
