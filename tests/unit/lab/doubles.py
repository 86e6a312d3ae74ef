"""A machine made of files, on which the kubelet and kube-proxy doubles run as processes of their own."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml
from lab import binaries, waiting
from lab.component.claim import Claim

from unit.lab.apiserver_cluster import CSRS, Cluster

#: The doubles' own times are a fiftieth of the real ones.
SCALE = 0.02
TOKEN = "abcdef.0123456789abcdef"
_BUILT = tempfile.TemporaryDirectory(prefix="doubles-")
_FOLDER = binaries.PROJECT / "kube_node" / "versions"


@lru_cache
def facts() -> dict[str, Any]:
    """The facts as the formula has them."""
    names = ("kubelet", "kube_proxy", "milestones")
    return {name: yaml.safe_load((_FOLDER / f"{name}.yaml").read_text()) for name in names}


def claim(minor: str, component: str = "kubelet") -> Claim:
    """What a double of a minor claims to be."""
    return Claim(component, f"{minor}.2", facts())


@lru_cache
def double(component: str, version: str) -> Path:
    """The double of a component, built once for all tests."""
    path = Path(_BUILT.name) / version / component
    return binaries.build(component, version, path, interpreter=sys.executable)


class Process:
    """A running double and what it has logged."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self.process, self._log = process, log

    @property
    def log(self) -> str:
        return self._log.read_text()

    def logged(self, pattern: str, seconds: float = 15) -> re.Match[str]:
        """Wait for a line that holds ``pattern``, a regular expression."""

        def found() -> re.Match[str] | None:
            match = re.search(pattern, self.log)
            if match is None and self.process.poll() is not None:
                raise AssertionError(f"ended with {self.process.returncode}:\n{self.log}")
            return match

        try:
            return waiting.until(found, pattern, seconds, 0.02)
        except waiting.TimedOut as fault:
            raise AssertionError(f"{fault}\n{self.log}") from None

    def ended(self, seconds: float = 15) -> int:
        """Wait until it has ended; return its status."""
        return self.process.wait(seconds)

    def stop(self) -> int:
        """Ask it to end; return its status."""
        self.process.send_signal(signal.SIGTERM)
        return self.ended()


