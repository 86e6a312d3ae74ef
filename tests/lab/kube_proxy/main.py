"""kube-proxy's command: parses, completes, validates, then runs until it is told to end.

Source: cmd/kube-proxy/app/server.go, NewProxyCommand, of 1.9 to 1.36.
"""

from __future__ import annotations

import signal
import sys
from typing import NoReturn

import kube_node_milestones as milestones
from kube_node_versions import Facts

from lab.component import flags, klog, process
from lab.component.claim import Claim
from lab.component.decode import DecodeError
from lab.component.flags import CommandLine, FlagError
from lab.component.kubeconfig import KubeconfigError

from . import rules, settings, validation
from .proxy import Proxy
from .settings import Settings

_USAGE = "Usage:\n  kube-proxy [flags]\n\nFlags:\n"
_PORT_TEXT = (
    "This flag is deprecated and will be removed in a future release. Please use --{}-bind-address instead."
)
_TEXTS = {f"{name}-port": _PORT_TEXT.format(name) for name in ("healthz", "metrics")}


def main(version: str, facts: Facts) -> None:
    """Run as the kube-proxy of ``version`` with this process' arguments; does not return."""
    claim = Claim("kube_proxy", version, facts)
    klog.structured = claim.since("1.23")
    if sys.argv[1:] == ["--help-lab"]:
        sys.exit(print(process.HELP))
    found = _settings(claim, _command_line(claim))
    if found.flags.values.get("cleanup"):
        rules.clean_up()
        return
    if found.flags.values.get("init-only"):
        return
    process.end_on_crash()
    # kube-proxy handles no signals: the first one ends it.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    _run(claim, found)
    signal.pause()


def _command_line(claim: Claim) -> CommandLine:
    """Parse the arguments; ends the process for those that ask something and those that cannot be."""
    deprecation = {
        name: _TEXTS.get(name, "This flag will be removed in a future release.")
        for name, flag in claim.flags.items()
        if flag.deprecated
    }
    try:
        found = flags.parse(sys.argv[1:], claim.flags, deprecation)
    except FlagError as fault:
        _misused(claim, str(fault))
    if found.values.get("help"):
        sys.exit(print(_usage(claim)))
    if found.arguments:
        shown = " ".join(map(klog.quote, found.arguments))
        klog.write(f'Error: "kube-proxy" does not take any arguments, got [{shown}]')
        klog.leave(1)
    if found.text("version") not in ("", "false"):
        sys.exit(print(f"Kubernetes v{claim.version}"))
    return found


def _settings(claim: Claim, given: CommandLine) -> Settings:
    """Complete and validate; ends the process when the settings cannot be."""
    try:
        found = settings.resolve(claim, given)
    except DecodeError as fault:
        _fail(claim, f"failed complete: {fault}")
    except OSError as fault:
        reason = (fault.strerror or str(fault)).lower()
        _fail(claim, f"failed complete: open {given.text('config')}: {reason}")
    klog.verbosity = found["logging.verbosity"] or 0
    faults = validation.faults(found)
    if faults:
        text = faults[0] if len(faults) == 1 else f"[{', '.join(faults)}]"
        _fail(claim, f"failed validate: {text}")
    return _with_usable_mode(claim, found)


def _with_usable_mode(claim: Claim, found: Settings) -> Settings:
    """A mode whose gate is off gives way to iptables, with a word about it: ipvs in 1.9."""
    mode = milestones.kube_proxy_modes(claim.facts, claim.minor).get(found["mode"])
    if mode and mode.gate and not found.gate(mode.gate):
        klog.warning("server_others.go:290", f"Can't use {mode.name} proxier, trying iptables proxier")
        found.values["mode"] = "iptables"
    elif not found["mode"]:
        klog.info("server_linux.go:49", "Using iptables proxy")
    return found


def _run(claim: Claim, found: Settings) -> None:
    try:
        Proxy(found).run()
    except (KubeconfigError, ValueError) as fault:
        if claim.since("1.23"):
            klog.error("server.go:136", fault, "Error running ProxyServer")
        _fail(claim, str(fault), status=1)


def _usage(claim: Claim) -> str:
    return _USAGE + "\n".join(f"      --{name}" for name in sorted(claim.flags)) + "\n"


def _misused(claim: Claim, fault: str) -> NoReturn:
    """End the process for a command line that cannot be: from 1.23 the usage comes before the error."""
    lines = [_usage(claim), f"Error: {fault}"]
    for line in lines if claim.since("1.23") else reversed(lines):
        klog.write(line)
    klog.leave(1)


def _fail(claim: Claim, fault: str, status: int = 255) -> NoReturn:
    """End the process as a failed command of this minor does: up to 1.22 by klog.Fatal, else exit 1."""
    if claim.since("1.23"):
        klog.error("run.go:72", fault, "command failed")
        klog.leave(1)
    if status == 255:
        klog.fatal("server.go:490", fault)
    klog.plain_error("server.go:497", fault)
    klog.leave(status)
