"""What the tests of the network share: another one for a lab, laid down by its master; an open connection."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from lab import cluster, waiting
from lab.lab import Lab
from lab.machine import Machine

ECHO = 2222


def give(lab: Lab, plugin: str, **settings: object) -> None:
    """Have all pillars be of a network; with the plugin none each node has its static subnet."""
    pillars = lab.pillars()
    for pillar in pillars.values():
        own = pillar["network"] if plugin == "none" else {"plugin": plugin}
        pillar["network"] = own | settings
    cluster.write_pillar(lab.master, pillars)


def grant(lab: Lab) -> None:
    """Give the lab's master the right to lay down the network."""
    admin = str(lab.control_plane.admin_kubeconfig)
    granted = lab.master.salt_run("kube_node.grant_network", cluster.CLUSTER, admin)
    assert isinstance(granted, dict), granted


def orchestrate(lab: Lab, *arguments: str, **pillar: object) -> dict:
    """Lay down the network, without waiting for its pods; return the state's answer."""
    given = json.dumps({"cluster": cluster.CLUSTER, "wait_seconds": 0, **pillar})
    sls = "kube_node.orchestrate.network"
    told = lab.master.salt_run("state.orchestrate", sls, f"pillar={given}", *arguments)
    [states] = told["data"].values()
    [state] = states.values()
    return state


@contextmanager
def connection(server: Machine, client: Machine) -> Iterator[Callable[[str], str]]:
    """Keep a connection open between two machines; yield what sends a line over it and returns the echo."""
    listener = subprocess.Popen(server.command("socat", f"TCP-LISTEN:{ECHO},reuseaddr", "EXEC:cat"))
    listening = f"ss -Hltn sport = :{ECHO}"
    waiting.until(lambda: server.run("sh", "-c", listening).stdout, "the server", 20)
    sender = subprocess.Popen(
        client.command("socat", "-", f"TCP:{server.address}:{ECHO}"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        bufsize=1,
    )

    def send(line: str) -> str:
        sender.stdin.write(f"{line}\n")
        return sender.stdout.readline().strip()

    try:
        yield send
    finally:
        for process in (sender, listener):
            process.kill()
            process.wait()
