"""Kernel modules and parameters: what is loaded, built in or of a container's host is left alone."""

from __future__ import annotations

import gzip
import importlib.util
import os
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture
def machine(formula: Path, tmp_path: Path) -> ModuleType:
    """Return kube_node_kernel on a machine whose kernel has one module of each kind."""
    spec = importlib.util.spec_from_file_location("machine", formula / "_modules/kube_node_kernel.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for name in ("PROC", "SYS", "RUN", "LIB", "BOOT"):
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


@pytest.fixture
def parameter(tmp_path):
    """Return a function that gives the machine's kernel a parameter."""

    def given(name: str, value: str) -> None:
        path = tmp_path / "PROC/sys" / name.replace(".", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{value}\n")

    return given


@pytest.mark.parametrize(
    ("name", "wanted"),
    [("overlay", True), ("nf_conntrack", False), ("br_netfilter", True), ("ip_vs", False)],
)
def test_a_module_is_loaded_that_is_there_to_be(machine, name: str, wanted: bool):
    assert machine.to_load([name]) == [name] * wanted


@pytest.mark.parametrize(
    ("path", "text"),
    [("RUN/systemd/container", "systemd-nspawn"), ("PROC/1/environ", "container=lxc\0A=b\0")],
)
def test_a_container_loads_nothing(machine, tmp_path, path: str, text: str):
    (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / path).write_text(text)
    assert machine.to_load(["br_netfilter", "overlay"]) == ["overlay"]


def test_the_parameters_of_bridges_are_expected_with_their_module(machine, parameter, tmp_path):
    bridges = {"net.bridge.bridge-nf-call-iptables": 1}
    assert machine.to_set(bridges) == bridges
    (tmp_path / "RUN/systemd").mkdir(parents=True)
    (tmp_path / "RUN/systemd/container").touch()
    assert machine.to_set(bridges) == {}
    parameter("net.bridge.bridge-nf-call-iptables", "0")
    assert machine.to_set(bridges) == bridges


def test_a_parameter_that_is_so_is_not_set(machine, parameter):
    parameter("net.ipv4.ip_forward", "1")
    parameter("net.ipv4.ip_local_port_range", "32768\t60999")
    assert machine.to_set({"net.ipv4.ip_forward": 1, "net.ipv4.ip_local_port_range": "32768 60999"}) == {}
    assert machine.to_set({"net.ipv4.ip_forward": 0}) == {"net.ipv4.ip_forward": 0}


def test_any_other_parameter_is_set_or_its_state_fails(machine):
    assert machine.to_set({"net.ipv4.ip_forwrad": 1}) == {"net.ipv4.ip_forwrad": 1}


@pytest.mark.parametrize("place", ["SYS/module/nf_tables", "PROC/sys/net/bridge"])
def test_what_is_built_in_shows_without_any_list(machine, tmp_path, place: str):
    for file in (tmp_path / "LIB").rglob("modules.*"):
        file.unlink()
    (tmp_path / place).mkdir(parents=True)
    name = "nf_tables" if "nf_tables" in place else "br_netfilter"
    assert machine.modules([name, "ip_vs"]) == {name: "built in", "ip_vs": "unknown"}


@pytest.fixture
def configuration(machine, tmp_path):
    """Return a function that gives the machine's kernel a configuration and no lists of modules."""
    for file in (tmp_path / "LIB").rglob("modules.*"):
        file.unlink()

    def given(place: str, text: str) -> None:
        path = tmp_path / place.format(release=os.uname().release)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())

    return given


@pytest.mark.parametrize("place", ["PROC/config.gz", "BOOT/config-{release}", "LIB/{release}/config"])
def test_the_kernels_configuration_says_what_is_built_in_and_what_never_was(
    machine, configuration, place: str
):
    configuration(place, "CONFIG_NF_TABLES=y\nCONFIG_IP_VS=m\n# CONFIG_IP_VS_RR is not set\n")
    assert machine.modules(["nf_tables", "ip_vs", "ip_vs_rr", "dm_thin_pool"]) == {
        "nf_tables": "built in",
        "ip_vs": "unknown",
        "ip_vs_rr": "left out",
        "dm_thin_pool": "unknown",
    }


def test_a_configuration_that_is_cut_off_says_nothing(machine, configuration, tmp_path):
    configuration("PROC/config.gz", "CONFIG_NF_TABLES=y\n")
    path = tmp_path / "PROC/config.gz"
    path.write_bytes(path.read_bytes()[:-9])
    assert machine.modules(["nf_tables"]) == {"nf_tables": "unknown"}


def test_a_parameter_is_raised_to_its_minimum_and_never_lowered(machine, parameter):
    parameter("kernel.pid_max", "4096")
    assert machine.to_raise({"kernel.pid_max": 4096}) == machine.to_raise({"kernel.pid_max": 512}) == {}
    assert machine.to_raise({"kernel.pid_max": 4097, "kernel.no_such": 0}) == {
        "kernel.pid_max": 4097,
        "kernel.no_such": 0,
    }
