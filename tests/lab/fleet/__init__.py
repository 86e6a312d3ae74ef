"""A fleet of simulated minions and kubelets before a real master and a real or doubled API server.

Simulated: the minions (accepted keys, pillar, mine and the events that they would send, but no daemon), and
the kubelets (their requests, back-off and crashes, but no machine). Everything between the master's event bus
and the approval is the real thing: reactor, runner, module, policy, API.

`Fleet` prepares master and cluster; `Fleet.knock` runs `python -m lab.fleet`, a process of its own that plays
all minions and kubelets at once.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from functools import cached_property

import kube_api
import kube_node_tokens
import yaml

from lab import cluster
from lab.controlplane import ControlPlane
from lab.master import PROJECT, Master

from . import minions
from .orders import CLIENT_SIGNER, SERVING_SIGNER, Faults, Orders, Pace
from .report import Report

__all__ = ["CLIENT_SIGNER", "SERVING_SIGNER", "Faults", "Fleet", "Pace", "Report"]

PYTHON_PATH = os.pathsep.join([str(PROJECT / "tests"), str(PROJECT / "_utils")])
CLUSTER = "fleet"


class Fleet:
    """Minions `node-00000`, `node-00001`, … of one master, each a node of one cluster.

    Args:
        master: A running one.
        plane: A running control plane.
        nodes: How many there are.
    """

    def __init__(self, master: Master, plane: ControlPlane, nodes: int) -> None:
        self.master, self.plane = master, plane
        self.minions = [f"node-{number:05}" for number in range(nodes)]

    def enrol(self) -> None:
        """Does an operator's part: rights, kubeconfig, accepted keys, and one pillar for all."""
        cluster.prepare_api(self.plane, self.master, CLUSTER)
        minions.accept(self.master, self.minions)
        top = {"base": {"*": ["fleet"]}}
        (self.master.pillar / "fleet.sls").write_text(yaml.safe_dump({"kube_node": self._pillar()}))
        (self.master.pillar / "top.sls").write_text(yaml.safe_dump(top))

    def attest(self, some: Collection[str] | None = None, certified: bool = True) -> None:
        """Puts into minions' mine what their beacons would: their certificates, or that they have none."""
        digests = {one: minions.certificate(one) if certified else None for one in some or self.minions}
        minions.attest(self.master, {one: {"client_cert_sha256": it} for one, it in digests.items()})

    def register(self, down: Collection[str] = ()) -> None:
        """Makes each minion's Node, as its kubelet did once; all but those `down` are Ready."""
        api = kube_api.Api(str(self.plane.admin_kubeconfig))

        def make(minion: str) -> None:
            conditions = [{"type": "Ready", "status": "Unknown" if minion in down else "True"}]
            body = {"metadata": {"name": minion}, "status": {"conditions": conditions}}
            api.request("POST", "/api/v1/nodes", {"apiVersion": "v1", "kind": "Node"} | body)

        api.each(make, self.minions)

    def warm(self, seconds: float = 600) -> float:
        """Lets the master find out who these minions are, as when they start; returns the seconds it took."""
        began = time.monotonic()
        self.master.salt_run("kube_node.sweep")
        self.rest(seconds)
        return time.monotonic() - began

    def rest(self, seconds: float) -> None:
        """Returns when no worker of the master is at work for the cluster any more.

        Raises:
            TimedOut: There still is one after so many seconds.
        """
        self.master.rest(CLUSTER, seconds)

    def knock(
        self, pace: Pace | None = None, faults: Faults | None = None, seconds: float = 120, **what: object
    ) -> Report:
        """Starts every kubelet, and returns when each has its certificate, or after so many seconds; `what`
        is as for `started`."""
        with self.started(pace, faults, seconds, **what) as process:
            return self.report(process)

    @contextmanager
    def started(
        self,
        pace: Pace | None = None,
        faults: Faults | None = None,
        seconds: float = 120,
        some: Collection[str] | None = None,
        signer: str = CLIENT_SIGNER,
        renew: bool = False,
    ) -> Iterator[subprocess.Popen[str]]:
        """Starts kubelets; the process that plays them ends with the context at the latest.

        Args:
            pace: When things happen.
            faults: What goes wrong.
            seconds: When to give up.
            some: The minions whose kubelets they are; all of them where it is left out.
            signer: Whom the kubelets ask.
            renew: They have client certificates, which are attested, and Nodes; else they have their tokens.
        """
        starting = self.minions if some is None else some
        orders = Orders(
            url=self.plane.url,
            ca=str(self.plane.ca_file),
            admin=[str(self.plane.directory / f"admin.{end}") for end in ("crt", "key")],
            sockets=str(self.master.sockets),
            tokens=dict.fromkeys(starting) if renew else self.tokens(starting),
            signer=signer,
            seconds=seconds,
            pace=pace or Pace(),
            faults=faults or Faults(),
        )
        self.master.await_reactor()
        self.plane.admin_kubeconfig  # noqa: B018 - makes the administrator's certificate
        process = subprocess.Popen(
            [sys.executable, "-m", "lab.fleet"],
            env={**os.environ, "PYTHONPATH": PYTHON_PATH},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdin is not None
        process.stdin.write(orders.write())
        process.stdin.close()
        process.stdin = None  # `communicate` would flush it
        try:
            yield process
        finally:
            process.kill()
            process.wait()

    def report(self, process: subprocess.Popen[str]) -> Report:
        """Returns what the process reports that `started` began, when it has ended."""
        told, _ = process.communicate()
        if process.returncode:
            raise RuntimeError(f"the fleet's process ended with {process.returncode}; it wrote why to stderr")
        return Report.read(told)

    def tokens(self, some: Collection[str]) -> dict[str, str]:
        """The bootstrap token that each minion's pillar gives it now, by minion id.

        Derived here as the master's external pillar does, where compiling each pillar would take a minute.
        """
        now = time.time()
        return {
            minion: str(kube_node_tokens.current(self._keys, CLUSTER, minion, minion, now)) for minion in some
        }

    @cached_property
    def _keys(self) -> list[kube_node_tokens.Key]:
        return kube_node_tokens.read(self.master.config / "kube_node/token.keys")

    def secrets(self) -> list[str]:
        """The names of the bootstrap tokens' Secrets that are in the cluster."""
        found = self.plane.kubectl("get", "secrets", "--namespace=kube-system", "--output=name")
        return [name for name in found.split() if name.startswith("secret/bootstrap-token-")]

    def _pillar(self) -> dict[str, object]:
        """What all have in common; each is the node of its minion id."""
        return {
            "version": self.plane.version,
            "cluster": {
                "name": CLUSTER,
                "api_server": self.plane.url,
                "ca": self.plane.ca_file.read_text(),
            },
            "binaries": {
                "source": "salt://kubernetes",
                "sha256": {"kubelet": "a" * 64, "kube-proxy": "b" * 64},
            },
        }
