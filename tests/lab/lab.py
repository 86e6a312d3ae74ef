"""A lab: one control plane, one salt-master and some machines, in a network of their own."""

from __future__ import annotations

import contextlib
import re
import shutil
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial

from lab import binaries, cluster, host, image, network
from lab.controlplane import ControlPlane
from lab.machine import Machine
from lab.master import Master, MasterError
from lab.network import Network

FLAVOURS = {
    "real": "Kubernetes' own (KUBEBUILDER_ASSETS) serves",
    "double": "a double serves, as for each program that KUBEBUILDER_ASSETS lacks (tests/lab/README.md)",
}
NAME = "[a-z0-9][a-z0-9-]{0,19}"


class LabInUse(RuntimeError):
    """Another process uses the lab of that name."""


def quiet(_line: str) -> None:
    """Says nothing."""


@dataclass
class Lab:
    """A lab called `name`; as a context manager it is up inside and gone afterwards.

    Args:
        name: Its name; what lies about under that name from an interrupted run is taken away first.
        nodes: How many machines, called worker-1, worker-2, …
        version: The Kubernetes release of control plane and nodes; by itself that of the real programs.
        say: Told in a line what has just been done.
        signing_duration: How long its certificates are valid, as Go writes it.
        master_settings: The master's, beside its own and the formula's.
        suite: The machines' Debian, one of `image.SUITES`.
    """

    name: str
    nodes: int = 2
    version: str = field(default_factory=binaries.release)
    say: Callable[[str], None] = quiet
    signing_duration: str = "8760h"
    master_settings: dict[str, object] = field(default_factory=dict)
    suite: str = image.SUITE
    machines: list[Machine] = field(init=False)
    control_plane: ControlPlane | None = field(default=None, init=False)
    checksums: dict[str, str] = field(init=False)
    _claim: socket.socket | None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        if not re.fullmatch(NAME, self.name):
            raise ValueError(
                f"a lab's name is lower case letters, digits and hyphens, 20 at most, not {self.name!r}"
            )
        self.network = network_of(self.name)
        self.master = master_of(self.name)
        self.master.more = self.master_settings
        numbers = range(1, self.nodes + 1)
        self.machines = [
            machine_of(self.name, f"worker-{n}", network.address(n), self.suite) for n in numbers
        ]

    def __enter__(self) -> Lab:
        try:
            self.up()
        except BaseException:
            self.down()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.down()

    def up(self) -> None:
        """Starts everything side by side, and returns when the master has accepted every machine's key.

        The formula is then ready to be applied: rights, binaries and pillar are in place.

        Raises:
            LabInUse: Another process uses the lab of that name.
        """
        self.claim()
        down(self.name)
        image.ensure(self.say, self.suite)
        self.network.up()
        self.control_plane = control_plane_of(self.name, self.version)
        self.control_plane.signing_duration = self.signing_duration
        tasks = [self._start_control_plane, self._start_master, self._collect_binaries]
        tasks += [partial(self._start_machine, machine) for machine in self.machines]
        with ThreadPoolExecutor(len(tasks)) as pool:
            for task in [pool.submit(task) for task in tasks]:
                task.result()
        self.grant()
        cluster.write_pillar(self.master, self.pillars())
        self._accept_keys()

    def claim(self) -> None:
        """Makes this process the only one that uses the lab of that name, until `down` or its own end.

        Raises:
            LabInUse: Another process does.
        """
        if self._claim:
            return
        claimed = socket.socket(socket.AF_UNIX)
        try:
            claimed.bind(f"\0kube_node_lab/{self.name}")  # an abstract name, which goes when the process does
        except OSError as error:
            claimed.close()
            raise LabInUse(f"another process uses the lab {self.name} at the moment") from error
        self._claim = claimed

    def down(self) -> None:
        """Ends and removes everything of the lab."""
        if self._claim is None:
            return
        down(self.name)
        self.master.stop()
        if self.control_plane:
            self.control_plane.stop()
        self._claim.close()
        self._claim = None

    def pillars(self) -> dict[str, dict]:
        """The kube_node pillar of each machine, by minion id."""
        return {
            machine.minion_id: cluster.node_pillar(
                self.control_plane,
                machine,
                number,
                self.version,
                self.checksums,
            )
            for number, machine in enumerate(self.machines, start=1)
        }

    def _start_control_plane(self) -> None:
        self.control_plane.start()
        self.say(f"control plane: {FLAVOURS[self.control_plane.flavour]} {self.control_plane.url}")

    def _start_master(self) -> None:
        self.master.start()
        self.say("salt-master: serves, with the formula's modules and reactor")

    def grant(self) -> None:
        """Gives the approver its rights and a kubeconfig, as an operator does once and again in time."""
        admin = str(self.control_plane.admin_kubeconfig)
        granted = self.master.salt_run("kube_node.grant", cluster.CLUSTER, admin)
        if not isinstance(granted, dict):
            raise MasterError(f"salt-run kube_node.grant said: {granted}")
        self.say(f"salt-run kube_node.grant: {', '.join(granted['changes'])}; no token is there yet")

    def _collect_binaries(self) -> None:
        self.checksums = cluster.prepare_binaries(self.master, self.version)

    def _start_machine(self, machine: Machine) -> None:
        machine.start()
        self.say(f"{machine.minion_id}: booted at {machine.address}, its minion calls the master")

    def _accept_keys(self) -> None:
        for minion_id, fingerprint in self.master.accept(*self.machines).items():
            self.say(f"{minion_id}: key {fingerprint[:23]}… is the machine's own, accepted")


def network_of(name: str) -> Network:
    """The network of the lab of that name."""
    return Network(f"kube-node-{name}")


def master_of(name: str) -> Master:
    """The salt-master of the lab of that name."""
    return Master(host.labs() / name / "master", network_of(name))


def control_plane_of(name: str, version: str = binaries.VERSION) -> ControlPlane:
    """The control plane of the lab of that name."""
    return ControlPlane(
        host.labs() / name / "control-plane",
        address=network.GATEWAY,
        netns=network_of(name).name,
        version=version,
        service_cidr=cluster.SERVICE_CIDR,
        pod_cidr=cluster.POD_CIDR,
    )


def machine_of(name: str, minion_id: str, address: str = "", suite: str = image.SUITE) -> Machine:
    """A machine of the lab of that name; its address and Debian are needed only for its first start."""
    return Machine(minion_id, address, host.labs() / name / "nodes" / minion_id, network_of(name), suite)


def down(name: str) -> None:
    """Ends and removes the lab of that name, from what lies there alone; fine when there is nothing."""
    directory = host.labs() / name
    for folder in sorted((directory / "nodes").glob("*")):
        machine_of(name, folder.name).destroy()
    network_of(name).down()
    shutil.rmtree(directory, ignore_errors=True)
    with contextlib.suppress(OSError):  # other labs are there, or it never was
        directory.parent.rmdir()
