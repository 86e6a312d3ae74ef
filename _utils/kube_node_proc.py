"""What files below /proc and /etc say, as values: ports, addresses, routes, modules, memory, swap, resolvers.

Pure: texts in, values out. Linux' own formats, which need no program to ask.
"""

from __future__ import annotations

import ipaddress
import re
import sys
from typing import Any

LISTENS = "0A"
# The option by which a kernel is built with a module, where that is known.
OPTIONS = {
    "br_netfilter": "BRIDGE_NETFILTER",
    "ip_vs": "IP_VS",
    "ip_vs_rr": "IP_VS_RR",
    "ip_vs_sh": "IP_VS_SH",
    "ip_vs_wrr": "IP_VS_WRR",
    "nf_conntrack": "NF_CONNTRACK",
    "nf_conntrack_ipv4": "NF_CONNTRACK_IPV4",
    "nf_tables": "NF_TABLES",
    "overlay": "OVERLAY_FS",
}
UP, GATEWAY, REJECT = 0x1, 0x2, 0x200


def listening(table: str) -> dict[int, str]:
    """Return the inode of the socket that listens on each port, of /proc/net/tcp or tcp6."""
    found = {}
    for line in table.splitlines()[1:]:
        fields = line.split()
        if len(fields) > 9 and fields[3] == LISTENS:
            found[int(fields[1].rpartition(":")[2], 16)] = fields[9]
    return found


def unit(cgroup: str) -> str | None:
    """Return the service that a process belongs to, by its /proc/PID/cgroup."""
    found = re.search(r"/([^/\n]+\.service)(?:/[^\n]*)?$", cgroup, flags=re.MULTILINE)
    return found[1] if found else None


def addresses(fib_trie: str, if_inet6: str) -> list[str]:
    """Return the machine's own addresses, of /proc/net/fib_trie and /proc/net/if_inet6."""
    four = re.findall(r"\|-- (\S+)\n\s+/32 host LOCAL", fib_trie)
    six = [ipaddress.IPv6Address(int(line.split()[0], 16)) for line in if_inet6.splitlines() if line.strip()]
    return sorted({*four, *map(str, six)})


def routes(route: str, ipv6_route: str) -> list[dict[str, Any]]:
    """Return `{network, interface, gateway}` of each route, of /proc/net/route and /proc/net/ipv6_route."""
    found = []
    for line in route.splitlines()[1:]:
        interface, to, _, flags, _, _, _, mask, *_ = line.split()
        if int(flags, 16) & UP and not int(flags, 16) & REJECT:
            network = f"{_four(to)}/{_four(mask)}"
            found.append(_route(network, interface, int(flags, 16)))
    for line in ipv6_route.splitlines():
        to, length, _, _, _, _, _, _, flags, interface = line.split()
        network = ipaddress.IPv6Network((int(to, 16), int(length, 16)))
        usual = network.is_link_local or network.is_multicast or network.prefixlen == 128
        if int(flags, 16) & UP and not int(flags, 16) & REJECT and not usual:
            found.append(_route(str(network), interface, int(flags, 16)))
    return found


def _four(word: str) -> str:
    """Return an IPv4 address of the kernel's hex, whose bytes stand in the machine's own order."""
    return str(ipaddress.IPv4Address(int(word, 16).to_bytes(4, sys.byteorder)))


def _route(network: str, interface: str, flags: int) -> dict[str, Any]:
    return {
        "network": str(ipaddress.ip_network(network)),
        "interface": interface,
        "gateway": bool(flags & GATEWAY),
    }


def memory_mib(meminfo: str) -> int:
    """Return all memory, of /proc/meminfo."""
    found = re.search(r"^MemTotal:\s+(\d+) kB", meminfo, flags=re.MULTILINE)
    return int(found[1]) // 1024 if found else 0


def swaps(table: str) -> list[str]:
    """Return what is swapped to, of /proc/swaps."""
    return [line.split()[0] for line in table.splitlines()[1:] if line.strip()]


def resolvers(resolv_conf: str) -> list[str]:
    """Return the DNS servers, of a resolv.conf."""
    lines = (line.split() for line in resolv_conf.splitlines())
    return [words[1] for words in lines if len(words) > 1 and words[0] == "nameserver"]


def kernel_options(config: str) -> dict[str, str]:
    """Return `y` or `m` of each option that is on, of a kernel's configuration; without `CONFIG_`."""
    return dict(re.findall(r"^CONFIG_(\w+)=([ym])$", config, flags=re.MULTILINE))


def modules(
    names: list[str],
    loaded: str,
    built_in: str | None,
    loadable: str | None,
    options: dict[str, str],
) -> dict[str, str]:
    """Return of each kernel module: loaded, built in, loadable, missing, left out, or unknown.

    Args:
        names: of the modules.
        loaded: /proc/modules.
        built_in: modules.builtin of the kernel's folder, None where that is not there.
        loadable: modules.dep beside it.
        options: as `kernel_options` returns them; empty where they are not known.
    """
    present = {line.split()[0] for line in loaded.splitlines()}
    inside, beside = (_module_names(text) for text in (built_in, loadable))

    def state(name: str) -> str:
        if name in present:
            return "loaded"
        if name in inside:
            return "built in"
        if name in beside:
            return "loadable"
        if options and name in OPTIONS and options.get(OPTIONS[name]) != "m":
            return "built in" if OPTIONS[name] in options else "left out"
        return "unknown" if built_in is None else "missing"

    return {name: state(name) for name in names}


def _module_names(text: str | None) -> set[str]:
    """Return the names of the modules that lines begin with, written as /proc/modules does."""
    paths = (line.split(":")[0].strip() for line in (text or "").splitlines())
    return {path.rpartition("/")[2].partition(".ko")[0].replace("-", "_") for path in paths if path}
