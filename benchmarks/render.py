"""How long it takes to check and render one node in a warm process; wanted are less than 50 ms.

`make -s bench-render` prints a line for each of three versions.
"""

from __future__ import annotations

import statistics
import sys
import time
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "_utils"))

import kube_node_files  # noqa: E402
import kube_node_parameters  # noqa: E402
import kube_node_sources  # noqa: E402

MACHINE = {
    "id": "prod-worker-1",
    "address": "192.168.1.42",
    "salt_call": "/usr/bin/salt-call",
    "os_family": "Debian",
    "os_release": "Debian-12",
    "processor": "x86_64",
}
RUNS = 100


def main() -> None:
    """Print the times of both steps in milliseconds: median and the slowest of a hundred."""
    sources = kube_node_sources.load(_read)
    templates = {str(path.relative_to(ROOT)): path.read_text() for path in ROOT.glob("kube_node/**/*.jinja")}
    for version in ("1.9.11", "1.14.10", "1.36.2"):
        pillar = _pillar(version)
        times = [_once(pillar, sources, templates) for _ in range(RUNS + 1)][1:]
        checked, rendered = (sorted(column) for column in zip(*times, strict=True))
        total = sorted(map(sum, times))
        print(f"{version}: {_shown(checked)} to check, {_shown(rendered)} to render, {_shown(total)} in all")


def _once(pillar: Any, sources: Any, templates: dict[str, str]) -> tuple[float, float]:
    start = time.perf_counter()
    node = kube_node_parameters.compile_node(pillar, MACHINE, sources)
    middle = time.perf_counter()
    kube_node_files.render(node, templates)
    return (middle - start) * 1000, (time.perf_counter() - middle) * 1000


def _shown(times: list[float]) -> str:
    return f"{statistics.median(times):.1f} ms ({times[-1]:.1f})"


def _pillar(version: str) -> Any:
    """Return the node of the example of environments, with another version."""
    folder = ROOT / "docs/examples/environments/pillar/base"
    cluster = yaml.safe_load((folder / "cluster.sls").read_text())["kube_node"]
    node = yaml.safe_load((folder / "nodes/prod-worker-1.sls").read_text())["kube_node"]
    return {**cluster, **node, "version": version, "runtime": {}}


def _read(path: str) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


if __name__ == "__main__":
    main()
