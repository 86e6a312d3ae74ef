"""`make render`: the files of one node from a pillar alone, or every fault and nothing written."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SMALLEST = Path(__file__).parent / "smallest.yaml"


@pytest.fixture
def render(formula: Path, tmp_path: Path):
    """Return a function that renders a pillar's text; it gives the finished process and the files."""

    def run(pillar: str) -> tuple[subprocess.CompletedProcess[str], set[str]]:
        source, out = tmp_path / "pillar.yaml", tmp_path / "out"
        source.write_text(pillar)
        done = subprocess.run(
            [sys.executable, formula / "tests/render.py", source, out],
            env={"PYTHONPATH": str(formula / "_utils")},
            capture_output=True,
            text=True,
        )
        return done, {f"/{path.relative_to(out)}" for path in out.rglob("*") if path.is_file()}

    return run


def test_the_smallest_pillar_gives_the_files_of_a_node(render):
    done, files = render(SMALLEST.read_text())
    assert (done.returncode, done.stderr) == (0, "")
    assert files >= {
        "/etc/systemd/system/kubelet.service",
        "/var/lib/kubelet/config.yaml",
        "/etc/systemd/system/kube-proxy.service",
        "/var/lib/kube-proxy/config.yaml",
        "/etc/containerd/config.toml",
    }


@pytest.mark.parametrize(
    "pillar", ["", "- a list", "kube_node: 5", "a: b: c", "kube_node: {versoin: 1}", "\x00"]
)
def test_a_pillar_that_cannot_be_used_writes_nothing_and_exits_with_2(render, pillar: str):
    done, files = render(pillar)
    assert (done.returncode, files) == (2, set())
    assert "Traceback" not in done.stderr
    assert all(": " in line and ", " in line for line in done.stderr.splitlines())


def test_every_fault_is_told_at_once(render):
    done, _ = render(SMALLEST.read_text().replace("https://10", "http://10").replace("calico}", "calicoo}"))
    assert done.stderr.splitlines() == [
        "cluster.api_server: 'http://10.0.0.10:6443' is not the API server's URL, write https://HOST:PORT",
        "network.plugin: 'calicoo' is not known, choose one of calico, flannel, none",
    ]
