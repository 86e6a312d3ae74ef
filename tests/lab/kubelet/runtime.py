"""The container runtime as far as a node depends on it: its socket, its version, its network configuration.

A runtime counts as up when its socket accepts a connection: gRPC is beyond the standard library. Its network
is ready when a CNI configuration lies in the folder that containerd's config.toml (or --cni-conf-dir) names.

Sources: pkg/kubelet/kubelet.go, updateRuntimeUp; pkg/kubelet/runtime.go; pkg/kubelet/dockershim; go-cni.
"""

from __future__ import annotations

import re
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import kube_node_milestones as milestones

from lab.component import clock, docker, host, klog

from .settings import Settings

#: Seconds between two looks at the runtime, and after which one that does not answer is down.
PERIOD = 5
GRACE = 30
_CNI_DEFAULT = "/etc/cni/net.d"


class Runtime:
    """The runtime's state; ``on_change`` is called when it becomes or ceases to be ready."""

    def __init__(self, settings: Settings, on_change: Callable[[], None]) -> None:
        self._settings, self._on_change = settings, on_change
        self._last_up = 0.0
        self._network = "network state unknown"
        self.version = ""
        shim = milestones.dockershim(settings.claim.facts, settings.claim.minor)
        self.is_docker = shim and settings.flags.values.get("container-runtime", "docker") == "docker"

    @property
    def socket(self) -> Path:
        """The socket that the kubelet talks to; Docker's own with dockershim."""
        shim = self._settings.flags.text("docker-endpoint") or docker.SOCKET
        endpoint = shim if self.is_docker else self._settings["containerRuntimeEndpoint"]
        return Path(endpoint.removeprefix("unix://"))

    @property
    def is_up(self) -> bool:
        """Whether the runtime has answered since the kubelet follows it."""
        return bool(self._last_up)

    def check_start(self) -> None:
        """Connect for the first time. Raises ConnectionError with the kubelet's message when that fails."""
        fault = self._connect()
        if fault is None:
            self.version = self._find_version()
        elif self.is_docker:
            raise ConnectionError(
                "failed to create kubelet: failed to get docker version: Cannot connect to the Docker daemon "
                f"at unix://{self.socket}. Is the docker daemon running?"
            )
        else:
            raise ConnectionError(self._unavailable(fault))

    def follow(self) -> None:
        """Look at the runtime every few seconds, from now on; the first look is over on return."""
        self._look()
        clock.start("runtime", self._loop)

    def faults(self) -> list[str]:
        """Why the node is not ready, as its Ready condition says it; empty when it is."""
        found = []
        if not self._last_up:
            found.append("container runtime status check may not have completed yet")
        elif time.monotonic() >= self._last_up + clock.scaled(GRACE):
            found.append("container runtime is down")
        return [*found, self._network] if self._network else found

    def _loop(self) -> None:
        while True:
            clock.sleep(PERIOD)
            self._look()

    def _look(self) -> None:
        before = self.faults()
        fault = self._connect()
        if fault:
            klog.error("kubelet.go:3160", self._rpc_error(fault), "Container runtime sanity check failed")
        else:
            self._network = self._network_fault()
            self._last_up = time.monotonic()
        if self.faults() != before:
            self._on_change()

    def _connect(self) -> str | None:
        """Why the socket accepts no connection, None when it does."""
        path = self.socket
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            probe.settimeout(2)
            try:
                probe.connect(str(path))
            except OSError as fault:
                return f"dial unix {path}: connect: {(fault.strerror or str(fault)).lower()}"
        return None

    def _unavailable(self, fault: str) -> str:
        claim = self._settings.claim
        if claim.since("1.27"):
            endpoint = self._settings["containerRuntimeEndpoint"]
            return (
                "validate service connection: validate CRI v1 runtime API for endpoint "
                f'"{endpoint}": {self._rpc_error(fault)}'
            )
        if claim.since("1.23"):
            return f"unable to determine runtime API version: {self._rpc_error(fault)}"
        return f"failed to create kubelet: {self._rpc_error(fault)}"

    @staticmethod
    def _rpc_error(fault: str) -> str:
        cause = f'connection error: desc = "transport: Error while dialing: {fault}"'
        return f"rpc error: code = Unavailable desc = {cause}"

    def _network_fault(self) -> str:
        """What the runtime says of its network when it is not ready; empty when it is."""
        if self.is_docker and self._settings.flags.text("network-plugin") != "cni":
            return ""
        folder = self._cni_folder()
        suffixes = (".conf", ".conflist", ".json")
        if folder.is_dir() and any(path.suffix in suffixes for path in folder.iterdir()):
            return ""
        plain = "docker: network plugin is not ready: cni config uninitialized"
        message = plain if self.is_docker else "Network plugin returns error: cni plugin not initialized"
        head = "container runtime" if self._settings.claim.since("1.21") else "runtime"
        return f"{head} network not ready: NetworkReady=false reason:NetworkPluginNotReady message:{message}"

    def _cni_folder(self) -> Path:
        asked = self._settings.flags.text("cni-conf-dir")
        if self.is_docker and asked:
            return Path(asked)
        config = "" if self.is_docker else host.text("/etc/containerd/config.toml")
        named = re.search(r"""^\s*conf_dir\s*=\s*["']([^"']+)["']""", config, re.MULTILINE)
        return host.ROOT / (named[1] if named else _CNI_DEFAULT).lstrip("/")

    def _find_version(self) -> str:
        """The runtime's name and version as nodes show it: ``containerd://1.6.20``."""
        if self.is_docker or "docker" in self.socket.name:
            return f"docker://{self._docker_version()}"
        try:
            answer = subprocess.run(["containerd", "--version"], capture_output=True, text=True, timeout=10)
        except OSError:
            return "containerd://unknown"
        words = answer.stdout.split()
        return f"containerd://{words[2].removeprefix('v')}" if len(words) > 2 else "containerd://unknown"

    @staticmethod
    def _docker_version() -> str:
        try:
            return docker.asked("/version").get("Version", "unknown")
        except OSError:
            return "unknown"
