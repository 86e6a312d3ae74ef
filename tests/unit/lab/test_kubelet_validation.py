"""The kubelet double refuses settings that cannot be together or not on this machine, as its minor does."""

from __future__ import annotations

import pytest
from lab.component import flags, host
from lab.kubelet import machine as node_machine
from lab.kubelet import settings, validation

from unit.lab.doubles import claim


@pytest.fixture(autouse=True)
def root(tmp_path, monkeypatch):
    """A machine with cgroup v2 and no swap."""
    monkeypatch.setattr(host, "ROOT", tmp_path)
    (tmp_path / "sys/fs/cgroup").mkdir(parents=True)
    (tmp_path / "sys/fs/cgroup/cgroup.controllers").touch()
    return tmp_path


def resolve(minor: str, *arguments: str) -> settings.Settings:
    return settings.resolve(claim(minor), flags.parse(list(arguments), claim(minor).flags, {}))


def faults(minor: str, *arguments: str) -> list[str]:
    return validation.faults(resolve(minor, *arguments))


def machine_fault(minor: str, *arguments: str) -> str | None:
    return node_machine.fault(resolve(minor, *arguments))


@pytest.mark.parametrize("minor", ["1.9", "1.13", "1.18", "1.23", "1.28", "1.36", "1.37"])
def test_the_defaults_are_valid(minor):
    assert faults(minor) == []


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("--max-pods=-1", "maxPods (--max-pods) -1 must not be a negative number"),
        ("--port=0", "port (--port) 0 must be between 1 and 65535, inclusive"),
        ("--healthz-port=70000", "healthzPort (--healthz-port) 70000 must be between 1 and 65535, inclusive"),
        (
            "--image-gc-high-threshold=101",
            "imageGCHighThresholdPercent (--image-gc-high-threshold) 101 must be between 0 and 100, "
            "inclusive",
        ),
        (
            "--image-gc-low-threshold=85",
            "imageGCLowThresholdPercent (--image-gc-low-threshold) 85 must be less than "
            "imageGCHighThresholdPercent (--image-gc-high-threshold) 85",
        ),
        (
            "--enforce-node-allocatable=pods,kube-reserved",
            "kubeReservedCgroup (--kube-reserved-cgroup) must be specified when "
            '"kube-reserved" or "kube-reserved-compressible" included in enforceNodeAllocatable '
            "(--enforce-node-allocatable)",
        ),
        (
            "--enforce-node-allocatable=none,pods",
            "enforceNodeAllocatable (--enforce-node-allocatable) may not contain additional enforcements "
            "when "
            '"none" is specified',
        ),
        (
            "--cgroups-per-qos=false",
            'cgroupsPerQOS (--cgroups-per-qos) must be set to true when "pods" contained in '
            "enforceNodeAllocatable (--enforce-node-allocatable)",
        ),
        (
            "--hairpin-mode=foo",
            'option "foo" specified for hairpinMode (--hairpin-mode). Valid options are "none", '
            '"hairpin-veth" or '
            '"promiscuous-bridge"',
        ),
        (
            "--system-cgroups=/system",
            "systemCgroups (--system-cgroups) was specified and cgroupRoot (--cgroup-root) was not specified",
        ),
    ],
)
def test_what_cannot_be_together_is_refused(argument, message):
    assert faults("1.36", argument) == [f"invalid configuration: {message}"]


def test_up_to_1_20_a_fields_name_begins_with_a_capital():
    assert faults("1.20", "--max-pods=-1") == [
        "invalid configuration: MaxPods (--max-pods) -1 must not be a negative number"
    ]


def test_serving_certificates_from_the_api_server_need_their_gate_in_1_11():
    asked = ("--rotate-server-certificates=true", "--feature-gates=RotateKubeletServerCertificate=true")
    assert faults("1.11", asked[0]) == [
        "invalid configuration: ServerTLSBootstrap true requires feature gate RotateKubeletServerCertificate"
    ]
    assert faults("1.11", *asked) == []


