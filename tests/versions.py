"""Prints what the formula knows of each Kubernetes minor and how it is tested, for `make versions`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import kube_node_milestones as milestones
import kube_node_sources
import kube_node_versions as versions

ROOT = Path(__file__).resolve().parent.parent
GOLDEN = ROOT / "tests/unit/golden"
# The releases whose real programs the tests were run with where KUBEBUILDER_ASSETS named them.
REAL = ("1.21", "1.36")
HEAD = ("MINOR", "CONTAINERD", "DOCKER", "KUBELET SETTINGS", "KUBE-PROXY MODES", "TESTED WITH")


def main() -> None:
    """Print the table."""
    facts = kube_node_sources.load(lambda path: (ROOT / path).read_text(encoding="utf-8"))["facts"]
    rows = [HEAD, *(row(facts, minor) for minor in versions.minors(facts))]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for line in rows:
        print("  ".join(map(str.ljust, line, widths)).rstrip())


def row(facts: dict[str, Any], minor: str) -> tuple[str, ...]:
    """Return the table's line for one minor."""
    api = versions.api_version(facts, "kubelet", minor)
    return (
        minor,
        containerd(facts, minor),
        "dockershim" if milestones.dockershim(facts, minor) else "cri-dockerd",
        api.removeprefix("kubelet.config.k8s.io/") if api else "flags",
        ",".join(sorted(milestones.kube_proxy_modes(facts, minor))),
        tested(minor),
    )


def containerd(facts: dict[str, Any], minor: str) -> str:
    """Return which containerd releases speak the CRI of the minor's kubelet."""
    lines = sorted(facts["milestones"]["containerd_cri"], key=versions.parse)
    speaking = [line for line in lines if milestones.containerd_speaks(facts, minor, line)]
    if not speaking:
        return "-"
    # 1.3 is the oldest whose configuration this formula writes.
    first = max(
        speaking[0], min(facts["milestones"]["containerd_schema"], key=versions.parse), key=versions.parse
    )
    beyond = lines[lines.index(speaking[-1]) + 1 :]
    return f"{first} and later" if not beyond else f"{first} to before {beyond[0]}"


def tested(minor: str) -> str:
    """Return how the minor is tested: strict doubles for all, the real programs for some."""
    runtimes = sorted(folder.name.partition("-")[2] for folder in GOLDEN.glob(f"{minor}-*"))
    doubles = f"doubles ({', '.join(runtimes)})"
    return f"{doubles}, real programs" if minor in REAL else doubles


if __name__ == "__main__":
    main()
