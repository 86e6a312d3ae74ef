"""The machine a double runs on: its name, cgroups, swap, addresses, CPUs, memory and operating system.

What lies in files is read below `ROOT`, which KUBE_NODE_LAB_HOST_ROOT moves, so that a test can give a double
another machine.
"""

from __future__ import annotations

import fcntl
import ipaddress
import os
import platform
import re
import socket
import struct
from collections.abc import Iterator
from pathlib import Path

HOST_ROOT = "KUBE_NODE_LAB_HOST_ROOT"
ROOT = Path(os.environ.get(HOST_ROOT, "/"))
_SIOCGIFADDR = 0x8915
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm", "i686": "386"}


def hostname(override: str) -> str:
    """The node's name: ``override`` or the machine's, lower case. Raises ValueError when it is empty.

    Source: k8s.io/component-helpers/node/util/hostname.go.
    """
    name = (override or platform.node()).strip().lower()
    if not name:
        raise ValueError("empty hostname is invalid")
    return name


def architecture() -> str:
    """The machine's architecture in Go's words."""
    return _ARCHITECTURES.get(platform.machine(), platform.machine())


def cgroup_v2() -> bool:
    """Whether the machine has the unified cgroup hierarchy alone."""
    return (ROOT / "sys/fs/cgroup/cgroup.controllers").exists()


def swaps() -> list[str]:
    """The lines of /proc/swaps, its head included; swap is on when there is more than the head."""
    path = ROOT / "proc/swaps"
    return path.read_text().splitlines() if path.exists() else []


def text(path: str) -> str:
    """The content of a file of the machine without surrounding space, empty when it cannot be read."""
    try:
        return (ROOT / path.lstrip("/")).read_text().strip()
    except OSError:
        return ""


def os_image() -> str:
    """PRETTY_NAME of /etc/os-release."""
    found = re.search(r'^PRETTY_NAME="?([^"\n]*)', text("/etc/os-release"), re.MULTILINE)
    return found[1] if found else "Linux"


def memory_bytes() -> int:
    """MemTotal of /proc/meminfo."""
    found = re.search(r"^MemTotal:\s+(\d+) kB", Path("/proc/meminfo").read_text(), re.MULTILINE)
    return int(found[1]) * 1024


def node_address(name: str, node_ip: str) -> str:
    """The address by which a node is known.

    ``node_ip``, else the name if it is an address, else the first of the name's addresses in DNS that is this
    machine's, else that of the default route's interface.

    Source: pkg/kubelet/nodestatus/setters.go, NodeAddress.

    Raises:
        ValueError: with the real message, when there is none or ``node_ip`` is not the machine's.
    """
    if node_ip and not ipaddress.ip_address(node_ip).is_unspecified:
        fault = _foreign(node_ip)
        if fault:
            raise ValueError(f"failed to validate nodeIP: {fault}")
        return node_ip
    if _is_address(name):
        return name
    own = (address for address in _resolved(name) if not _foreign(address))
    address = next(own, None) or _default_route_address()
    if address is None:
        raise ValueError(
            f"can't get ip address of node {name}. error: no default routes found in "
            '"/proc/net/route" or "/proc/net/ipv6_route"'
        )
    return address


def _foreign(text: str) -> str | None:
    """Why an address cannot be this node's, None when it can: validateNodeIP of kubelet_node_status.go."""
    address = ipaddress.ip_address(text)
    if address.is_loopback:
        return "nodeIP can't be loopback address"
    if address.is_multicast:
        return "nodeIP can't be a multicast address"
    if address.is_link_local:
        return "nodeIP can't be a link-local unicast address"
    # Only an address of the machine's own can be bound to.
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((text, 0))
        except OSError:
            return f'node IP: "{text}" not found in the host\'s network interfaces'
    return None


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _resolved(name: str) -> Iterator[str]:
    try:
        found = socket.getaddrinfo(name, None, socket.AF_INET, socket.SOCK_STREAM)
    except OSError:
        return
    yield from (entry[4][0] for entry in found)


def _default_route_address() -> str | None:
    for line in Path("/proc/net/route").read_text().splitlines()[1:]:
        interface, destination, _, flags, *_ = line.split()
        if destination == "00000000" and int(flags, 16) & 1:
            return _interface_address(interface)
    return None


def _interface_address(interface: str) -> str | None:
    request = struct.pack("256s", interface.encode()[:15])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            answer = fcntl.ioctl(probe.fileno(), _SIOCGIFADDR, request)
        except OSError:
            return None
    return socket.inet_ntoa(answer[20:24])
