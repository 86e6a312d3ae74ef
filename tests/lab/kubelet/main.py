"""The kubelet's command: parses, validates, then runs until it is told to end.

Source: cmd/kubelet/app/server.go, NewKubeletCommand and run, of 1.10 to 1.36.
"""

from __future__ import annotations

import sys
from typing import NoReturn

import kube_node_milestones as milestones
from kube_node_versions import Facts

from lab.component import clock, flags, klog, process
from lab.component.claim import Claim
from lab.component.decode import DecodeError
from lab.component.flags import CommandLine, FlagError

from . import options, settings, validation
from .kubelet import Kubelet, KubeletFailed
from .settings import Settings

_USAGE = "Usage:\n  kubelet [flags]\n\nFlags:\n"


def main(version: str, facts: Facts) -> None:
    """Run as the kubelet of ``version`` with this process' arguments; does not return."""
    claim = Claim("kubelet", version, facts)
    klog.structured = claim.since("1.21")
    if sys.argv[1:] == ["--help-lab"]:
        sys.exit(print(process.HELP))
    kubelet = Kubelet(_settings(claim, _command_line(claim)))
    process.end_on_crash()
    process.block_signals()
    clock.start("kubelet-run", _run, claim, kubelet)
    process.wait_for_signal()
    klog.leave(0)


def _command_line(claim: Claim) -> CommandLine:
    """Parse the arguments; ends the process for those that ask something and those that cannot be."""
    try:
        found = flags.parse(sys.argv[1:], claim.flags, options.deprecations(claim))
    except FlagError as fault:
        _refuse(claim, "failed to parse kubelet flag", str(fault), usage=True)
    if found.arguments:
        if claim.since("1.23"):
            _refuse(claim, "", f"unknown command {found.arguments[0]}")
        _refuse(claim, "", f"unknown command: {found.arguments[0]}", usage=True)
    if found.values.get("help"):
        sys.exit(print(_USAGE + "\n".join(f"      --{name}" for name in sorted(claim.flags))))
    if found.text("version") not in ("", "false"):
        sys.exit(print(f"Kubernetes v{claim.version}"))
    return found


def _settings(claim: Claim, given: CommandLine) -> Settings:
    """Lay the settings together and validate them; ends the process when they cannot be."""
    fault = options.fault(claim, given)
    if fault:
        _refuse(claim, "failed to validate kubelet flags", fault)
    for label in options.warned_labels(claim, given):
        klog.warning(
            "options.go:250",
            f"unknown 'kubernetes.io' or 'k8s.io' labels specified with --node-labels: [{label}]",
        )
    try:
        found = settings.resolve(claim, given)
    except DecodeError as fault:
        _refuse_file(claim, given.text("config"), str(fault))
    klog.verbosity = found["logging.verbosity"] or 0
    if unknown := _unknown_gate(found):
        _refuse(claim, "failed to set feature gates from initial flags-based config", unknown)
    if found["logging.format"] not in (None, "text", "json"):
        fault = (
            f"logging.format: Invalid value: {klog.quote(found['logging.format'])}: Unsupported log format"
        )
        _refuse(claim, "initialize logging", fault)
    if faults := validation.faults(found):
        _refuse_values(claim, faults)
    return found


def _refuse_file(claim: Claim, path: str, fault: str) -> NoReturn:
    text = f"failed to load Kubelet config file {path}, error {fault}"
    if not claim.since("1.23"):
        _refuse(claim, "failed to load kubelet config file", text)
    if claim.since("1.28"):
        _refuse(claim, f"failed to load kubelet config file, path: {path}, error", text)
    _refuse(claim, "failed to load kubelet config file, error", f"{text}, path: {path}")


def _refuse_values(claim: Claim, faults: list[str]) -> NoReturn:
    text = faults[0] if len(faults) == 1 else f"[{', '.join(faults)}]"
    if claim.since("1.23"):
        _refuse(
            claim,
            "failed to validate kubelet configuration, error",
            f"{text}, path: &TypeMeta{{Kind:,APIVersion:,}}",
        )
    _refuse(claim, "failed to validate kubelet configuration", text)


def _unknown_gate(found: Settings) -> str | None:
    """The error for a gate that this minor lacks by the facts; one that they do not name is taken."""
    claim = found.claim
    for gate in sorted(set(found["featureGates"] or ()) & set(claim.facts["milestones"]["feature_gates"])):
        if milestones.feature_gate(claim.facts, gate, claim.minor) is None:
            return f"unrecognized feature gate: {gate}"
    return None


def _run(claim: Claim, kubelet: Kubelet) -> None:
    try:
        kubelet.run()
    except KubeletFailed as fault:
        _refuse(claim, "failed to run Kubelet", str(fault))


def _refuse(claim: Claim, what: str, fault: str, usage: bool = False) -> NoReturn:
    """End the process as a command of this minor does that has failed.

    Up to 1.20 it is klog.Fatal; 1.21 and 1.22 log the error; from 1.23 component-base's cli.Run does.
    """
    if claim.since("1.23"):
        klog.error("run.go:72", f"{what}: {fault}" if what else fault, "command failed")
        klog.leave(1)
    if usage:
        klog.write(_USAGE)
    if claim.since("1.21"):
        klog.error("server.go:196", fault, what[:1].upper() + what[1:] if what else "Unknown command")
        klog.leave(1)
    klog.fatal("server.go:198", f"{what}: {fault}" if what == "failed to run Kubelet" else fault)
