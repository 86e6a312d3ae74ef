"""For each minor and each runtime it can have: the golden files, and strict doubles that take them.

The golden folders hold what differs between versions: `diff -r golden/1.13-docker golden/1.14-docker` shows
what a minor brought. `KUBE_NODE_GOLDEN=write pytest tests/unit/test_goldens.py` writes them anew.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import kube_node_files
import kube_node_milestones as milestones
import kube_node_versions as versions
import pytest
from lab import binaries
from lab.component import flags, host, klog
from lab.component.claim import Claim
from lab.cri_dockerd import main as cri_dockerd
from lab.kube_proxy import main as kube_proxy
from lab.kubelet import machine
from lab.kubelet import main as kubelet

from unit import systemd
from unit.nodes import compiled, sources
from unit.test_kube_node_files import NODE, templates

GOLDEN = Path(__file__).with_name("golden")
FACTS = sources()["facts"]
NEWEST_CONTAINERD = "2.3.3"
SHOWN = (
    "/etc/systemd/system/kubelet.service",
    "/etc/systemd/system/kube-proxy.service",
    "/etc/systemd/system/cri-docker.service",
    "/var/lib/kubelet/config.yaml",
    "/var/lib/kube-proxy/config.yaml",
    "/etc/containerd/config.toml",
    "/etc/docker/daemon.json",
)


def runtimes(minor: str) -> list[str]:
    return ["containerd", "docker"] if milestones.containerd_possible(FACTS, minor) else ["docker"]


PAIRS = [(minor, runtime) for minor in versions.minors(FACTS) for runtime in runtimes(minor)]


def containerd(minor: str) -> str:
    """Return a release of containerd that goes with a minor: one tested with it, where that is known."""
    if versions.parse(minor) >= versions.parse("1.36"):
        return NEWEST_CONTAINERD
    tested = milestones.tested(FACTS, minor).get("containerd", "1.6.20")
    return tested if versions.parse(tested) >= (1, 3) else "1.6.20"


@lru_cache(maxsize=len(PAIRS))
def files(minor: str, runtime: str) -> dict[str, str]:
    """Return the files of a node of `minor`.2 with something in every file."""
    change = {
        "version": f"{minor}.2",
        "runtime": {"name": runtime, "containerd": {"version": containerd(minor)}},
        "binaries": {"sha256": {"cri-dockerd": "c" * 64}},
    }
    return kube_node_files.render(compiled({**NODE, **change}), templates())


@pytest.mark.parametrize(("minor", "runtime"), PAIRS)
def test_the_files_are_the_golden_ones(minor: str, runtime: str):
    folder = GOLDEN / f"{minor}-{runtime}"
    shown = {path: content for path, content in files(minor, runtime).items() if path in SHOWN}
    if os.environ.get("KUBE_NODE_GOLDEN") == "write":
        write(folder, shown)
    assert {
        path: (folder / path.lstrip("/")).read_text() for path in SHOWN if path in golden(folder)
    } == shown


def golden(folder: Path) -> set[str]:
    return {f"/{path.relative_to(folder)}" for path in folder.rglob("*") if path.is_file()}


def write(folder: Path, shown: dict[str, str]) -> None:
    for path in SHOWN:
        (folder / path.lstrip("/")).unlink(missing_ok=True)
    for path, content in shown.items():
        target = folder / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(content)


def test_there_is_no_golden_folder_of_something_else():
    assert {folder.name for folder in GOLDEN.iterdir()} == {f"{minor}-{runtime}" for minor, runtime in PAIRS}


def command(content: dict[str, str], name: str, folder: Path) -> list[str]:
    """Return the options of a unit, with its configuration file written below `folder`."""
    words = systemd.started(content[f"/etc/systemd/system/{name}.service"])[1:]
    path = f"/var/lib/{name}/config.yaml"
    if path in content:
        (folder / "config.yaml").write_text(content[path])
    return [word.replace(f"--config={path}", f"--config={folder}/config.yaml") for word in words]


@pytest.fixture
def double(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """Return a function that starts a double up to the point where it would talk to others."""
    (tmp_path / "sys/fs/cgroup").mkdir(parents=True)
    (tmp_path / "sys/fs/cgroup/cgroup.controllers").touch()
    monkeypatch.setattr(host, "ROOT", tmp_path)
    lines: list[str] = []
    monkeypatch.setattr(klog, "write", lines.append)

    def ended(status: int) -> None:
        pytest.fail(f"it ended with {status}: {lines}")

    monkeypatch.setattr(klog, "leave", ended)

    def started(program: Any, component: str, minor: str, arguments: list[str]) -> Any:
        monkeypatch.setattr("sys.argv", [component, *arguments])
        claim = Claim(component, f"{minor}.2", FACTS)
        return program._settings(claim, program._command_line(claim))

    return started


@pytest.mark.parametrize(("minor", "runtime"), PAIRS)
def test_the_kubelet_of_the_minor_takes_its_files(double, tmp_path: Path, minor: str, runtime: str):
    arguments = command(files(minor, runtime), "kubelet", tmp_path)
    found = double(kubelet, "kubelet", minor, arguments)
    assert machine.fault(found) is None
    assert (found["maxPods"], found["cgroupDriver"]) == (50, "systemd")
    assert (found["authentication.anonymous.enabled"], found["authorization.mode"]) == (False, "Webhook")
    assert found["readOnlyPort"] == 0


@pytest.mark.parametrize(("minor", "runtime"), PAIRS)
def test_kube_proxy_of_the_minor_takes_its_files(double, tmp_path: Path, minor: str, runtime: str):
    found = double(kube_proxy, "kube_proxy", minor, command(files(minor, runtime), "kube-proxy", tmp_path))
    assert (found.mode, found["hostnameOverride"], found["clusterCIDR"]) == (
        "ipvs",
        "worker-1",
        "172.20.0.0/16",
    )


@pytest.mark.parametrize("minor", [minor for minor, runtime in PAIRS if runtime == "docker"])
def test_cri_dockerd_takes_its_options(tmp_path: Path, minor: str):
    if milestones.dockershim(FACTS, minor):
        assert "/etc/systemd/system/cri-docker.service" not in files(minor, "docker")
        return
    known = cri_dockerd.known_to(cri_dockerd.release(FACTS, minor))
    given = flags.parse(command(files(minor, "docker"), "cri-docker", tmp_path), known, {})
    assert (given.arguments, given.text("container-runtime-endpoint")) == ([], "fd://")


@pytest.fixture
def real() -> Callable[[str], Path]:
    """Return what gives a real program by its name."""
    if not binaries.real("kubelet"):
        pytest.skip("KUBEBUILDER_ASSETS names no folder with the real programs")
    return binaries.real


def moved(content: dict[str, str], folder: Path) -> dict[str, str]:
    """Return the files with all their folders below `folder`, and an API server that nobody is."""

    def there(text: str) -> str:
        for place in ("/etc/kubernetes", "/var/lib/"):
            text = text.replace(place, f"{folder}{place}")
        return text.replace("https://10.0.0.10:6443", "https://127.0.0.1:1")

    for path, text in content.items():
        target = folder / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(there(text))
    return {path: there(text) for path, text in content.items()}


def run(program: Path, unit: str, *more: str) -> subprocess.CompletedProcess[str]:
    arguments = [*systemd.started(unit)[1:], *more]
    return subprocess.run([program, *arguments], capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("runtime", ["containerd", "docker"])
def test_the_real_kubelet_takes_its_files(real: Callable[[str], Path], tmp_path: Path, runtime: str):
    minor = versions.minor(binaries.release())
    content = moved(files(minor, runtime), tmp_path)
    # The machine that the tests run on may have cgroup v1, which it would refuse.
    more = ["--fail-cgroupv1=false"] if "fail-cgroupv1" in versions.flags(FACTS, "kubelet", minor) else []
    ended = run(real("kubelet"), content["/etc/systemd/system/kubelet.service"], *more)
    # Past flags, file and validation it asks the API server for its certificate, which is not there.
    assert '"Kubelet version"' in ended.stderr
    assert "cannot create certificate signing request" in ended.stderr


@pytest.mark.parametrize("runtime", ["containerd", "docker"])
def test_the_real_kube_proxy_takes_its_files(real: Callable[[str], Path], tmp_path: Path, runtime: str):
    content = moved(files(versions.minor(binaries.release()), runtime), tmp_path)
    written = tmp_path / "written.yaml"
    # This flag ends it once the settings are valid.
    ended = run(
        real("kube-proxy"),
        content["/etc/systemd/system/kube-proxy.service"],
        f"--write-config-to={written}",
    )
    assert ended.returncode == 0, ended.stderr
