"""Pods without containers: network namespaces of a machine that its CNI plugins put on the network.

As the runtime does it (libcni), by the first configuration in /etc/cni/net.d. Between the bridges of two
machines nobody lays routes with `network.plugin: none`; the lab does, by each node's static subnet, as a
router would.
"""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass, field
from typing import Any

from lab.machine import Machine

FOLDER = "/etc/cni/net.d"
BRIDGE = f"{FOLDER}/10-default.conf"
PLUGINS = "/usr/lib/cni"


@dataclass(frozen=True)
class Pod:
    """A network namespace of a machine, with the address that the plugins gave it."""

    machine: Machine
    name: str
    address: str
    plugins: list[dict[str, Any]] = field(repr=False)

    def run(self, *argv: str, check: bool = True) -> str:
        """Run a command in the pod's network; return what it printed."""
        return self.machine.run("ip", "netns", "exec", self.name, *argv, check=check).stdout

    def reaches(self, address: str, *options: str) -> bool:
        """Tell whether one packet comes back from an address; `options` are ping's."""
        command = ("ip", "netns", "exec", self.name, "ping", "-c1", "-W5", *options, address)
        return self.machine.run(*command, check=False).returncode == 0

    def remove(self) -> None:
        """Take it off the network, as the runtime does."""
        for plugin in reversed(self.plugins):
            _call(self.machine, "DEL", self.name, plugin)
        self.machine.run("ip", "netns", "delete", self.name)


def add(machine: Machine, name: str) -> Pod:
    """Make a pod, and let the machine's CNI plugins give it its interface and its address."""
    machine.run("ip", "netns", "add", name)
    plugins, told = _plugins(machine), {}
    for plugin in plugins:
        told = json.loads(_call(machine, "ADD", name, plugin | ({"prevResult": told} if told else {})))
    return Pod(machine, name, told["ips"][0]["address"].partition("/")[0], plugins)


def connect(machines: list[Machine]) -> None:
    """Lay the route to each machine's static subnet on the others."""
    for machine, subnet, address in _routes(machines):
        machine.run("ip", "route", "replace", subnet, "via", address)


def disconnect(machines: list[Machine]) -> None:
    """Take those routes away again."""
    for machine, subnet, address in _routes(machines):
        machine.run("ip", "route", "delete", subnet, "via", address)


def _routes(machines: list[Machine]) -> list[tuple[Machine, str, str]]:
    subnets = {machine.address: _subnet(machine) for machine in machines}
    return [
        (machine, subnet, address)
        for machine in machines
        for address, subnet in subnets.items()
        if address != machine.address
    ]


def _subnet(machine: Machine) -> str:
    return json.loads(machine.run("cat", BRIDGE).stdout)["ipam"]["subnet"]


def _plugins(machine: Machine) -> list[dict[str, Any]]:
    """Return the plugins' configurations in the order in which they are called."""
    name = sorted(machine.run("ls", FOLDER).stdout.split())[0]
    found = json.loads(machine.run("cat", f"{FOLDER}/{name}").stdout)
    network = {key: found[key] for key in ("cniVersion", "name")}
    return [plugin | network for plugin in found.get("plugins", [found])]


def _call(machine: Machine, command: str, name: str, plugin: dict[str, Any]) -> str:
    environment = {
        "CNI_COMMAND": command,
        "CNI_CONTAINERID": name,
        "CNI_NETNS": f"/run/netns/{name}",
        "CNI_IFNAME": "eth0",
        "CNI_PATH": PLUGINS,
    }
    settings = [f"{key}={shlex.quote(value)}" for key, value in environment.items()]
    program = f"{' '.join(settings)} {PLUGINS}/{plugin['type']}"
    return machine.run("sh", "-c", program, input=json.dumps(plugin)).stdout
