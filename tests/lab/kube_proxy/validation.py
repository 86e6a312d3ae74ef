"""What kube-proxy's validation refuses, with its messages, as far as it matters to a node.

Source: pkg/proxy/apis/config/validation/validation.go of 1.18 to 1.36.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from typing import Any

import kube_node_milestones as milestones

from lab.component.flag_values import is_ip
from lab.component.go_values import parse_duration
from lab.component.klog import quote

from .settings import Settings

_ROOT = "KubeProxyConfiguration"
_TIMEOUTS = {
    "conntrack.tcpEstablishedTimeout": "TCPEstablishedTimeout",
    "conntrack.tcpCloseWaitTimeout": "TCPCloseWaitTimeout",
    "conntrack.udpTimeout": "UDPTimeout",
    "conntrack.udpStreamTimeout": "UDPStreamTimeout",
}
_CIDR_EXAMPLE = "(e.g. 10.100.0.0/16 or fde4:8dba:82e1::/48)"


def faults(settings: Settings) -> list[str]:
    """Every fault that the real one finds, in its order."""
    return [
        *_masquerade(settings),
        *_linux(settings),
        *_mode(settings),
        *_periods(settings),
        *_addresses(settings),
        *_node_port_addresses(settings),
        *_local(settings),
    ]


def _invalid(path: str, value: Any, reason: str) -> str:
    shown = quote(value) if isinstance(value, str) else value
    return f"{_ROOT}.{path}: Invalid value: {shown}: {reason}"


def _masquerade(settings: Settings) -> Iterator[str]:
    bit = settings["iptables.masqueradeBit"]
    if bit is not None and not 0 <= bit <= 31:
        yield _invalid(
            "KubeProxyIPTablesConfiguration.MasqueradeBit", bit, "must be within the range [0, 31]"
        )


def _linux(settings: Settings) -> Iterator[str]:
    group = "KubeProxyLinuxConfiguration." if settings.claim.since("1.31") else ""
    for field, name in (("conntrack.maxPerCore", "MaxPerCore"), ("conntrack.min", "Min")):
        value = settings[field]
        if value is not None and value < 0:
            path = f"{group}KubeProxyConntrackConfiguration.{name}"
            yield _invalid(path, value, "must be greater than or equal to 0")
    for field, name in _TIMEOUTS.items():
        timeout = settings[field]
        if timeout and parse_duration(timeout) < 0:
            path = f"{group}KubeProxyConntrackConfiguration.{name}"
            yield _invalid(path, timeout, "must be greater than or equal to 0")
    score = settings["oomScoreAdj"]
    if not -1000 <= score <= 1000:
        yield _invalid(f"{group}OOMScoreAdj", score, "must be within the range [-1000, 1000]")


def _mode(settings: Settings) -> Iterator[str]:
    known = milestones.kube_proxy_modes(settings.claim.facts, settings.claim.minor)
    # A gate that is off hides nftables; ipvs of 1.9 is known all the same and gives way to iptables.
    valid = sorted(
        name for name, mode in known.items() if name == "ipvs" or not mode.gate or settings.gate(mode.gate)
    )
    if settings["mode"] and settings["mode"] not in valid:
        choices = (", " if settings.claim.since("1.26") else ",").join(valid)
        reason = f"must be {choices} or blank (blank means the best-available proxy [currently iptables])"
        yield _invalid("Mode.ProxyMode", settings["mode"], reason)


def _periods(settings: Settings) -> Iterator[str]:
    burst = settings["clientConnection.burst"] or 0
    if burst < 0:
        yield _invalid("ClientConnection.Burst", burst, "must be greater than or equal to 0")
    group = "" if settings.claim.since("1.33") else "KubeProxyIPTablesConfiguration."
    checked = (("configSyncPeriod", "ConfigSyncPeriod"), ("iptables.syncPeriod", f"{group}SyncPeriod"))
    for field, name in checked:
        if settings[field] and parse_duration(settings[field]) <= 0:
            yield _invalid(name, settings[field], "must be greater than 0")


def _addresses(settings: Settings) -> Iterator[str]:
    if not is_ip(settings["bindAddress"]):
        reason = "not a valid textual representation of an IP address"
        yield _invalid("BindAddress", settings["bindAddress"], reason)
    for field, name in (
        ("healthzBindAddress", "HealthzBindAddress"),
        ("metricsBindAddress", "MetricsBindAddress"),
    ):
        if settings[field]:
            yield from _host_port(name, settings[field])
    if not settings.claim.since("1.32"):
        yield from _cluster_cidrs(settings, "ClusterCIDR")


def _cluster_cidrs(settings: Settings, path: str) -> Iterator[str]:
    for index, cidr in enumerate((settings["clusterCIDR"] or "").split(",")):
        if cidr and not _is_cidr(cidr):
            yield _invalid(path.format(index), cidr, f"must be a valid CIDR block {_CIDR_EXAMPLE}")


def _host_port(name: str, address: str) -> Iterator[str]:
    host, colon, port = address.rpartition(":")
    if not colon:
        yield _invalid(name, address, "must be IP:port")
        return
    if not is_ip(host.strip("[]")):
        yield _invalid(name, host, "must be a valid IP")
    if not port.isdigit() or not 1 <= int(port) <= 65535:
        yield _invalid(name, port, "must be a valid port")


def _node_port_addresses(settings: Settings) -> Iterator[str]:
    addresses = settings["nodePortAddresses"] or []
    if addresses == ["primary"] and settings.claim.since("1.29"):
        return
    for index, cidr in enumerate(addresses):
        if not _is_cidr(cidr):
            reason = "must be a valid CIDR" if settings.claim.since("1.29") else "must be a valid IP block"
            yield _invalid(f"NodePortAddresses[{index}]", cidr, reason)


def _local(settings: Settings) -> Iterator[str]:
    field = settings.claim.fields.get("detectLocalMode")
    mode = settings["detectLocalMode"]
    if field and mode and mode not in field.values:
        choices = ", ".join(map(quote, [*field.values, ""]))
        yield f"{_ROOT}.DetectLocalMode: Unsupported value: {quote(mode)}: supported values: {choices}"
    if settings.claim.since("1.32") and mode in (None, "ClusterCIDR"):
        yield from _cluster_cidrs(settings, "DetectLocalConfiguration.ClusterCIDRs[{}]")


def _is_cidr(text: str) -> bool:
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        return False
    return "/" in text