@pytest.mark.parametrize(
    ("minor", "state"),
    [("1.34", None), ("1.35", "is unsupported and will be removed in a future release")],
)
def test_cgroup_v1_is_refused_from_1_35_unless_it_is_allowed(root, minor, state):
    (root / "sys/fs/cgroup/cgroup.controllers").unlink()
    message = f"kubelet is configured to not run on a host using cgroup v1. cgroup v1 support {state}"
    assert faults(minor) == ([message] if state else [])
    assert faults(minor, "--fail-cgroupv1=false") == []


def test_cgroup_v1_can_be_refused_by_choice_from_1_31(root):
    (root / "sys/fs/cgroup/cgroup.controllers").unlink()
    assert faults("1.31", "--fail-cgroupv1") == [
        "kubelet is configured to not run on a host using cgroup v1. cgroup v1 support is in maintenance mode"
    ]


@pytest.mark.parametrize(
    ("minor", "message"),
    [
        (
            "1.14",
            "Running with swap on is not supported, please disable swap! or set --fail-swap-on flag to "
            "false. "
            "/proc/swaps contained: [Filename /dev/sda2]",
        ),
        (
            "1.36",
            "running with swap on is not supported, please disable swap or set --fail-swap-on flag to false",
        ),
    ],
)
def test_swap_is_refused_unless_it_is_allowed(root, minor, message):
    (root / "proc").mkdir()
    (root / "proc/swaps").write_text("Filename\n/dev/sda2\n")
    assert machine_fault(minor) == message
    assert machine_fault(minor, "--fail-swap-on=false") is None


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        (
            "--kube-reserved=cpu=x",
            '--kube-reserved value failed to parse: failed to parse quantity "x" for "cpu" resource: '
            "quantities must "
            "match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
        ),
        ("--system-reserved=gpu=1", '--system-reserved value failed to parse: cannot reserve "gpu" resource'),
        ("--eviction-hard=foo.bar<1Gi", "unsupported eviction signal foo.bar"),
        ("--eviction-hard=memory.available<0", "eviction threshold memory.available must be positive: 0"),
    ],
)
def test_a_reservation_or_threshold_that_is_none_is_refused(argument, message):
    assert machine_fault("1.36", argument) == message


ENFORCED = (
    "--enforce-node-allocatable=pods,kube-reserved",
    "--kube-reserved-cgroup=/system.slice/kubelet.service",
)


def test_a_reserved_cgroup_must_be_there_in_every_hierarchy(root):
    (root / "sys/fs/cgroup/cgroup.controllers").unlink()
    for controller in ("cpu", "memory"):
        (root / "sys/fs/cgroup" / controller).mkdir()
    (root / "sys/fs/cgroup/cpu/system.slice/kubelet.service").mkdir(parents=True)
    assert node_machine.missing_cgroups(resolve("1.14", *ENFORCED)) == (
        'Failed to enforce Kube Reserved Cgroup Limits on "/system.slice/kubelet.service": '
        '["system.slice" "kubelet.service"] cgroup does not exist'
    )
    (root / "sys/fs/cgroup/memory/system.slice/kubelet.service").mkdir(parents=True)
    assert node_machine.missing_cgroups(resolve("1.14", *ENFORCED)) is None


def test_with_systemds_driver_a_reserved_cgroup_is_a_slice(root):
    settings_ = resolve("1.36", "--cgroup-driver=systemd", ENFORCED[0], "--kube-reserved-cgroup=/a-b.slice")
    assert node_machine.missing_cgroups(settings_) == (
        'Failed to enforce Kube Reserved Cgroup Limits on "/a-b.slice": could not read controllers for '
        "cgroup "
        f'["a" "b"]: open {root}/sys/fs/cgroup/a.slice/a-b.slice/cgroup.controllers: no such file or '
        "directory"
    )
    (root / "sys/fs/cgroup/a.slice/a-b.slice").mkdir(parents=True)
    assert node_machine.missing_cgroups(settings_) is None
