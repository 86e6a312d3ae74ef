"""containerd's own word about its configuration, before that is put into place; a stand-in answers for it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from unit.nodes import pillar

PASSWORD = "swordfish"
CONFIG = "/etc/containerd/config.toml"


@pytest.fixture
def containerd(modules, node, monkeypatch, stand_in) -> list[Any]:
    """Have a stand-in answer for containerd with what it is given; return that, then what it was asked."""
    node(
        pillar(
            {"runtime": {"containerd": {"credentials": {"r.org": {"username": "u", "password": PASSWORD}}}}}
        )
    )
    monkeypatch.setattr(shutil, "which", lambda *_, **__: "/usr/bin/containerd")
    heard: list[Any] = [{"retcode": 0, "stderr": "", "stdout": None}]

    def answer(command: list[str], **_: Any) -> dict[str, Any]:
        path = Path(command[2])
        heard.extend([command, path.read_text(), path.stat().st_mode & 0o777])
        return heard[0] | {"stdout": heard[0]["stdout"] or path.read_text()}

    modules.cmd.run_all("true")
    stand_in("cmd.run_all", answer)
    return heard


def test_a_configuration_that_takes_effect_is_no_fault(modules, containerd):
    assert modules.kube_node_runtime.containerd_faults() == []
    assert containerd[1][0::2] == ["/usr/bin/containerd", containerd[1][2], "dump"]


def test_a_containerd_out_of_an_archive_is_asked_as_well(modules, node, containerd):
    archive = {"version": "2.1.5", "source": "salt://containerd.tar.gz", "sha256": "c" * 64}
    node(pillar({"binaries": {"containerd": archive}}))
    assert modules.kube_node_runtime.containerd_faults() == []
    assert "version = 3" in containerd[2]


def test_containerd_is_asked_without_passwords_about_a_file_that_goes(modules, containerd):
    modules.kube_node_runtime.containerd_faults()
    command, text, mode = containerd[1:]
    assert (PASSWORD in text, mode, Path(command[2]).exists()) == (False, 0o600, False)


def test_what_containerd_refuses_is_told_in_its_words(modules, containerd):
    containerd[0] |= {"retcode": 1, "stderr": "a warning\ncontainerd: invalid plugin config\n"}
    assert modules.kube_node_runtime.containerd_faults() == [
        "containerd does not take it: containerd: invalid plugin config"
    ]


def test_a_setting_that_does_not_take_effect_is_told(modules, containerd):
    containerd[0]["stdout"] = "version = 2\n"
    first, *_ = modules.kube_node_runtime.containerd_faults()
    assert first == (
        '[plugins."io.containerd.grpc.v1.cri"] sandbox_image is not there, not "registry.k8s.io/pause:3.10.2"'
    )


@pytest.mark.parametrize(("test", "result"), [(True, True), (False, False)])
def test_without_containerd_only_a_test_run_goes_on(states, containerd, monkeypatch, test: bool, result):
    monkeypatch.setattr(shutil, "which", lambda *_, **__: None)
    done = states.kube_node.containerd_takes(CONFIG, test=test)
    assert (done.result, done.comment) == (
        result,
        f"{CONFIG} cannot be checked: containerd is not installed",
    )


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: the files belong to root")
def test_passwords_are_in_no_answer(modules, containerd):
    assert PASSWORD not in str(modules.kube_node.parameters(layers=True))
    assert PASSWORD not in str(modules.kube_node.render())
