"""A kubelet's settings by dotted field path: defaults, file, drop-ins and flags laid over each other.

Sources: pkg/kubelet/apis/config/v1beta1/defaults.go, cmd/kubelet/app/server.go (kubeletConfigFlagPrecedence,
mergeKubeletConfigurations), cmd/kubelet/app/options/options.go (applyLegacyDefaults).
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import kube_node_milestones as milestones

from lab.component import decode
from lab.component.claim import Claim
from lab.component.flags import CommandLine
from lab.component.go_values import parse_duration

#: Defaults that anything here asks for. A minor without the field has the default all the same.
DEFAULTS: dict[str, Any] = {
    "address": "0.0.0.0",
    "authentication.anonymous.enabled": False,
    "authentication.webhook.enabled": True,
    "authorization.mode": "Webhook",
    "cgroupDriver": "cgroupfs",
    "cgroupsPerQOS": True,
    "containerLogMaxFiles": 5,
    "containerLogMaxSize": "10Mi",
    "containerLogMaxWorkers": 1,
    "containerLogMonitorInterval": "10s",
    "cpuCFSQuotaPeriod": "100ms",
    "enableControllerAttachDetach": True,
    "enableServer": True,
    "enforceNodeAllocatable": ["pods"],
    "eventBurst": 100,
    "eventRecordQPS": 50,
    "failSwapOn": True,
    "hairpinMode": "promiscuous-bridge",
    "healthzBindAddress": "127.0.0.1",
    "healthzPort": 10248,
    "imageGCHighThresholdPercent": 85,
    "imageGCLowThresholdPercent": 80,
    "imageMinimumGCAge": "2m",
    "iptablesDropBit": 15,
    "iptablesMasqueradeBit": 14,
    "kubeAPIBurst": 100,
    "kubeAPIQPS": 50,
    "maxOpenFiles": 1000000,
    "maxPods": 110,
    "nodeLeaseDurationSeconds": 40,
    "nodeStatusMaxImages": 50,
    "nodeStatusUpdateFrequency": "10s",
    "oomScoreAdj": -999,
    "podLogsDir": "/var/log/pods",
    "port": 10250,
    "registerNode": True,
    "registryBurst": 10,
    "registryPullQPS": 5,
    "topologyManagerPolicy": "none",
    "topologyManagerScope": "container",
}
#: What means the default when it is given: Go's zero values of fields that are no pointers.
_ZERO = {
    "int": (0,),
    "string": ("",),
    "path": ("",),
    "url": ("",),
    "ip": ("",),
    "duration": ("0s", "0"),
    "quantity": ("",),
}
_POINTERS = (
    "eventRecordQPS",
    "healthzPort",
    "imageGCHighThresholdPercent",
    "imageGCLowThresholdPercent",
    "iptablesDropBit",
    "iptablesMasqueradeBit",
    "kubeAPIQPS",
    "nodeStatusMaxImages",
    "oomScoreAdj",
    "registryPullQPS",
    "containerLogMaxFiles",
    "containerLogMaxWorkers",
    "containerLogMonitorInterval",
    "cpuCFSQuotaPeriod",
    "maxParallelImagePulls",
    "readOnlyPort",
)


@dataclass(frozen=True)
class Settings:
    """The values in force; `flags` are those of the command line that have no field."""

    claim: Claim
    flags: CommandLine
    values: dict[str, Any]

    def __getitem__(self, path: str) -> Any:
        return self.values.get(path)

    def seconds(self, path: str) -> float:
        """A duration in seconds."""
        return parse_duration(self.values[path]) / 1e9

    def gate(self, name: str) -> bool:
        """Whether a feature gate is on; one that nothing is known of is off."""
        given = self.values.get("featureGates") or {}
        default = milestones.feature_gate(self.claim.facts, name, self.claim.minor)
        return given.get(name, bool(default))

    @property
    def cert_dir(self) -> str:
        return self.flags.text("cert-dir") or "/var/lib/kubelet/pki"

    @property
    def root_dir(self) -> str:
        return self.flags.text("root-dir") or "/var/lib/kubelet"

    @property
    def bootstrap_kubeconfig(self) -> str:
        return self.flags.text("bootstrap-kubeconfig") or self.flags.text("experimental-bootstrap-kubeconfig")

    @property
    def rotates_client_certificate(self) -> bool:
        """Whether a certificate manager renews the client certificate."""
        return bool(self["rotateCertificates"]) and self._gate_or_fixed("RotateKubeletClientCertificate")

    @property
    def requests_serving_certificate(self) -> bool:
        """Whether the API server issues the serving certificate; in 1.9 and 1.10 the gate alone decides."""
        asked = self["serverTLSBootstrap"] or not self.claim.since("1.11")
        return bool(asked) and self.gate("RotateKubeletServerCertificate")

    def _gate_or_fixed(self, name: str) -> bool:
        known = milestones.feature_gate(self.claim.facts, name, self.claim.minor)
        return known is None or self.gate(name)


def resolve(claim: Claim, flags: CommandLine) -> Settings:
    """Lay the layers over each other. Raises decode.DecodeError for a file that does not decode."""
    file = flags.text("config")
    values = dict(DEFAULTS)
    values["failCgroupV1"] = milestones.cgroup_v1_refused(claim.facts, claim.minor)
    values["containerRuntimeEndpoint"] = _default_endpoint(claim)
    values |= {} if file else claim.facts["milestones"]["legacy_defaults"]
    given = _dropped_in(claim, flags, _from_file(claim, Path(file)) if file else {})
    values |= {
        path: value for path, value in decode.flatten(given, claim).items() if _counts(claim, path, value)
    }
    set_by_flag = _by_field(claim, flags)
    if "featureGates" in set_by_flag:
        set_by_flag["featureGates"] = {**(values.get("featureGates") or {}), **set_by_flag["featureGates"]}
    return Settings(claim, flags, values | set_by_flag)


def _from_file(claim: Claim, path: Path) -> dict[str, Any]:
    """The configuration file as it is nested, relative paths made absolute by its folder."""
    absolute = Path.cwd() / path
    try:
        text = absolute.read_text()
    except OSError as fault:
        reason = (fault.strerror or str(fault)).lower()
        raise decode.DecodeError(
            f'failed to read kubelet config file "{absolute}", error: open {absolute}: {reason}'
        ) from None
    if not text:
        raise decode.DecodeError(f'kubelet config file "{absolute}" was empty')
    try:
        content = decode.document(text, claim)
    except decode.DecodeError as fault:
        raise decode.DecodeError(f"failed to decode: {fault}") from None
    return _absolute(content, claim, absolute.parent)


def _absolute(content: dict[str, Any], claim: Claim, folder: Path, prefix: str = "") -> dict[str, Any]:
    result = {}
    for key, value in content.items():
        field = claim.fields.get(f"{prefix}{key}")
        if isinstance(value, dict) and field and field.type == "object":
            value = _absolute(value, claim, folder, f"{prefix}{key}.")
        elif field and field.type == "path" and value and not value.startswith("/"):
            value = str(folder / value)
        result[key] = value
    return result


def _dropped_in(claim: Claim, flags: CommandLine, content: dict[str, Any]) -> dict[str, Any]:
    """``content`` with the *.conf files of --config-dir merged in, in the order of their paths."""
    folder = flags.text("config-dir")
    if not folder:
        return content
    if not claim.holds("kubelet_config_dir") and not os.environ.get("KUBELET_CONFIG_DROPIN_DIR_ALPHA"):
        raise decode.DecodeError(
            "flag --config-dir specified but environment variable KUBELET_CONFIG_DROPIN_DIR_ALPHA not set, "
            "cannot start kubelet"
        )
    for path in sorted(Path(folder).rglob("*.conf")):
        try:
            content = _merged(content, decode.document(path.read_text(), claim))
        except decode.DecodeError as fault:
            raise decode.DecodeError(
                f"failed to load kubelet dropin file, path: {path}, error: {fault}"
            ) from None
    return content


def _merged(target: Any, change: Any) -> Any:
    """A JSON merge patch applied: RFC 7386."""
    if not isinstance(change, dict):
        return change
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in change.items():
        result[key] = None if value is None else _merged(result.get(key), value)
    return result


def _counts(claim: Claim, path: str, value: Any) -> bool:
    """Whether a value in the file is one: the zero value of a field that is no pointer means the default."""
    return path in _POINTERS or value not in _ZERO.get(claim.fields[path].type, ())


def _by_field(claim: Claim, flags: CommandLine) -> dict[str, Any]:
    """The flags that set a field, by its path."""
    found = ((claim.flags[name].field, value) for name, value in flags.values.items())
    return {path: value for path, value in found if path}


def _default_endpoint(claim: Claim) -> str:
    if claim.since("1.27"):
        return "unix:///run/containerd/containerd.sock"
    return "" if claim.since("1.24") else "unix:///var/run/dockershim.sock"
