"""A storm: N nodes knock within one second at a fresh master, and each wants its certificate.

`make -s bench-storm N=1000` prints a table; its last line is one JSON object. The minions and kubelets are
simulated (tests/lab/fleet), all that is measured is real: the master's event bus, reactor, runner, worker
and policy. The API server is Kubernetes' own where KUBEBUILDER_ASSETS names a folder with it, and the lab's
double elsewhere.

requests are all that the approver's user made of the API server, by the server's own log: /lab/requests of
the double, the audit log of the real one. passes are those that began to list all certificate requests.
master_rss_mb is what all processes of the master together take (proportional set size) at the peak of the
storm, less what they took before it.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "_utils")]

from lab.cluster import APPROVER  # noqa: E402
from lab.controlplane import ControlPlane  # noqa: E402
from lab.fleet import Faults, Fleet, Pace  # noqa: E402
from lab.master import Master  # noqa: E402
from lab.network import Loopback, free_port  # noqa: E402
from report import table  # noqa: E402

DROPPED = "TaskPool queue is full"
SAMPLE_SECONDS = 0.5
REST_SECONDS = 120


class Memory(threading.Thread):
    """The memory of a master's processes, looked at twice a second while the context lasts."""

    def __init__(self, master: Master) -> None:
        super().__init__(daemon=True)
        self._master, self._over = master, threading.Event()
        self.before_mb = self.peak_mb = self._mb()

    def __enter__(self) -> Memory:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self.join()

    def run(self) -> None:
        while not self._over.wait(SAMPLE_SECONDS):
            self.peak_mb = max(self.peak_mb, self._mb())

    @property
    def grown_mb(self) -> float:
        """How much more the master took at the peak."""
        return self.peak_mb - self.before_mb

    def _mb(self) -> float:
        return sum(map(_pss_kb, self._master.processes())) / 1024


class Cpu:
    """The processor seconds that a master's processes take while the context lasts."""

    def __init__(self, master: Master) -> None:
        self._master, self.seconds = master, 0.0

    def __enter__(self) -> Cpu:
        self._before = self._by_process()
        return self

    def __exit__(self, *_: object) -> None:
        self.seconds = sum(used - self._before.get(pid, 0.0) for pid, used in self._by_process().items())

    def _by_process(self) -> dict[int, float]:
        return {pid: _cpu_seconds(pid) for pid in self._master.processes()}


def _pss_kb(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:  # it has ended
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))


def _cpu_seconds(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


def measure(fleet: Fleet, options: argparse.Namespace) -> dict[str, Any]:
    """Let the storm come, and return the numbers."""
    master, plane = fleet.master, fleet.plane
    fleet.enrol()
    if options.silent:
        fleet.attest(certified=False)
    warm = None if options.cold else fleet.warm()
    if options.renew:
        fleet.attest()
        fleet.register()
    master.await_reactor()
    log_begins = master.log.stat().st_size
    before = len(plane.requests_of(APPROVER))
    pace = Pace(spread=options.spread, request=options.request, pause=options.pause, again=options.again)
    faults = Faults(silent=options.silent, crashes=options.crashes)
    with Memory(master) as memory, Cpu(master) as cpu:
        report = fleet.knock(pace, faults, options.seconds, renew=options.renew)
    rest = time.monotonic()
    fleet.rest(REST_SECONDS)
    asked = plane.requests_of(APPROVER)[before:]
    with master.log.open() as log:
        log.seek(log_begins)
        dropped = sum(DROPPED in line for line in log)
    return {
        "nodes": len(fleet.minions),
        "approved": len(report.approved),
        "lost": len(report.lost),
        "seconds": round(report.seconds, 2),
        "requests": len(asked),
        "passes": sum(one.is_list("certificatesigningrequests") for one in asked),
        "events": report.knocks,
        "events_dropped": dropped,
        "master_rss_mb": round(memory.grown_mb, 1),
        "latency_ms_p50": _rounded(report.latency_ms(50)),
        "latency_ms_p95": _rounded(report.latency_ms(95)),
        "api": plane.flavour,
        "warm_seconds": _rounded(warm),
        "rest_seconds": _rounded(time.monotonic() - rest),
        "refused": sum(course.refused for course in report.courses),
        "master_mb": round(memory.before_mb, 1),
        "master_cpu_seconds": _rounded(cpu.seconds),
        "secrets_left": len(fleet.secrets()),
        "cores": os.cpu_count(),
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 1)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--nodes", type=int, default=1000)
    parser.add_argument("--cold", action="store_true", help="the master knows nothing of its minions yet")
    parser.add_argument("--spread", type=float, default=Pace.spread, help="all kubelets start within (s)")
    parser.add_argument(
        "--request", type=float, default=Pace.request, help="from knock to request (s), < 0: the other way"
    )
    parser.add_argument(
        "--pause", type=float, default=Pace.pause, help="from the first 401 to another try (s)"
    )
    parser.add_argument("--again", type=float, default=Pace.again, help="to a second knock (s), 0: none")
    parser.add_argument("--silent", action="store_true", help="no knock reaches the master")
    parser.add_argument("--renew", action="store_true", help="the kubelets have certificates, which end")
    parser.add_argument("--crashes", type=int, default=Faults.crashes, help="of each kubelet at first")
    parser.add_argument("--seconds", type=float, default=600, help="when to give up")
    parser.add_argument("--log-level", default="warning", help="the master's")
    return parser.parse_args()


def main() -> None:
    options = _options()
    # A storm that is told to end takes its master and API server along.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with tempfile.TemporaryDirectory() as name:
        folder, loopback = Path(name), Loopback()
        more = {"publish_port": free_port(), "ret_port": free_port(), "log_level_logfile": options.log_level}
        with (
            ControlPlane(folder / "plane", port=free_port(), audited=APPROVER) as plane,
            Master(folder / "master", loopback, more) as master,
        ):
            numbers = measure(Fleet(master, plane, options.nodes), options)
    table(numbers)
    print(json.dumps(numbers))


if __name__ == "__main__":
    main()
