"""A machine from nothing: a preflight that fails leaves it as it was, and a highstate that is killed at any
state is finished by the next. The tests build on one another, in this order.

Each kill is `kill -9` of salt-call and its children, in the midst of the state or when it has done its work
and Salt knows nothing of it yet (`killer`). The first run is killed at each state in turn, each time one
further. For the change of a joined node a whole run comes after each kill, and one more. By default some
states are taken; KUBE_NODE_ALL=1, as `make test-nodes-all` sets it, takes all.
"""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from lab import cluster, host
from lab.lab import Lab
from lab.machine import Machine

from nodes.conftest import changed, highstate, services
from nodes.machines import beside, tree

KILLER = (Path(__file__).parent / "killer/sitecustomize.py").read_text()
ALL = os.environ.get("KUBE_NODE_ALL") == "1"
MIDST, DONE = 2, 99
FIRST = (("kubelet-installed", MIDST), ("containerd-config", DONE), ("kubelet-service-running", DONE))
# The second and the fourth on the way back.
CHANGE = (
    ("kubelet-installed", MIDST),
    ("kubelet-proxy", DONE),
    ("kubelet-config", MIDST),
    ("kube-proxy-service-running", DONE),
)
OTHER = "1.36.3"
STARTED_WITH = {
    "containerd": ("/etc/containerd/config.toml",),
    "kubelet": (
        "/var/lib/kubelet/config.yaml",
        "/etc/systemd/system/kubelet.service",
        "/usr/local/bin/kubelet",
    ),
    "kube-proxy": (
        "/var/lib/kube-proxy/config.yaml",
        "/etc/systemd/system/kube-proxy.service",
        "/usr/local/bin/kube-proxy",
    ),
}


@pytest.fixture(scope="module")
def new() -> Iterator[Lab]:
    """Return a lab of one machine that has had no highstate, with a second release to change to."""
    if reason := host.unable():
        pytest.skip(reason)
    with Lab("new", nodes=1) as lab:
        lab.other = cluster.prepare_binaries(lab.master, OTHER)
        machine = lab.machines[0]
        machine.run("mkdir", "/root/killer")
        machine.run("sh", "-c", "cat > /root/killer/sitecustomize.py", input=KILLER)
        yield lab


def killed(machine: Machine, point: int, *states: str) -> None:
    """Run the highstate, killed in the first of these states; fail where it never came so far."""
    environment = (f"KILLED_IN={','.join(states)}", f"KILLED_AT={point}", "PYTHONPATH=/root/killer")
    command = ("setsid", "--wait", "env", *environment, "salt-call", "--out=json", "state.highstate")
    done = machine.run(*command, check=False)
    assert done.returncode in (-signal.SIGKILL, 128 + signal.SIGKILL), f"{states[0]}: {done.stdout[-2000:]}"


def points(states: list[str]) -> list[tuple[str, int]]:
    """Return both points of each state."""
    return [(state, point) for state in states for point in (MIDST, DONE)]


def run(lab: Lab, *arguments: str) -> dict[str, dict]:
    """Run the highstate on the one machine; return its states, of which none may have failed."""
    [machine] = lab.machines
    return highstate(lab, machine.minion_id, *arguments)[machine.minion_id]


def leftovers(machine: Machine) -> str:
    """Return what is half done: files on their way, units that systemd has not read, services that are older
    than their files."""
    halves = "find /etc /opt/kube_node /usr/local /var/lib/kubelet -name '*.part' -o -name '*.new'"
    unread = "systemctl show --property=Id,NeedDaemonReload '*' | grep -B1 NeedDaemonReload=yes"
    found = machine.run("sh", "-c", f"{halves}; {unread}", check=False).stdout
    for unit, files in STARTED_WITH.items():
        show = ("systemctl", "show", "--timestamp=unix", "--property=ExecMainStartTimestamp", "--value", unit)
        second = int(machine.run(*show).stdout.strip("@\n")) + 1
        drop_ins = f"/etc/systemd/system/{unit}.service.d"  # perhaps none
        found += machine.run("find", *files, drop_ins, "-newermt", f"@{second}", check=False).stdout
    return found


def pillar_of(lab: Lab) -> dict:
    return next(iter(lab.pillars().values()))


def other_pillar(lab: Lab) -> dict:
    """Return a pillar by which each service is another."""
    pillar = pillar_of(lab)
    sha256 = {name: lab.other[name] for name in ("kubelet", "kube-proxy")}
    pillar |= {"version": OTHER}
    pillar["binaries"] = {"source": f"salt://kubernetes/v{OTHER}", "sha256": sha256}
    pillar["runtime"] = {"sandbox_image": "registry.example.org/pause:3.10"}
    pillar["kubelet"]["config"]["maxPods"] = 42
    pillar["proxy"] = {"https": "http://192.0.2.9:3128"}
    pillar["kube_proxy"]["config"]["metricsBindAddress"] = "127.0.0.1:10249"
    return pillar


def give(lab: Lab, pillar: dict) -> None:
    """Have the machine's pillar be this one."""
    [machine] = lab.machines
    (lab.master.pillar / f"{machine.minion_id}.sls").write_text(yaml.safe_dump({"kube_node": pillar}))


def test_a_failed_preflight_leaves_the_machine_as_it_was(new):
    [machine] = new.machines
    before = tree(machine), beside(machine), services(machine)
    wrong = {"kube_node": {"node": {"addresses": ["10.77.0.99"]}, "os": {"swap": "off"}}}
    run = (machine.minion_id, "state.highstate", f"pillar={json.dumps(wrong)}")
    [stopped] = new.master.salt(*run)[machine.minion_id].values()
    assert stopped["comment"].splitlines()[0] == "Nothing was touched:"
    assert (tree(machine), beside(machine), services(machine)) == before


def test_a_test_run_on_a_new_machine_touches_nothing(new):
    [machine] = new.machines
    before = tree(machine), beside(machine), services(machine)
    states = run(new, "test=True")
    assert (tree(machine), beside(machine), services(machine)) == before
    new.order = [
        state["__id__"]
        for state in sorted(states.values(), key=lambda one: one["__run_num__"])
        if state["__id__"] in changed(states)
    ]


def test_a_first_highstate_that_was_killed_at_each_state_is_finished_by_the_next(new):
    [machine] = new.machines
    for state, point in points(new.order) if ALL else FIRST:
        # What a kill in its midst left may be all that the state is for: then it is none of the next run's.
        killed(machine, point, *new.order[new.order.index(state) :])
    run(new)
    assert leftovers(machine) == ""
    before = services(machine)
    assert (changed(run(new)), services(machine)) == (set(), before)


@pytest.fixture(scope="module")
def ends(new) -> list[tuple[dict, str]]:
    """Return two pillars, and what the machine is by each after a run that nothing disturbed."""
    [machine] = new.machines
    found = []
    for pillar in (other_pillar(new), pillar_of(new)):
        give(new, pillar)
        new.change = [state["__id__"] for state in run(new).values() if state["changes"]]
        found.append((pillar, tree(machine, times=False)))
    return found


def test_a_change_that_was_killed_at_each_state_is_finished_by_the_next(new, ends):
    [machine] = new.machines
    for number, (state, point) in enumerate(points(new.change) if ALL else CHANGE):
        pillar, end = ends[number % 2]
        give(new, pillar)
        killed(machine, point, state)
        run(new)
        assert (leftovers(machine), tree(machine, times=False)) == ("", end), f"{state}, {point}"
        before = services(machine)
        assert (changed(run(new)), services(machine)) == (set(), before), f"{state}, {point}"
