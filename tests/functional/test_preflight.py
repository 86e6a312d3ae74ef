"""kube_node.preflight: what can be known before anything is touched is told then, and nothing is changed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import kube_node_merge
import kube_node_preflight
import pytest
from unit.machines import GOOD
from unit.nodes import pillar

PROGRAMS = ("kubelet", "kube-proxy")


# Nobody listens there, and it is known at once.
NOWHERE = {"cluster": {"api_server": "https://127.0.0.1:1"}}


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Return a function that says what is judged in place of this machine; by default a good one is."""
    judge = kube_node_preflight.judge

    def tells(**other: object) -> None:
        monkeypatch.setattr(kube_node_preflight, "judge", lambda node, _: judge(node, GOOD | other))

    tells()
    return tells


@pytest.fixture
def served(tmp_path: Path) -> Path:
    """Return the folder that holds the programs."""
    folder = tmp_path / "served"
    folder.mkdir()
    for name in PROGRAMS:
        (folder / name).write_text(f"#!/bin/sh\necho {name}\n")
    return folder


@pytest.fixture
def binaries(node, served: Path, tmp_path: Path) -> Callable[..., None]:
    """Return a function that gives the minion a pillar with those programs; it has one already."""

    def given(source: str = f"file://{served}", change: dict | None = None, **sha256: str) -> None:
        digests = {name: hashlib.sha256((served / name).read_bytes()).hexdigest() for name in PROGRAMS}
        tree = {
            "paths": {name: str(tmp_path / name) for name in ("versions", "kubelet", "certificates")},
            "binaries": {"source": source, "sha256": digests | sha256},
        }
        layers = [("smallest", pillar(NOWHERE)), ("change", change or {}), ("binaries", tree)]
        node(kube_node_merge.merge(layers)[0])

    given()
    return given


pytestmark = pytest.mark.usefixtures("binaries")


@pytest.mark.parametrize("test", [True, False])
def test_a_preflight_without_faults_passes(states, tmp_path, test):
    result = states.kube_node.preflight(name="preflight", test=test)
    assert (result.result, result.changes, result.comment) == (True, {}, "Nothing stands in the way")
    assert [path.name for path in tmp_path.iterdir()] == ["served"]


def test_a_preflight_tells_a_missing_source(states, served):
    for name in PROGRAMS:
        (served / name).unlink()
    result = states.kube_node.preflight(name="preflight")
    told = [
        f"binaries.source: file://{served}/{name} is not there, put the file there or correct the source"
        for name in ("kube-proxy", "kubelet")
    ]
    assert (result.result, result.comment.splitlines()) == (False, ["Nothing was touched:", *told])


def test_a_preflight_tells_a_wrong_digest(states, binaries, served):
    digest = hashlib.sha256((served / "kubelet").read_bytes()).hexdigest()
    binaries(kubelet="0" * 64)
    result = states.kube_node.preflight(name="preflight")
    assert (result.result, result.comment) == (
        False,
        "Nothing was touched:\n"
        f"binaries.sha256.kubelet: {'0' * 64} is not the digest of file://{served}/kubelet, "
        f"which has {digest}, correct the one that is wrong",
    )


def test_a_preflight_fetches_nothing_that_is_there(states, served, tmp_path):
    release = tmp_path / "versions" / "v1.36.2"
    release.parent.mkdir()
    served.rename(release)
    assert states.kube_node.preflight(name="preflight").result is True


def test_a_preflight_tells_what_the_operator_has_still_to_bring(states, binaries, tmp_path):
    (tmp_path / "certificates").mkdir()
    (tmp_path / "certificates/kubelet.pem").touch()
    binaries(change={"certificates": {"mode": "static"}})
    result = states.kube_node.preflight(name="preflight")
    assert (result.result, result.comment) == (
        False,
        "Nothing was touched:\n"
        f"certificates.mode: static needs {tmp_path}/certificates/kubelet-key.pem, "
        "put the node's own there or choose who else brings it (docs/certificates.md)",
    )


@pytest.mark.parametrize("test", [True, False])
def test_an_error_on_the_machine_stops_the_run(states, machine, test):
    machine(swaps=["/dev/zram0"], memory_mib=1024)
    result = states.kube_node.preflight(name="preflight", test=test)
    assert (result.result, result.changes, result.comment.splitlines()) == (
        False,
        {},
        [
            "Nothing was touched:",
            "swap: swap is on (/dev/zram0), beside which the kubelet does not start, "
            "set os.swap to off, or kubelet.config.failSwapOn to false",
            "warning: memory: 1024 MiB are little for a node, 1700 MiB are advised, "
            "give the machine more or set kubelet.config.maxPods low",
        ],
    )


def test_a_warning_is_told_and_lets_the_run_go_on(states, machine):
    machine(memory_mib=1024)
    result = states.kube_node.preflight(name="preflight")
    assert (result.result, result.comment.splitlines()[1][:16]) == (True, "warning: memory:")


def test_what_the_pillar_accepts_is_told_to_who_asks_alone(states, modules, machine, binaries):
    machine(swaps=["/dev/sda2"])
    binaries(change={"preflight": {"accept": ["swap"]}})
    assert states.kube_node.preflight(name="preflight").comment == "Nothing stands in the way"
    assert modules.kube_node.preflight() == [
        {
            "name": "swap",
            "severity": "info",
            "found": "swap is on (/dev/sda2), beside which the kubelet does not start",
            "fix": "the pillar accepts it",
        }
    ]
