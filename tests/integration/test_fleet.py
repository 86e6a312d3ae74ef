"""Many nodes at once, and knocks that get lost: simulated minions and kubelets before a real master."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace

import kube_node_register
import kube_node_tokens
import pytest
from lab.controlplane import ControlPlane
from lab.fleet import CLUSTER, Faults, Fleet, Pace
from lab.fleet.minions import Bus
from lab.master import Master
from lab.network import Loopback, free_port
from lab.waiting import until

# Not what real kubelets do (2 s): a test is about who gets in, not about when.
QUICK = Pace(request=0.2, pause=0.5, longest_pause=2.0, again=1.0)
# A reactor with one thread has none left for longer than its test takes.
BUSY = """
busy:
  runner.test.sleep:
    - args:
        - s_time: 120
"""


@pytest.fixture
def fleet(tmp_path_factory) -> Iterator[Callable[..., Fleet]]:
    """Return a function that gives a fleet of so many before a master with further settings."""
    folder = tmp_path_factory.mktemp("fleet")  # a socket's path is short, a test's name is not
    with ExitStack() as running:

        def begin(nodes: int, **settings: object) -> Fleet:
            plane = running.enter_context(ControlPlane(folder / "plane", port=free_port()))
            more = {"publish_port": free_port(), "ret_port": free_port(), **settings}
            master = running.enter_context(Master(folder / "master", Loopback(), more))
            found = Fleet(master, plane, nodes)
            found.enrol()
            return found

        yield begin


def test_fleet_that_knocks_at_once_is_let_in(fleet):
    thirty = fleet(30)
    report = thirty.knock(QUICK, seconds=90)
    assert report.lost == []
    thirty.rest(20)  # a minion that it waited for in vain would keep it for a minute
    assert thirty.secrets() == []


def test_sweep_lets_in_a_fleet_whose_knocks_are_all_lost(fleet):
    thirty = fleet(30)
    thirty.attest(certified=False)
    with thirty.started(QUICK, Faults(silent=True), seconds=90) as process:
        thirty.master.salt_run("kube_node.sweep")
        report = thirty.report(process)
    assert report.knocks == 0
    assert report.lost == []


def test_a_reactor_whose_threads_and_queue_are_full_keeps_nobody_out(fleet):
    busy = [{"test/busy": ["salt://busy.sls"]}]
    many = fleet(100, reactor=busy, reactor_worker_threads=1, reactor_worker_hwm=5)
    (many.master.states / "busy.sls").write_text(BUSY)
    many.warm()
    bus = Bus(str(many.master.sockets))
    with many.started(replace(QUICK, again=0), seconds=90) as process:
        for _ in range(20):
            bus.fire("test/busy")
        for number in range(400):
            bus.knock(f"stranger-{number}", None, "client", beacon=True)
        report = many.report(process)
    bus.close()
    assert (report.knocks, report.lost) == (100, [])
    assert many.master.log.read_text().count("TaskPool queue is full") > 10


def test_master_that_is_killed_in_mid_pass_lets_all_in_when_it_is_back(fleet):
    thirty = fleet(30)
    with thirty.started(QUICK):
        until(thirty.secrets, "the first Secrets", seconds=30, interval=0.05)
        thirty.master.kill()
    thirty.master.start()
    assert thirty.knock(QUICK, seconds=90).lost == []
    until(lambda: set(thirty.secrets()) <= known(thirty), "Secrets that a sweep knows, no others", seconds=20)


def known(fleet: Fleet) -> set[str]:
    """Return the names of the Secrets that the master remembers having made."""
    register = kube_node_register.of_master(str(fleet.master.cache))
    return {f"secret/{kube_node_tokens.name(one.token_id)}" for one in register.made(CLUSTER)}


def test_kubelets_that_crash_eleven_times_are_let_in(fleet):
    five = fleet(5)
    report = five.knock(QUICK, Faults(crashes=11, crash_pause=0.5), seconds=90)
    assert report.lost == []
    assert {len(course.requests) for course in report.courses} == {12}
