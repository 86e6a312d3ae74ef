"""Of the preflight: the machine's addresses, routes and resolvers, and its way to the API server.

Pure: no Salt, no I/O; what `machine` is says `kube_node_preflight`.
"""

from __future__ import annotations

import ipaddress
from typing import Any

from kube_node_findings import ERROR, WARNING, Finding

Facts = dict[str, Any]
# Links of the networks that a node itself brings: their routes are meant.
OWN_LINKS = ("cali", "cilium", "cni", "dummy", "flannel", "kube-", "lxc", "mynet", "nodelocaldns", "tunl")
OWN_LINKS += ("veth", "vxlan.calico", "wireguard.cali")


def addresses(node: Facts, machine: Facts) -> list[Finding]:
    """The kubelet ends where its own address, the first, is on no interface; others may be translated."""
    own = {ipaddress.ip_address(address) for address in machine["addresses"]}
    found = []
    for number, address in enumerate(node["node"]["addresses"]):
        if ipaddress.ip_address(address) in own:
            continue
        told, remedy = f"{address} is on no interface of this machine", "correct node.addresses"
        if number == 0:
            told = f"{told}, and the kubelet announces it"
        found.append(Finding("addresses", WARNING if number else ERROR, told, remedy))
    return found


def resolv_conf(node: Facts, machine: Facts) -> list[Finding]:
    """Pods get the kubelet's resolv.conf; a loopback address is then their own, and CoreDNS asks itself."""
    path, resolvers = node["preflight"]["needs"]["resolv_conf"], machine["resolvers"]
    if not path:
        return []
    if resolvers is None:
        remedy = "set kubelet.config.resolvConf to the file that names the DNS servers"
        return [Finding("resolv_conf", WARNING, f"{path} is not there, and pods get no DNS servers", remedy)]
    loops = [one for one in resolvers if one.startswith("127.") or one == "::1"]
    if not loops:
        return []
    found = f"{path} names {', '.join(loops)}, which in a pod is the pod itself"
    remedy = "set kubelet.config.resolvConf to a file that names the real servers"
    return [Finding("resolv_conf", ERROR, found, remedy)]


def routes(node: Facts, machine: Facts) -> list[Finding]:
    """Addresses of pods and services that the machine believes elsewhere.

    A gateway's wide route is a warning: it says only that somebody may have them. On a joined node a route
    to a part of a network is that of its plugin.
    """
    found, joined = [], machine["client_name"] is not None
    for key in ("pod_cidr", "service_cidr"):
        network = ipaddress.ip_network(node["cluster"][key])
        for route in machine["routes"]:
            there = ipaddress.ip_network(route["network"])
            if not there.prefixlen or there.version != network.version or not there.overlaps(network):
                continue
            inside = there.subnet_of(network)
            if route["interface"].startswith(OWN_LINKS) or (joined and inside):
                continue
            told = f"cluster.{key} {network} overlaps the route to {there} by {route['interface']}"
            severity = WARNING if route["gateway"] and not inside else ERROR
            found.append(Finding("routes", severity, told, "choose a network that nobody else has"))
    return found


def mtu(node: Facts, machine: Facts) -> list[Finding]:
    """A pod's packet, with what the network lays around it, must fit through the link between nodes."""
    wanted, around = node["network"]["mtu"], node["preflight"]["needs"]["overhead"]
    ways = [route["interface"] for route in machine["routes"] if route["network"].endswith("/0")]
    link = next((name for name in ways if name in machine["mtus"]), None)
    if not wanted or link is None or wanted + around <= machine["mtus"][link]:
        return []
    most = machine["mtus"][link] - around
    found = f"network.mtu {wanted} does not fit through {link}, which takes {machine['mtus'][link]}"
    return [Finding("mtu", ERROR, found, f"write {most} or less: {around} are the network's own")]


def masquerade(node: Facts, _: Facts) -> list[Finding]:
    """What kube-proxy masquerades has its node's address: policies see that, and not the sender."""
    config, place = node["kube_proxy"]["config"], "kube_proxy.config"
    modes = ("iptables", "nftables")
    everything = [mode for mode in modes if (config.get(mode) or {}).get("masqueradeAll") is True]
    plugin, cidr = node["network"]["plugin"], config.get("clusterCIDR")
    if plugin == "calico" and everything:
        key = f"{place}.{everything[0]}.masqueradeAll"
        found = f"{key} hides from calico's policies which pod speaks to a service"
        return [Finding("masquerade", WARNING, found, "remove it")]
    if plugin == "calico" and cidr and node["profile"].startswith("kubeasz"):
        found = f"by {place}.clusterCIDR calico's policies see a node where somebody outside of {cidr} speaks"
        return [Finding("masquerade", WARNING, found, "remove it")]
    if not cidr and not node["profile"].startswith("kubeasz"):
        found = f"without {place}.clusterCIDR what reaches a service from outside is not masqueraded"
        return [Finding("masquerade", WARNING, found, "leave the key out: it is cluster.pod_cidr")]
    return []


def api_server(node: Facts, machine: Facts) -> list[Finding]:
    """A node that has joined goes on while the API server is away, so then its absence is a warning."""
    url, told = node["cluster"]["api_server"], machine["api_server"]
    if told is None:
        return []
    if not told["reached"]:
        severity = ERROR if machine["client_name"] is None else WARNING
        remedy = "correct cluster.api_server, or let the firewalls between pass it"
        return [Finding("api_server", severity, f"{url} cannot be reached ({told['why']})", remedy)]
    if told["trusted"]:
        return []
    found = f"{url} has a certificate that cluster.ca does not vouch for ({told['why']})"
    remedy = "paste the CA of that cluster, or correct cluster.api_server"
    return [Finding("api_server_certificate", ERROR, found, remedy)]


CHECKS = (addresses, resolv_conf, routes, mtu, masquerade, api_server)
