"""The doubles are single files that claim to be what they were built as, and refuse what that one refuses."""

from __future__ import annotations

import sys

import pytest
from lab import binaries


def test_a_double_is_the_same_bytes_every_time(tmp_path):
    first = binaries.build("kubelet", "1.36.2", tmp_path / "a" / "kubelet")
    second = binaries.build("kubelet", "1.36.2", tmp_path / "b" / "kubelet")
    assert first.read_bytes() == second.read_bytes()
    assert first.stat().st_mode & 0o777 == 0o755


def test_another_release_is_another_file(tmp_path):
    one, other = (binaries.build("kubelet", version, tmp_path / version) for version in ("1.36.2", "1.36.3"))
    assert binaries.sha256(one) != binaries.sha256(other)


def test_a_double_is_run_by_the_nodes_python_unless_told_otherwise(tmp_path):
    path = binaries.build("kube-proxy", "1.36.2", tmp_path / "kube-proxy")
    assert path.read_bytes().splitlines()[0] == b"#!/opt/salt/bin/python3"


@pytest.mark.parametrize("component", ["kubelet", "kube-proxy"])
def test_a_double_tells_its_version(machine, component):
    assert machine.run(component, "1.14.10", "--version").stdout == "Kubernetes v1.14.10\n"


def test_a_double_tells_what_it_reads_from_its_environment(machine):
    text = machine.run("kubelet", "1.36.2", "--help-lab").stdout
    assert "KUBE_NODE_LAB_TIME_SCALE" in text
    assert "KUBE_NODE_LAB_HOST_ROOT" in text


def test_a_time_scale_that_is_none_is_refused(machine, monkeypatch):
    monkeypatch.setattr("unit.lab.doubles.SCALE", "fast")
    found = machine.run("kubelet", "1.36.2")
    assert (found.returncode, found.stderr) == (
        1,
        "KUBE_NODE_LAB_TIME_SCALE=fast: must be a number greater than 0, at most 1\n",
    )


def test_collected_programs_are_listed_with_their_digests(tmp_path, monkeypatch):
    monkeypatch.delenv("KUBEBUILDER_ASSETS", raising=False)
    found = binaries.collect("1.36.2", tmp_path)
    assert {"kubelet", "kube-proxy", "cri-dockerd"} <= found.keys()
    assert all(binaries.sha256(tmp_path / name) == digest for name, digest in found.items())


@pytest.fixture
def assets(tmp_path, monkeypatch):
    """Return a folder that KUBEBUILDER_ASSETS names."""
    folder = tmp_path / "assets"
    folder.mkdir()
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(folder))
    return folder


def test_real_programs_are_copied_and_a_double_stands_for_a_missing_one(tmp_path, assets):
    for name in ("kubelet", "kubectl"):
        (assets / name).write_text(f"real {name}")
    binaries.collect("1.36.2", tmp_path / "bin")
    for name in ("kubelet", "kubectl"):
        assert (tmp_path / "bin" / name).read_text() == f"real {name}"
    assert (tmp_path / "bin" / "kube-proxy").read_bytes().startswith(b"#!/opt/salt/bin/python3")


def test_the_release_is_what_the_real_kubelet_says(assets):
    assert binaries.release(otherwise="1.14.10") == "1.14.10"
    binaries.build("kubelet", "1.21.1", assets / "kubelet", sys.executable)
    assert binaries.release(otherwise="1.14.10") == "1.21.1"


@pytest.mark.parametrize(
    ("version", "status", "end"),
    [
        ("1.14.10", 255, "unknown flag: --no-such-flag\n"),
        ("1.21.14", 1, '"Failed to parse kubelet flag" err="unknown flag: --no-such-flag"\n'),
        (
            "1.36.2",
            1,
            '"command failed" err="failed to parse kubelet flag: unknown flag: --no-such-flag"\n',
        ),
    ],
)
def test_an_unknown_flag_ends_a_kubelet_as_its_minor_ends(machine, version, status, end):
    found = machine.run("kubelet", version, "--no-such-flag")
    assert (found.returncode, found.stderr.endswith(end)) == (status, True), found.stderr


def test_an_unknown_field_ends_a_kubelet(machine):
    path = machine.settings(noSuchField=1)
    found = machine.run("kubelet", "1.36.2", f"--config={path}")
    message = (
        f"failed to load kubelet config file, path: {path}, error: failed to load Kubelet config file "
        f"{path}, error "
        r"failed to decode: strict decoding error: unknown field \"noSuchField\""
    )
    assert found.returncode == 1
    assert found.stderr.endswith(f'"command failed" err="{message}"\n')


def test_several_faults_are_told_at_once(machine):
    machine.cgroup_v1()
    path = machine.settings(maxPods=-1, failCgroupV1=True)
    found = machine.run("kubelet", "1.36.2", f"--config={path}")
    assert (
        "failed to validate kubelet configuration, error: [invalid configuration: maxPods (--max-pods) "
        "-1 must not be "
        "a negative number, kubelet is configured to not run on a host using cgroup v1. cgroup v1 support is "
        "unsupported and will be removed in a future release], path: &TypeMeta{Kind:,APIVersion:,}"
    ) in found.stderr


def test_a_gate_that_a_minor_lost_ends_its_kubelet(machine):
    path = machine.settings(featureGates={"NodeSwap": True})
    found = machine.run("kubelet", "1.37.0", f"--config={path}")
    assert "unrecognized feature gate: NodeSwap" in found.stderr
