"""What a highstate costs on one machine with systemd: the first, one with nothing to do, a change.

`make -s bench-node` boots the lab (tests/lab) with one machine, as root, and prints a table; its last line
is one JSON object. Seconds are those of the command on the master, from its start to the answer. Below them
stand the states that take longest where nothing is to be done. Wanted: that run within 5 s, without a change
or a restart; a change of `maxPods` restarts the kubelet alone; and `test=True` tells what is then changed, or
this ends with an error.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "_utils")]

import yaml  # noqa: E402
from lab import host  # noqa: E402
from lab.highstate import summarize  # noqa: E402
from lab.lab import Lab  # noqa: E402
from lab.machine import Machine  # noqa: E402
from nodes.conftest import changed, services  # noqa: E402
from report import table  # noqa: E402

SLOWEST = 5


def highstate(lab: Lab, *arguments: str) -> tuple[float, dict[str, dict]]:
    """Run it on the one machine; return its seconds and the states by id."""
    [machine] = lab.machines
    began = time.perf_counter()
    states = lab.master.salt(machine.minion_id, "state.highstate", *arguments)[machine.minion_id]
    seconds = time.perf_counter() - began
    if failures := summarize(states).failures:
        raise SystemExit("\n".join(failures))
    return seconds, states


def change(lab: Lab) -> None:
    """Give the machine's kubelet another `maxPods` in the pillar."""
    pillars = lab.pillars()
    [pillar] = pillars.values()
    pillar["kubelet"]["config"]["maxPods"] = 42
    [name] = pillars
    (lab.master.pillar / f"{name}.sls").write_text(yaml.safe_dump({"kube_node": pillar}))


def restarted(before: dict[str, str], after: dict[str, str]) -> list[str]:
    """Return the services that ran before and are another run now."""
    return sorted(unit for unit in before if after.get(unit) != before[unit])


def minion_rss_mb(machine: Machine) -> int:
    """Return the resident memory of the minion's processes together, in MiB."""
    lines = machine.run("ps", "-eo", "rss=,args=").stdout.splitlines()
    return sum(int(line.split()[0]) for line in lines if "salt-minion --config-dir" in line) // 1024


def measure(lab: Lab) -> tuple[dict[str, object], dict[str, dict]]:
    """Return the numbers, and the states of the run with nothing to do."""
    [machine] = lab.machines
    first_seconds, _ = highstate(lab)
    joined = services(machine)
    noop_seconds, noop = highstate(lab)
    still = services(machine)
    change(lab)
    test_seconds, predicted = highstate(lab, "test=True")
    if restarted(still, services(machine)):
        raise SystemExit("the test run restarted something")
    change_seconds, done = highstate(lab)
    if changed(predicted) != changed(done):
        raise SystemExit(f"predicted {sorted(changed(predicted))}, and changed {sorted(changed(done))}")
    return {
        "first_seconds": round(first_seconds, 2),
        "noop_seconds": round(noop_seconds, 2),
        "noop_changes": len(changed(noop)),
        "noop_restarts": len(restarted(joined, still)),
        "test_seconds": round(test_seconds, 2),
        "change_seconds": round(change_seconds, 2),
        "change_restarts": restarted(still, services(machine)),
        "minion_rss_mb": minion_rss_mb(machine),
    }, noop


def main() -> None:
    if reason := host.unable():
        raise SystemExit(reason)
    with Lab("bench-node", nodes=1) as lab:
        numbers, noop = measure(lab)
    width = table(numbers)
    slowest = sorted(noop.values(), key=lambda state: -state["duration"])[:SLOWEST]
    for state in slowest:
        print(f"{'':{width}}  {state['duration'] / 1000:.2f} {state['__id__']}")
    print(json.dumps(numbers))


if __name__ == "__main__":
    main()
