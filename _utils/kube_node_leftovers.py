"""What a network leaves on a machine when it is gone: files, links, routes, and chains of the packet filter.

Only what bears that network's own names counts; nothing is ever flushed that is somebody else's. Pure: no
Salt, no I/O.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Any

# Flannel's rules up to 0.14, which bear no name (its network/iptables.go): they are of the pods' network.
_BARE = """
-A POSTROUTING -s {pods} -d {pods} -j RETURN
-A POSTROUTING -s {pods} ! -d 224.0.0.0/4 -j MASQUERADE
-A POSTROUTING ! -s {pods} -d {part} -j RETURN
-A POSTROUTING ! -s {pods} -d {pods} -j MASQUERADE
-A FORWARD -s {pods} -j ACCEPT
-A FORWARD -d {pods} -j ACCEPT
"""
# Of each network: its program, its configuration in paths.cni_config, its other files, links by pattern, the
# protocols by which its routes are marked (BIRD's and Felix's), what its chains' names and its rules'
# comments begin with, and its rules that bear no name.
NETWORKS: dict[str, dict[str, Any]] = {
    "none": {"links": r"mynet0"},
    "flannel": {
        "programs": {"flanneld"},
        "configuration": ("10-flannel.conflist",),
        "files": ("/run/flannel/subnet.env",),
        "links": r"flannel\.\d+|flannel-wg|cni0",
        "chains": "FLANNEL-",
        "comments": "flanneld ",
        "bare": _BARE,
    },
    "calico": {
        "programs": {"calico-node", "calico-felix", "bird"},
        "configuration": ("10-calico.conflist", "calico-kubeconfig"),
        "files": ("/var/lib/calico/nodename", "/var/lib/calico/mtu"),
        "links": r"cali[0-9a-f]+|vxlan\.calico|wireguard\.cali",
        "protocols": {"bird", "12", "80"},
        "chains": "cali-",
        "comments": "cali:",
    },
}
_RULE = re.compile(r"-A (\S+) (.*)")
_TARGET = re.compile(r'(?:^| )-[jg] "?([^ "]+)')
_COMMENT = re.compile(r'--comment (?:"((?:[^"\\]|\\.)*)"|(\S+))')


def links(network: str, names: list[str]) -> list[str]:
    """Return those of a machine's links that are a network's own."""
    return [name for name in names if re.fullmatch(NETWORKS[network]["links"], name)]


def routes(network: str, found: list[dict[str, Any]], pod_cidr: str) -> list[str]:
    """Return those of a machine's routes that a network laid, as `ip route delete` takes them.

    Args:
        network: a key of `NETWORKS`.
        found: the routes as `ip -json -details route show` tells them.
        pod_cidr: the pods' network: what flannel sends by plain routes through a gateway leads into it.
    """
    protocols, pods = NETWORKS[network].get("protocols", set()), ipaddress.ip_network(pod_cidr)
    laid = []
    for route in found:
        marked = str(route.get("protocol")) in protocols
        if marked or (network == "flannel" and "gateway" in route and _inside(route["dst"], pods)):
            kind = f"{route['type']} " if route.get("type", "unicast") != "unicast" else ""
            device = f" dev {route['dev']}" if "dev" in route and not kind else ""
            laid.append(f"{kind}{route['dst']}{device}")
    return laid


def chains(network: str, saved: str, pod_cidr: str) -> str:
    """Return what takes a network's chains, and the rules that lead to them, out of a packet filter.

    Args:
        network: a key of `NETWORKS`.
        saved: what iptables-save tells.
        pod_cidr: the pods' network.

    Returns:
        Lines for `iptables-restore --noflush`, which does a table in one step; nothing where there are none.
    """
    prefix, pods = NETWORKS[network].get("chains"), ipaddress.ip_network(pod_cidr)
    if prefix is None:
        return ""
    script, table = [], ""
    for line in saved.splitlines():
        if line.startswith("*"):
            table, rules, own = line, [], []
        elif line.startswith(f":{prefix}"):
            own.append(line[1:].split()[0])
        elif (rule := _RULE.match(line)) and not rule[1].startswith(prefix) and _is_its(network, line, pods):
            rules.append(f"-D {rule[1]} {rule[2]}")
        elif line == "COMMIT" and (rules or own):
            flushed = [f"-F {chain}" for chain in own]
            script += [table, *rules, *flushed, *(f"-X {chain}" for chain in own), "COMMIT"]
    return "".join(f"{line}\n" for line in script)


def _is_its(network: str, rule: str, pods: Any) -> bool:
    target, comment = _TARGET.search(rule), _COMMENT.search(rule)
    if target and target[1].startswith(NETWORKS[network]["chains"]):
        return True
    text = (comment[1] or comment[2]) if comment else ""
    return text.startswith(NETWORKS[network]["comments"]) or _is_bare(network, rule, pods)


def _is_bare(network: str, rule: str, pods: Any) -> bool:
    """Tell whether a rule is one of those that a network lays without a name."""
    to, bare = re.search(r"-d (\S+)", rule), NETWORKS[network].get("bare", "")
    part = to[1] if to and _inside(to[1], pods) else None
    return rule.removesuffix(" --random-fully") in bare.format(pods=pods, part=part).splitlines()


def _inside(destination: str, network: Any) -> bool:
    try:
        found = ipaddress.ip_network(destination)
    except ValueError:  # default, and the like
        return False
    return found.version == network.version and found.subnet_of(network)
