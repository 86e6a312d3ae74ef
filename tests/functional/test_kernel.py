"""Kernel modules and parameters: what is loaded, built in or of a container's host is left alone."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture
def machine(formula: Path, tmp_path: Path) -> ModuleType:
    """Return kube_node_machine on a machine whose kernel has one module of each kind."""
    spec = importlib.util.spec_from_file_location("machine", formula / "_modules/kube_node_machine.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for name in ("PROC", "SYS", "RUN", "LIB"):
        setattr(module, name, tmp_path / name)
    kernel = Path("LIB", os.uname().release)
    for path, text in {
        "PROC/modules": "overlay 151552 0 - Live 0x0\n",
        "PROC/1/environ": "HOME=/\0",
        kernel / "modules.builtin": "kernel/net/netfilter/nf_conntrack.ko\n",
        kernel / "modules.dep": "kernel/net/bridge/br_netfilter.ko: kernel/net/bridge/bridge.ko\n",
    }.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    return module


@pytest.mark.parametrize(
    ("name", "wanted"),
    [("overlay", False), ("nf_conntrack", False), ("br_netfilter", True), ("ip_vs", False)],
)
def test_a_module_is_loaded_that_is_there_and_does_nothing_yet(machine, name: str, wanted: bool):
    assert machine.module_to_load(name) is wanted


@pytest.mark.parametrize(
    ("path", "text"),
    [("RUN/systemd/container", "systemd-nspawn"), ("PROC/1/environ", "container=lxc\0A=b\0")],
)
def test_a_container_loads_nothing(machine, tmp_path, path: str, text: str):
    (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / path).write_text(text)
    assert machine.module_to_load("br_netfilter") is False


def test_the_parameters_of_bridges_are_expected_with_their_module(machine, tmp_path):
    name = "net.bridge.bridge-nf-call-iptables"
    assert machine.has_sysctl(name) is True
    (tmp_path / "RUN/systemd").mkdir(parents=True)
    (tmp_path / "RUN/systemd/container").touch()
    assert machine.has_sysctl(name) is False
    (tmp_path / "PROC/sys/net/bridge").mkdir(parents=True)
    (tmp_path / "PROC/sys/net/bridge/bridge-nf-call-iptables").touch()
    assert machine.has_sysctl(name) is True


def test_any_other_parameter_is_set_or_its_state_fails(machine):
    assert machine.has_sysctl("net.ipv4.ip_forwrad") is True


@pytest.mark.parametrize("place", ["SYS/module/nf_tables", "PROC/sys/net/bridge"])
def test_what_is_built_in_shows_without_any_list(machine, tmp_path, place: str):
    for file in (tmp_path / "LIB").rglob("modules.*"):
        file.unlink()
    (tmp_path / place).mkdir(parents=True)
    name = "nf_tables" if "nf_tables" in place else "br_netfilter"
    assert machine.modules([name, "ip_vs"]) == {name: "built in", "ip_vs": "unknown"}
