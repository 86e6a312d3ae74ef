"""cri-dockerd's command: parses, asks Docker, then listens on the kubelet's socket until it is told to end.

Sources, all of cri-dockerd 0.4.3: cmd/server.go, config/options.go, core/docker_service.go.
"""

from __future__ import annotations

import os
import socket
import sys
from typing import NoReturn

import kube_node_milestones as milestones
import kube_node_versions as versions
from kube_node_versions import Facts, Flag

from lab.component import clock, docker, flags, klog, process
from lab.component.flags import CommandLine, FlagError

_TYPES = {
    "buildinfo": "bool",
    "cni-bin-dir": "string",
    "cni-cache-dir": "string",
    "cni-conf-dir": "string",
    "container-runtime-endpoint": "string",
    "cri-dockerd-root-directory": "string",
    "docker-endpoint": "string",
    "hairpin-mode": "string",
    "help": "bool",
    "image-pull-progress-deadline": "duration",
    "ipv6-dual-stack": "bool",
    "log-level": "string",
    "network-plugin": "string",
    "network-plugin-mtu": "int",
    "pod-cidr": "string",
    "pod-infra-container-image": "string",
    "runtime-cgroups": "string",
    "runtime-request-timeout": "duration",
    "streaming-bind-addr": "string",
    "version": "bool",
}
_SINCE = {"streaming-bind-addr": (0, 2, 6)}
_PLUGINS = ("", "cni", "kubenet", "no-op")
#: systemd hands sockets over from this descriptor on: sd_listen_fds(3).
_FIRST_SOCKET = 3


def main(version: str, facts: Facts) -> None:
    """Run as the cri-dockerd that goes with a Kubernetes release; does not return."""
    claimed = release(facts, versions.minor(version))
    known = known_to(claimed)
    if sys.argv[1:] == ["--help-lab"]:
        sys.exit(print(process.HELP))
    given = _command_line(known)
    if given.values.get("help"):
        sys.exit(print(_usage(known)))
    if given.values.get("version"):
        sys.exit(print(f"cri-dockerd {claimed} (double)"))
    klog.write(f'level=info msg="Starting cri-dockerd {claimed} (double)"')
    process.block_signals()
    _ask_docker(given)
    clock.start("socket", lambda: _listen(given))
    process.notify_ready()
    process.wait_for_signal()


def release(facts: Facts, minor: str) -> str:
    """The release of cri-dockerd that goes with a Kubernetes minor; 0.4.3 where none is known."""
    return milestones.tested(facts, minor).get("cri_dockerd", "0.4.3")


def known_to(claimed: str) -> dict[str, Flag]:
    """The flags of a release of cri-dockerd: those of 0.4.3 that it has already."""
    number = tuple(map(int, claimed.split(".")))
    return {
        name: Flag(name, kind, claimed, None, None, None)
        for name, kind in _TYPES.items()
        if number >= _SINCE.get(name, number)
    }


def _command_line(known: dict[str, Flag]) -> CommandLine:
    try:
        given = flags.parse(sys.argv[1:], known, {})
    except FlagError as fault:
        klog.write(_usage(known))
        _fail(str(fault))
    if given.arguments:
        klog.write(_usage(known))
        _fail(f"Unknown command: {given.arguments[0]}")
    return given


def _ask_docker(given: CommandLine) -> None:
    """End the process where Docker does not answer, or the network plugin is none that there is."""
    if given.values.get("network-plugin", "cni") not in _PLUGINS:
        _fail(f"didn't find compatible CNI plugin with given settings: {given.text('network-plugin')}")
    try:
        docker.asked("/info", given.text("docker-endpoint") or docker.SOCKET)
    except OSError:
        _fail("Failed to execute Info() call to the Docker client")


def _listen(given: CommandLine) -> None:
    """Accept connections on the kubelet's socket, which systemd opened where it is `fd://`."""
    endpoint = given.text("container-runtime-endpoint")
    if endpoint == "fd://":
        if os.environ.get("LISTEN_PID") != str(os.getpid()):
            _fail("no sockets found via socket activation: make sure the service was started by systemd")
        listening = socket.socket(fileno=_FIRST_SOCKET)
    else:
        listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listening.bind(endpoint.removeprefix("unix://"))
        listening.listen()
    while True:
        listening.accept()[0].close()


def _usage(known: dict[str, Flag]) -> str:
    listed = "\n".join(f"      --{name}" for name in sorted(known))
    return f"Usage:\n  cri-dockerd [flags]\n\nFlags:\n{listed}"


def _fail(fault: str) -> NoReturn:
    klog.write(f"level=fatal msg={klog.quote(fault)}")
    klog.leave(1)
