"""A cgroup that a reservation is enforced on is there before the kubelet starts, made by systemd."""

from __future__ import annotations

from typing import Any

import kube_node_files
import pytest

from unit import systemd
from unit.nodes import compiled, faults, pillar
from unit.test_kube_node_files import templates

UNITS = "/etc/systemd/system"
LEFT = f"{UNITS}/kube-node-cgroups.service"


def enforced(driver: str = "systemd", version: str = "1.30.2", **config: Any) -> dict[str, Any]:
    asked = [f"{key.removesuffix('ReservedCgroup')}-reserved" for key in config if key.endswith("Cgroup")]
    config = {"enforceNodeAllocatable": ["pods", *asked], **config}
    return {"version": version, "runtime": {"cgroup_driver": driver}, "kubelet": {"config": config}}


def rendered(change: dict[str, Any]) -> dict[str, str]:
    return kube_node_files.render(compiled(change), templates())


def kubelet(files: dict[str, str]) -> dict[str, list[tuple[str, str]]]:
    return systemd.sections(files[f"{UNITS}/kubelet.service"])


def test_without_an_enforced_reservation_there_is_nothing():
    change = {"kubelet": {"config": {"kubeReserved": {"cpu": "200m"}, "kubeReservedCgroup": "/kube.slice"}}}
    files = rendered(change)
    assert not [path for path in files if ".slice" in path or path == LEFT]
    assert "Slice" not in dict(kubelet(files)["Service"])


def test_a_slice_is_made_by_its_unit_before_the_kubelet():
    files = rendered(enforced(kubeReservedCgroup="/kube.slice"))
    assert ("Before", "kubelet.service") in systemd.sections(files[f"{UNITS}/kube.slice"])["Unit"]
    assert ("Wants", "network-online.target kube.slice kube-node-cgroups.service") in kubelet(files)["Unit"]


def test_the_kubelet_is_in_the_slice_that_is_reserved_for_it():
    assert ("Slice", "kube.slice") in kubelet(rendered(enforced(kubeReservedCgroup="/kube.slice")))["Service"]


def test_a_slice_of_systemds_own_is_added_to_not_replaced():
    files = rendered(enforced(systemReservedCgroup="/system.slice"))
    assert f"{UNITS}/system.slice.d/kube-node.conf" in files
    assert f"{UNITS}/system.slice" not in files


def test_what_v1_lacks_is_made_where_systemds_driver_looks():
    text = rendered(enforced(kubeReservedCgroup="/kube-daemons.slice"))[LEFT]
    program, option, *folders = systemd.started(text)
    assert (program, option) == ("-/bin/mkdir", "--parents")
    assert folders == [
        f"/sys/fs/cgroup/{controller}/kube.slice/kube-daemons.slice"
        for controller in ("cpu", "cpuacct", "cpuset", "hugetlb", "memory", "pids")
    ]


@pytest.mark.parametrize(
    ("version", "config", "wanted"),
    [("1.34.2", {}, True), ("1.35.2", {}, False), ("1.35.2", {"failCgroupV1": False}, True)],
)
def test_nothing_is_made_for_v1_where_the_kubelet_refuses_it(version: str, config: Any, wanted: bool):
    change = enforced(version=version, kubeReservedCgroup="/kube.slice", **config)
    assert (LEFT in rendered(change)) is wanted


@pytest.mark.parametrize(
    ("driver", "cgroup"),
    [
        ("systemd", "/podruntime"),
        ("systemd", "/system.slice/kubelet.service"),
        ("systemd", "kube.slice"),
        ("systemd", "/kube.slice\n[Service]"),
        ("cgroupfs", "/a/kube.slice"),
        ("cgroupfs", "/system.slice/docker.service"),
    ],
)
def test_a_cgroup_that_no_unit_makes_is_refused(driver: str, cgroup: str):
    change = enforced(driver, kubeReservedCgroup=cgroup)
    [fault] = faults(pillar(change))
    assert fault.startswith("kubelet.config.kubeReservedCgroup: ")


def test_the_fault_says_what_to_write():
    assert faults(pillar(enforced(kubeReservedCgroup="/podruntime"))) == [
        "kubelet.config.kubeReservedCgroup: '/podruntime' is not a slice's cgroup, "
        "write one such as /kube.slice"
    ]