class Machine:
    """One machine: its files below ``directory``, a runtime's socket, and the processes that run on it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._processes: list[Process] = []
        # A socket's path is at most 107 bytes long.
        self._short = Path(tempfile.mkdtemp(prefix="node-"))
        self.socket = self._short / "runtime.sock"
        self.root = directory / "machine"
        self.pki = directory / "pki"
        self.kubeconfig = directory / "kubelet.kubeconfig"
        self.cni = self.root / "etc/cni/net.d"
        for folder in (self.root / "sys/fs/cgroup", self.root / "proc", self.cni):
            folder.mkdir(parents=True)
        (self.root / "sys/fs/cgroup/cgroup.controllers").write_text("cpu memory pids\n")
        (self.root / "etc/os-release").write_text('PRETTY_NAME="Lab Linux 1"\n')
        self.swap(on=False)

    def swap(self, on: bool) -> None:
        """Switch swap on or off."""
        head = "Filename\tType\tSize\tUsed\tPriority\n"
        (self.root / "proc/swaps").write_text(head + ("/dev/sda2\tpartition\t1048572\t0\t-2\n" if on else ""))

    def cgroup_v1(self) -> None:
        """Take the unified cgroup hierarchy away."""
        (self.root / "sys/fs/cgroup/cgroup.controllers").unlink()

    def cni_arrives(self) -> None:
        """Put a CNI configuration where the runtime looks for one."""
        (self.cni / "10-default.conf").write_text("{}")

    @contextmanager
    def runtime(self) -> Iterator[None]:
        """A container runtime's socket that accepts connections."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
            listener.bind(str(self.socket))
            listener.listen(64)
            try:
                yield
            finally:
                self.socket.unlink(missing_ok=True)

    def write(self, name: str, content: Any) -> Path:
        """Write a YAML file."""
        path = self.directory / name
        path.write_text(content if isinstance(content, str) else yaml.safe_dump(content))
        return path

    def bootstrap_kubeconfig(self, cluster: Cluster, token: str = TOKEN) -> Path:
        """A kubeconfig with a bootstrap token."""
        return self.write("bootstrap.kubeconfig", kubeconfig(cluster, {"token": token}))

    def settings(self, **fields: Any) -> Path:
        """A KubeletConfiguration that keeps to this machine and free ports."""
        head = {"apiVersion": "kubelet.config.k8s.io/v1beta1", "kind": "KubeletConfiguration"}
        own = {
            "address": "127.0.0.1",
            "port": free_port(),
            "healthzPort": free_port(),
            "rotateCertificates": True,
        }
        own |= {"readOnlyPort": 0, "containerRuntimeEndpoint": f"unix://{self.socket}"}
        return self.write("kubelet.yaml", head | own | fields)

    def run(self, component: str, version: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a double that is to end by itself."""
        return subprocess.run(
            [double(component, version), *map(str, arguments)],
            env=self._environment({}),
            capture_output=True,
            text=True,
            timeout=30,
        )

    def start(self, component: str, version: str, *arguments: object, **environment: str) -> Process:
        """Start a double that is to stay; it is ended with the test."""
        log = self.directory / f"{component}-{len(self._processes)}.log"
        with log.open("wb") as file:
            command = [double(component, version), *map(str, arguments)]
            process = subprocess.Popen(command, env=self._environment(environment), stdout=file, stderr=file)
        self._processes.append(Process(process, log))
        return self._processes[-1]

    def kubelet(self, version: str, *arguments: object, **environment: str) -> Process:
        """Start a kubelet named n1 whose folders are this machine's."""
        own = ("--hostname-override=n1", f"--kubeconfig={self.kubeconfig}", f"--cert-dir={self.pki}", "-v=2")
        root = f"--root-dir={self.directory / 'kubelet'}"
        return self.start("kubelet", version, *own, root, *arguments, **environment)

    def stop(self) -> None:
        """End every process that is still there."""
        for process in self._processes:
            if process.process.poll() is None:
                process.process.kill()
                process.process.wait()
        shutil.rmtree(self._short)

    def _environment(self, more: dict[str, str]) -> dict[str, str]:
        own = {"PATH": os.environ["PATH"], "KUBE_NODE_LAB_HOST_ROOT": str(self.root)}
        return {**own, "KUBE_NODE_LAB_TIME_SCALE": str(SCALE), **more}


def kubeconfig(cluster: Cluster, user: dict[str, str]) -> dict[str, Any]:
    """A kubeconfig for a cluster and the credentials of a user."""
    place = {"server": cluster.url, "certificate-authority": str(cluster.ca.certificate)}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": place}],
        "users": [{"name": "u", "user": user}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "x",
    }


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def grant_bootstrap(cluster: Cluster, token: str = TOKEN) -> None:
    """Make a bootstrap token's Secret and let its group ask for certificates."""
    number, secret = token.split(".")
    data = {"token-id": number, "token-secret": secret, "usage-bootstrap-authentication": "true"}
    path = "/api/v1/namespaces/kube-system/secrets"
    metadata = {"name": f"bootstrap-token-{number}"}
    cluster.make(path, {"metadata": metadata, "type": "bootstrap.kubernetes.io/token", "stringData": data})
    cluster.make(
        "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
        {
            "metadata": {"name": f"bootstrap-{number}"},
            "subjects": [
                {"kind": "Group", "name": "system:bootstrappers", "apiGroup": "rbac.authorization.k8s.io"}
            ],
            "roleRef": {
                "apiGroup": "rbac.authorization.k8s.io",
                "kind": "ClusterRole",
                "name": "system:node-bootstrapper",
            },
        },
    )


def requests(cluster: Cluster, path: str = CSRS) -> list[dict[str, Any]]:
    """All certificate requests."""
    return cluster.read(path)["items"]


def pending(cluster: Cluster, signer: str, seconds: float = 15) -> dict[str, Any]:
    """Wait for an undecided request to a signer."""

    def found() -> dict[str, Any] | None:
        items = [item for item in requests(cluster) if item["spec"]["signerName"].endswith(signer)]
        return next((item for item in items if not item.get("status", {}).get("conditions")), None)

    return waiting.until(found, f"a pending request to {signer}", seconds, 0.05)


def join(machine: Machine, cluster: Cluster, version: str, *arguments: object, **fields: Any) -> Process:
    """Start a kubelet named n1, approve its client certificate, and wait for its node."""
    grant_bootstrap(cluster)
    bootstrap = f"--bootstrap-kubeconfig={machine.bootstrap_kubeconfig(cluster)}"
    kubelet = machine.kubelet(version, f"--config={machine.settings(**fields)}", bootstrap, *arguments)
    cluster.approve(pending(cluster, "kube-apiserver-client-kubelet"))
    waiting.until(lambda: ready(cluster), "the node", 15, 0.05)
    return kubelet


def ready(cluster: Cluster, name: str = "n1") -> dict[str, Any] | None:
    """The Ready condition of a node, None while there is no such node."""
    answer = cluster.call("GET", f"/api/v1/nodes/{name}")
    conditions = answer.json().get("status", {}).get("conditions", ()) if answer.ok else ()
    return next((condition for condition in conditions if condition["type"] == "Ready"), None)
