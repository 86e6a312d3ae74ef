"""kube-proxy's settings: the file's, or the flags', by dotted field path; never both.

Source: cmd/kube-proxy/app/options.go (server.go up to 1.27), Complete.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import kube_node_milestones as milestones

from lab.component import decode
from lab.component.claim import Claim
from lab.component.flags import CommandLine

DEFAULTS: dict[str, Any] = {
    "bindAddress": "0.0.0.0",
    "clientConnection.kubeconfig": "",
    "configSyncPeriod": "15m0s",
    "conntrack.maxPerCore": 32768,
    "conntrack.min": 131072,
    "healthzBindAddress": "0.0.0.0:10256",
    "iptables.masqueradeBit": 14,
    "metricsBindAddress": "127.0.0.1:10249",
    "mode": "",
    "oomScoreAdj": -999,
}
_PORTS = {"healthzBindAddress": ("healthz-port", 10256), "metricsBindAddress": ("metrics-port", 10249)}


@dataclass(frozen=True)
class Settings:
    """The values in force, and the command line for the flags that have no field."""

    claim: Claim
    flags: CommandLine
    values: dict[str, Any]

    def __getitem__(self, path: str) -> Any:
        return self.values.get(path)

    def gate(self, name: str) -> bool:
        """Whether a feature gate is on."""
        given = self["featureGates"] or {}
        if isinstance(given, str):
            given = {
                key: value == "true" for key, _, value in (pair.partition("=") for pair in given.split(","))
            }
        return given.get(name, bool(milestones.feature_gate(self.claim.facts, name, self.claim.minor)))

    @property
    def mode(self) -> str:
        """The mode in force; up to 1.10 a mode whose gate is off gives way to iptables."""
        return self["mode"] or "iptables"


def resolve(claim: Claim, flags: CommandLine) -> Settings:
    """Read the file or take the flags.

    Raises:
        decode.DecodeError: when the file does not decode.
        OSError: when it cannot be read.
    """
    by_field = {
        flag.field: value for name, value in flags.values.items() if (flag := claim.flags[name]).field
    }
    file = flags.text("config")
    if not file:
        return Settings(claim, flags, DEFAULTS | by_field | _addresses(claim, flags, DEFAULTS | by_field))
    given = _decoded(Path(file), claim)
    values = DEFAULTS | {path: value for path, value in given.items() if value not in ("", "0s")}
    # The logging flags count beside a file in every minor, the node's name from 1.13 on.
    values |= {path: value for path, value in by_field.items() if path.startswith("logging.")}
    if claim.holds("kube_proxy_hostname_override_beside_file") and by_field.get("hostnameOverride"):
        values["hostnameOverride"] = by_field["hostnameOverride"]
    return Settings(claim, flags, values | _addresses(claim, None, values))


def _decoded(path: Path, claim: Claim) -> dict[str, Any]:
    text = path.read_text()
    try:
        return decode.flatten(decode.document(text, claim), claim)
    except decode.DecodeError as fault:
        raise decode.DecodeError(
            f"failed to decode: {fault}" if claim.since("1.28") else str(fault)
        ) from None


def _addresses(claim: Claim, flags: CommandLine | None, values: dict[str, Any]) -> dict[str, str]:
    """Where health and metrics are served: an address without a port gets the port flag's or the default.

    Up to 1.17 the port flag counts always.
    """
    result = {}
    for path, (flag, default) in _PORTS.items():
        port = flags.values.get(flag, default) if flags else default
        address = values[path]
        if flags and not claim.since("1.18"):
            address = address.removesuffix(f":{default}")
        result[path] = "" if port == 0 else _with_port(address, port)
    return result


def _with_port(address: str, port: int) -> str:
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return address
    return f"{address}:{port}" if ip.version == 4 else f"[{address}]:{port}"
