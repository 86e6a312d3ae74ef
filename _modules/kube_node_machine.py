"""
What a machine tells of itself before it becomes a node. Everything here reads, and changes nothing; but for
one question to systemd no process is started.
"""

from __future__ import annotations

import base64
import contextlib
import ctypes
import http.client
import os
import re
import socket
import ssl
import threading
import time
from email.utils import parsedate_to_datetime
from pathlib import Path
from urllib.parse import urlsplit

import kube_node_files
import kube_node_kept
import kube_node_preflight_before as before
import kube_node_proc as proc
import yaml
from cryptography import x509
from cryptography.x509.oid import NameOID
from salt.exceptions import CommandExecutionError

__virtualname__ = "kube_node_machine"

PROC, SYS = Path("/proc"), Path("/sys")
UNIT_FOLDERS = (
    "/etc/systemd/system",
    "/run/systemd/generator",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
)
SWAP_UNITS = (
    "dphys-swapfile.service",
    "systemd-zram-setup@zram0.service",
    "zram-config.service",
    "zramswap.service",
)
CNI_ENDINGS = (".conf", ".conflist", ".json")
CONNECT_SECONDS = 5
RESOLVE_SECONDS = 2
TIME_ERROR = 5
MIB = 1024 * 1024


def facts():
    """
    Return what the preflight judges: this machine's own state, as far as this node's parameters ask for it.

    CLI Example:

    .. code-block:: bash

        salt '*' kube_node_machine.facts
    """
    node = __salt__["kube_node.parameters"]()
    client = _client_name(node)
    needs = node["preflight"]["needs"]
    return {
        "processor": __grains__.get("cpuarch"),
        "os_family": __grains__.get("os_family"),
        "kernel": __grains__.get("kernelrelease"),
        "container": __salt__["kube_node_kernel.in_container"](),
        "cgroups": 2 if (SYS / "fs/cgroup/cgroup.controllers").exists() else 1,
        "modules": __salt__["kube_node_kernel.modules"](needs["modules"]),
        "options": __salt__["kube_node_kernel.options"](),
        "memory_mib": proc.memory_mib(_read(PROC / "meminfo")),
        "disks": {path: _space(path) for path in needs["disks"]},
        "now": time.time(),
        "synchronised": _synchronised(),
        "swaps": proc.swaps(_read(PROC / "swaps")),
        "ports": _taken({need["port"] for need in needs["ports"]}),
        "client_name": client,
        "name_known": _resolves(node["node"]["name"]) if client is None else None,
        "root_dir": _root_dir(),
        "cgroup_driver": _cgroup_driver(),
        "foreign_files": __salt__["kube_node_takeover.foreign"](),
        "ours": kube_node_kept.place(kube_node_kept.FILES).exists(),
        "units": _active(before.UNITS),
        "drop_ins": _drop_ins(),
        "cni_files": cni_files(node["paths"]["cni_config"]),
        "network_before": __salt__["kube_node_cni.before"](),
        "addresses": proc.addresses(_read(PROC / "net/fib_trie"), _read(PROC / "net/if_inet6")),
        "routes": proc.routes(_read(PROC / "net/route"), _read(PROC / "net/ipv6_route")),
        "mtus": {path.parent.name: int(_read(path)) for path in (SYS / "class/net").glob("*/mtu")},
        "resolvers": _resolvers(needs["resolv_conf"]),
        "api_server": _api_server(node),
    }


def swap_units():
    """
    Return the units by which distributions make swap at a boot, those that are there; masked ones too.

    CLI Example:

    .. code-block:: bash

        salt '*' kube_node_machine.swap_units
    """
    return [unit for unit in SWAP_UNITS if _has_unit(unit)]


def cni_files(folder):
    """
    Return the names of the network configurations in a folder: the files that a runtime looks at.

    folder
        Usually ``/etc/cni/net.d``.

    CLI Example:

    .. code-block:: bash

        salt '*' kube_node_machine.cni_files /etc/cni/net.d
    """
    with contextlib.suppress(OSError):
        return sorted(path.name for path in Path(folder).iterdir() if path.suffix in CNI_ENDINGS)
    return []


def _has_unit(name):
    """Tell whether systemd has a unit's file, or its template's."""
    prefix, at, _ = name.partition("@")
    files = {name, f"{prefix}@.{name.rpartition('.')[2]}" if at else name}
    found = (Path(folder, file) for folder in UNIT_FOLDERS for file in files)
    return any(path.is_symlink() or path.exists() for path in found)


def _space(path):
    """Return what is free where a folder is, or will be."""
    place = Path(path)
    while not place.exists():
        place = place.parent
    space = os.statvfs(place)
    free = space.f_bavail * space.f_frsize
    return {"free_mib": free // MIB, "free_percent": space.f_bavail * 100 // max(space.f_blocks, 1)}


def _synchronised():
    """Ask the kernel whether something corrects its clock (adjtimex(2), which changes nothing here)."""
    with contextlib.suppress(OSError, AttributeError):
        state = ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.create_string_buffer(512))
        return None if state < 0 else state != TIME_ERROR
    return None


def _taken(ports):
    """Return the program and the unit that listen on each of the ports; of what is free nothing."""
    sockets = {}
    for table in ("net/tcp", "net/tcp6"):
        sockets |= proc.listening(_read(PROC / table))
    wanted = {f"socket:[{inode}]": port for port, inode in sockets.items() if port in ports}
    found = {port: {"program": "a program that is not to be seen", "unit": None} for port in wanted.values()}
    for process in PROC.glob("[0-9]*") if wanted else ():
        for port in _sockets(process, wanted):
            found[port] = {
                "program": _read(process / "comm").strip() or "a program",
                "unit": proc.unit(_read(process / "cgroup")),
            }
    return found


