"""The kubelet's command line: what its flags are deprecated in favour of, and ValidateKubeletFlags.

Source: cmd/kubelet/app/options/options.go, ValidateKubeletFlags and the MarkDeprecated calls of each minor.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import kube_node_milestones as milestones

from lab.component.claim import Claim
from lab.component.flags import CommandLine
from lab.component.klog import quote

_IN_FILE = (
    "This parameter should be set via the config file specified by the Kubelet's --config flag. See "
    "https://kubernetes.io/docs/tasks/administer-cluster/kubelet-config-file/ for more information."
)
_OWN_TEXTS = {
    "container-runtime": "will be removed in 1.27 as the only valid value is 'remote'",
    "experimental-bootstrap-kubeconfig": "Use --bootstrap-kubeconfig",
    "pod-infra-container-image": (
        "will be removed in a future release. Image garbage collector will get sandbox image information "
        "from CRI."
    ),
}
_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")
_DOMAIN = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*")
_BAD_NAME = (
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an "
    "alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
    "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
)
_BAD_PREFIX = (
    "prefix part a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' "
    "or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for "
    r"validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
_BAD_VALUE = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must "
    "start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used "
    "for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
)


def deprecations(claim: Claim) -> dict[str, str]:
    """What each deprecated flag of this minor warns with."""
    return {
        name: _OWN_TEXTS.get(name) or (_IN_FILE if flag.field else "will be removed in a future release")
        for name, flag in claim.flags.items()
        if flag.deprecated
    }


def fault(claim: Claim, flags: CommandLine) -> str | None:
    """Why the flags that have no field cannot be, None when they can."""
    return _label_fault(claim, flags) or _runtime_fault(claim, flags)


def warned_labels(claim: Claim, flags: CommandLine) -> list[str]:
    """The node labels that this minor warns of, where later ones refuse them."""
    return sorted(_labels(claim, flags, "warned"))


def _labels(claim: Claim, flags: CommandLine, verdict: str) -> Iterator[str]:
    for key in flags.values.get("node-labels", {}):
        if milestones.node_label_verdict(claim.facts, claim.minor, key) == verdict and _kubernetes_own(key):
            yield key


def _kubernetes_own(key: str) -> bool:
    domain = f".{key.partition('/')[0]}" if "/" in key else ""
    return domain.endswith((".kubernetes.io", ".k8s.io"))


def _label_fault(claim: Claim, flags: CommandLine) -> str | None:
    refused = sorted(key for key in _labels(claim, flags, "refused") if claim.since("1.16"))
    if refused:
        rules = claim.facts["milestones"]["node_labels"]
        return (
            "unknown 'kubernetes.io' or 'k8s.io' labels specified with --node-labels: "
            f"[{' '.join(refused)}]\n"
            "--node-labels in the 'kubernetes.io' namespace must begin with an allowed prefix "
            f"({', '.join(sorted(rules['allowed_domains']))}) or be in the specifically allowed set "
            f"({', '.join(sorted(rules['allowed']))})"
        )
    if not claim.since("1.25"):
        return None
    faults = [
        text for key, value in flags.values.get("node-labels", {}).items() for text in _malformed(key, value)
    ]
    return f"invalid node labels: {'; '.join(faults)}" if faults else None


def _malformed(key: str, value: str) -> Iterator[str]:
    domain, slash, name = key.rpartition("/")
    if not _NAME.fullmatch(name):
        yield f"'{key}' - {_BAD_NAME}"
    if slash and (len(domain) > 253 or not _DOMAIN.fullmatch(domain)):
        yield f"'{key}' - {_BAD_PREFIX}"
    if len(value) > 63:
        yield f"'{value}' - must be no more than 63 characters"
    elif value and not _NAME.fullmatch(value):
        yield f"'{value}' - {_BAD_VALUE}"


def _runtime_fault(claim: Claim, flags: CommandLine) -> str | None:
    if not claim.since("1.24") or claim.since("1.27"):
        return None
    runtime = flags.values.get("container-runtime", "remote")
    if runtime != "remote":
        return f'unsupported CRI runtime: {quote(runtime)}, only "remote" is currently supported'
    if not flags.text("container-runtime-endpoint"):
        return (
            "the container runtime endpoint address was not specified or empty, use "
            "--container-runtime-endpoint to set"
        )
    return None
