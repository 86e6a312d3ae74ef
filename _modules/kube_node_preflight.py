"""
What stands in the way of this machine's becoming a node. Nothing is changed.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import kube_node_preflight
from kube_node_findings import ERROR, Finding

__virtualname__ = "kube_node"


def __virtual__():
    # Its functions stand beside those of kube_node.py: the loader joins modules of one virtual name.
    return __virtualname__


def preflight():
    """
    Look for what stands in the way of this machine's becoming a node, and change nothing.

    Returns a list of ``{name, severity, found, fix}``, the errors first. The severity is ``error``,
    ``warning`` or ``info``; what the pillar accepts (``preflight.accept``) is an info. docs/preflight.md has
    them all.

    CLI Example:

    .. code-block:: bash

        salt '*' kube_node.preflight
        salt-call kube_node.preflight
    """
    node = __salt__["kube_node.parameters"]()
    found = kube_node_preflight.judge(node, __salt__["kube_node_machine.facts"]())
    wanting = [
        *_wanting_files(node["brought"]),
        *_wanting_certificates(node["certificates"]["static"]),
        *_wanting_binaries(node["binaries"]),
    ]
    return [asdict(one) for one in (*wanting, *found)]


def _wanting_files(brought):
    """Find which of the files that the operator puts there are not."""
    for file in brought:
        if not Path(file["path"]).is_file():
            name, _, rest = file["fault"].partition(": ")
            found, _, fix = rest.partition(", ")
            yield Finding(name, ERROR, found, fix)


def _wanting_certificates(certificates):
    """Check the certificates that the pillar delivers."""
    for one in certificates:
        if wrong := __salt__["kube_node_certificate.delivered_fault"](one["name"]):
            name = f"certificates.{one['name']}.certificate"
            yield Finding(name, ERROR, f"it {wrong}", "deliver another one")


def _wanting_binaries(binaries):
    """Compare sources with the checksums of the pillar; where a program is right nothing is fetched."""
    for binary in (*binaries["files"], *filter(None, [binaries["runtime"]])):
        release = {key: binary[key] for key in ("path", "source", "sha256", "whole")}
        if fault := __salt__["kube_node_binaries.fault"](**release):
            yield Finding(binary["keys"][fault["key"]], ERROR, fault["found"], fault["fix"])
