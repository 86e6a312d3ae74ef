"""The demo: from nothing to two Ready nodes, told as it happens. `make demo` runs it."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading

from lab import approvals, highstate, host, logs, pods, waiting
from lab.approvals import Approvals
from lab.console import Console, StepFailed, step
from lab.lab import Lab, LabInUse

NAME = "demo"
APPROVAL_SECONDS = 90
READY_SECONDS = 120
SIGNER_SECONDS = 15
LOOK_AROUND = """Look around:
  make demo-kubectl ARGS='get nodes'          the real kubectl, as the cluster's administrator
  make demo-shell NODE=worker-1               a shell on a node: systemctl status kubelet
  make demo-salt ARGS="salt '*' test.ping"    Salt's programs, as on the master
  make demo-down                              takes everything away again"""


def run(lab: Lab, console: Console) -> None:
    """Plays the demo.

    Raises:
        StepFailed: Names the step that did not get through.
    """
    with step("set up the lab"):
        lab.up()
    decisions = follow(lab, console)
    with step("highstate"):
        apply(lab, console)
    names = [machine.minion_id for machine in lab.machines]
    with step("approve the nodes' certificates"):
        if missing := decisions.wait(names, APPROVAL_SECONDS):
            raise RuntimeError(f"not approved within {APPROVAL_SECONDS} s: {sorted(missing)}")
    with step("nodes become Ready"):
        for name in names:
            await_ready(lab, name)
            console.say(f"{name}: Ready")
    with step("kubelet and kube-proxy run"):
        for machine in lab.machines:
            machine.run("systemctl", "is-active", "kubelet", "kube-proxy")
    with step("a pod on each node, and a packet between them"):
        send_packet(lab, console)
    with step("nothing else was approved"):
        check(lab, names)
    console.show("$ kubectl get nodes -o wide\n" + lab.control_plane.kubectl("get", "nodes", "-o", "wide"))
    console.show("$ kubectl get csr\n" + lab.control_plane.kubectl("get", "csr"))
    console.say(f"{len(names)} nodes Ready")


def follow(lab: Lab, console: Console) -> Approvals:
    """Prints each decision of the approver as it is made, from another thread."""
    decisions = Approvals(console.say)
    events = lab.master.events("kube_node/csr/")
    threading.Thread(target=decisions.follow, args=[events], daemon=True).start()
    return decisions


def apply(lab: Lab, console: Console) -> None:
    """Runs the highstate on all minions at once, and prints what it did on each."""
    console.say("salt '*' state.highstate")
    answers = lab.master.salt("*", "state.highstate")
    results = {minion_id: highstate.summarize(answer) for minion_id, answer in sorted(answers.items())}
    for minion_id, result in results.items():
        console.say(f"{minion_id}: highstate {result}")
    if failed := highstate.failures((machine.minion_id for machine in lab.machines), answers):
        raise RuntimeError("\n".join(["", *failed]))


def await_ready(lab: Lab, node: str) -> None:
    """Watches the API until the node is Ready."""
    for condition in ("create", "condition=Ready"):
        lab.control_plane.kubectl("wait", f"--for={condition}", f"node/{node}", f"--timeout={READY_SECONDS}s")


def send_packet(lab: Lab, console: Console) -> None:
    """Puts a pod on each of two nodes by its CNI plugins, and sends one packet from one to the other."""
    pods.connect(lab.machines)
    console.say("the lab lays the routes between the nodes' static subnets (network.plugin: none)")
    first, second = (pods.add(machine, "pod") for machine in lab.machines[:2])
    for pod in (first, second):
        console.say(f"{pod.machine.minion_id}: the bridge plugin gives a pod {pod.address}")
    if not first.reaches(second.address):
        raise RuntimeError(f"no packet comes back from {second.address} to {first.address}")
    console.say(f"{first.address} -> {second.address}: one packet there and back")


def check(lab: Lab, names: list[str]) -> None:
    """Looks at all certificate requests until they are as they should be: the signer may still be at one."""

    def faults() -> list[str]:
        requests = json.loads(lab.control_plane.kubectl("get", "csr", "-o", "json"))["items"]
        return approvals.faults(requests, names)

    try:
        waiting.until(lambda: not faults(), "the certificate requests", SIGNER_SECONDS)
    except waiting.TimedOut as error:
        raise RuntimeError("; ".join(faults()) or str(error)) from error


def main() -> int:
    """Plays the demo and takes it away again, unless KEEP is set; 0 when all went as it should."""
    if reason := host.unable():
        print(reason, file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    keep = os.environ.get("KEEP") == "1"
    console = Console()
    lab = Lab(NAME, say=console.say)
    try:
        lab.claim()
    except LabInUse as error:
        print(error, file=sys.stderr)
        return 2
    try:
        run(lab, console)
        print(LOOK_AROUND if keep else "`make demo KEEP=1` leaves it running, to look around.")
        return 0
    except StepFailed as error:
        console.say(str(error))
        where = host.labs() / NAME if keep else logs.save(NAME)
        print(f"Its logs are in {where}." + (f"\n{LOOK_AROUND}" if keep else ""))
        return 1
    finally:
        if not keep:
            lab.down()
            console.say("everything is taken away again")


if __name__ == "__main__":
    sys.exit(main())