def _sockets(process, wanted):
    """Return the ports among the wanted that a process has open."""
    held = set()
    with contextlib.suppress(OSError):
        for descriptor in (process / "fd").iterdir():
            with contextlib.suppress(OSError):
                held.add(str(descriptor.readlink()))
    return [port for inode, port in wanted.items() if inode in held]


def _client_name(node):
    """Return the common name of the certificate by which this node is known to the API server, or None."""
    kubeconfig = _text(Path(node["paths"]["kubernetes"], "kubelet.kubeconfig"))
    for pem in (*_certificates(kubeconfig), _text(Path(node["kubelet"]["client_certificate"]))):
        with contextlib.suppress(ValueError):
            subject = x509.load_pem_x509_certificate((pem or "").encode()).subject
            return next((one.value for one in subject.get_attributes_for_oid(NameOID.COMMON_NAME)), None)
    return None


def _cgroup_driver():
    """Return the cgroup driver that the kubelet here has, by its unit and the file that names; None without
    one."""
    unit = _text(Path(kube_node_files.SYSTEMD, "kubelet.service"))
    named = re.search(r"--config[= ](\S+)", unit or "")
    config = _text(Path(named[1])) if named else ""
    if unit is None or config is None:
        return None
    said = re.search(r"^cgroupDriver: *[\"']?(\w+)", config, re.MULTILINE)
    said = said or re.search(r"--cgroup-driver[= ](\w+)", unit)
    return said[1] if said else "cgroupfs"


def _certificates(kubeconfig):
    """Return the client certificates that a kubeconfig has or names."""
    with contextlib.suppress(yaml.YAMLError, ValueError, AttributeError, TypeError, KeyError):
        users = [entry["user"] for entry in yaml.safe_load(kubeconfig or "{}").get("users", [])]
        inside = [base64.b64decode(user.get("client-certificate-data", "")).decode() for user in users]
        beside = [_text(Path(user["client-certificate"])) for user in users if "client-certificate" in user]
        return [pem for pem in (*inside, *beside) if pem]
    return []


def _active(units):
    """Return which of the units are active."""
    try:
        asked = __salt__["cmd.run_all"](
            ["systemctl", "is-active", *units], python_shell=False, ignore_retcode=True
        )
    except CommandExecutionError:  # no systemd, so no units
        return []
    states = asked["stdout"].splitlines()
    return [unit for unit, state in zip(units, states, strict=False) if state == "active"]


def _drop_ins():
    """Return those that are there, one under two names once."""
    there = {os.path.realpath(path) for path in before.DROP_INS if Path(path).is_file()}
    return sorted(there)


def _resolvers(path):
    text = _text(Path(path)) if path else None
    return None if text is None else proc.resolvers(text)


def _api_server(node):
    """Connect as a kubelet would, without a word of our own; None where there is no CA to judge by."""
    url, ca = (
        urlsplit(node["cluster"]["api_server"]),
        node["cluster"]["ca"] or _text(Path(node["paths"]["ca"])),
    )
    if not ca:
        return None
    try:
        connection = socket.create_connection((url.hostname, url.port or 443), CONNECT_SECONDS)
    except OSError as error:
        return {"reached": False, "trusted": False, "why": error.strerror or str(error), "ahead": None}
    try:
        with connection, _context(ca).wrap_socket(connection, server_hostname=url.hostname) as speaking:
            return {"reached": True, "trusted": True, "why": "", "ahead": _ahead(speaking, url.netloc)}
    except ssl.SSLError as error:
        why = getattr(error, "verify_message", None) or error.reason or str(error)
        return {"reached": True, "trusted": False, "why": why, "ahead": None}
    except OSError as error:
        return {"reached": False, "trusted": False, "why": error.strerror or str(error), "ahead": None}


def _ahead(connection, host):
    """Ask for nothing, as nobody; return the seconds that this clock is ahead of the answer's Date."""
    with contextlib.suppress(OSError, ValueError, TypeError):
        connection.sendall(f"HEAD / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        with connection.makefile("rb") as answer:
            answer.readline()
            date = parsedate_to_datetime(http.client.parse_headers(answer)["Date"])
        return round(time.time() - date.timestamp())
    return None


def _resolves(name):
    """Tell whether a name has an address; None where no answer comes in time."""
    known = []

    def ask():
        try:
            known.append(bool(socket.getaddrinfo(name, None)))
        except OSError:
            known.append(False)

    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(RESOLVE_SECONDS)
    return known[0] if known else None


def _root_dir():
    """Return the folder by which our kubelet's unit starts it; None where there is no such unit."""
    found = re.search(r"--root-dir=(\S+)", _read(Path(kube_node_files.SYSTEMD, "kubelet.service")))
    return found[1] if found else None


def _context(ca):
    """Return TLS that trusts what Go trusts: any certificate in the file, without RFC 5280's finer points."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.verify_flags = ssl.VERIFY_X509_PARTIAL_CHAIN | ssl.VERIFY_X509_TRUSTED_FIRST
    context.load_verify_locations(cadata=ca)
    return context


def _read(path):
    """Return a file's text; an empty one where it is not there."""
    return _text(path) or ""


def _text(path):
    with contextlib.suppress(OSError):
        return path.read_text(encoding="utf-8", errors="replace")
    return None
