"""A simulated day of many nodes at one master: renewals, a rack that returns, and the sweeps.

`make -s bench-day N=10000` prints a table; its last line is one JSON object. Simulated are the minions and
kubelets (tests/lab/fleet), and the time: a day passes in `--seconds`. Master and API server are as in the
storm.

It is a bad day: all nodes were made within one week. Certificates of a year are renewed at 70 to 90 % of
their life, evenly spread by the kubelets' jitter, so that all of the first renewals fall into 73 days: N/73
client and as many serving certificates a day. A rack that was off until its certificates had expired returns
in the middle of the day. All others attest their certificates and have Ready Nodes. Sweeps are made by hand;
what those of a day take is reckoned from some before it, while nothing else is going on.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import resource
import statistics
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from lab.cluster import APPROVER
from lab.controlplane import ControlPlane
from lab.fleet import SERVING_SIGNER, Fleet, Pace
from lab.master import Master
from lab.network import Loopback, free_port
from report import table
from storm import Cpu, Memory

DAY_SECONDS = 86_400
RENEWAL_DAYS = 365 * (0.9 - 0.7)
SWEEPS_A_DAY = DAY_SECONDS / 300
LATE_SECONDS = 120


def _runner_cpu(master: Master, function: str, times: int = 3) -> float:
    """Return how many seconds of the processor a runner of salt-run takes, with the worker that it starts."""

    def once() -> float:
        before = _children_cpu()
        master.salt_run(function)
        return _children_cpu() - before

    return statistics.median(once() for _ in range(times))


def _children_cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def measure(fleet: Fleet, options: argparse.Namespace) -> dict[str, Any]:
    """Let the day pass, and return the numbers."""
    master, plane, renewals = fleet.master, fleet.plane, round(options.nodes / RENEWAL_DAYS)
    nodes = iter(fleet.minions)
    rack, clients, servings = (
        list(itertools.islice(nodes, count)) for count in (options.rack, renewals, renewals)
    )
    fleet.enrol()
    fleet.attest()
    fleet.register(down=rack)
    master.salt_run("kube_node.sweep")  # its register is empty at first
    sweep = _runner_cpu(master, "kube_node.sweep") - _runner_cpu(master, "test.arg")
    before, reports = len(plane.requests_of(APPROVER)), []
    day, late = Pace(spread=options.seconds), options.seconds + LATE_SECONDS
    with ExitStack() as running, Memory(master) as memory, Cpu(master) as cpu:

        def start(some: list[str], pace: Pace, **what: Any) -> Any:
            return running.enter_context(fleet.started(pace, seconds=late, some=some, **what))

        began = time.monotonic()
        processes = [
            start(clients, day, renew=True),
            start(servings, day, renew=True, signer=SERVING_SIGNER),
        ]
        for half in (1, 2):
            if half == 2:
                fleet.attest(rack, certified=False)
                processes.append(start(rack, Pace()))
            while (passed := time.monotonic() - began) < options.seconds * half / 2:
                master.salt_run("kube_node.sweep")
                time.sleep(max(0, options.sweep - (time.monotonic() - began - passed)))
        reports += map(fleet.report, processes)
        fleet.attest(rack)
        reports.append(
            fleet.knock(Pace(), seconds=LATE_SECONDS, some=rack, renew=True, signer=SERVING_SIGNER)
        )
        fleet.rest(LATE_SECONDS)
    asked = plane.requests_of(APPROVER)[before:]
    names = ("renewed", "serving", "returned", "returned_serving")
    return {
        "nodes": options.nodes,
        **{name: len(report.approved) for name, report in zip(names, reports, strict=True)},
        "lost": sum(len(report.lost) for report in reports),
        "factor": round(DAY_SECONDS / options.seconds),
        "requests": len(asked),
        "latency_ms_p95": {name: report.latency_ms(95) for name, report in zip(names, reports, strict=True)},
        "master_cpu_seconds": round(cpu.seconds, 1),
        "sweep_cpu_seconds": round(sweep, 2),
        "sweeps_of_a_day_cpu_seconds": round(sweep * SWEEPS_A_DAY),
        "master_mb": round(memory.before_mb, 1),
        "master_rss_mb": round(memory.grown_mb, 1),
        "secrets_left": len(fleet.secrets()),
        "api": plane.flavour,
        "cores": os.cpu_count(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--nodes", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=300, help="that the day takes")
    parser.add_argument("--sweep", type=float, default=30, help="seconds from one sweep to the next")
    parser.add_argument("--rack", type=int, default=40, help="nodes that return at once")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        more = {"publish_port": free_port(), "ret_port": free_port(), "log_level_logfile": "warning"}
        with (
            ControlPlane(folder / "plane", port=free_port(), audited=APPROVER) as plane,
            Master(folder / "master", Loopback(), more) as master,
        ):
            numbers = measure(Fleet(master, plane, options.nodes), options)
    table(numbers)
    print(json.dumps(numbers))


if __name__ == "__main__":
    main()
