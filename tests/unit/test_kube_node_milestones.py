"""What changed between minors besides flags and fields."""

from __future__ import annotations

import re

import kube_node_milestones as milestones
import kube_node_versions as versions
import pytest


@pytest.mark.parametrize(
    ("milestone", "last"),
    [
        (milestones.dockershim, "1.23"),
        (milestones.container_runtime_flag, "1.26"),
        (milestones.pod_infra_container_image_flag, "1.34"),
    ],
)
def test_an_old_way_ends_after_its_last_minor(facts, milestone, last):
    kept = [minor for minor in versions.minors(facts) if milestone(facts, minor)]
    assert (kept[0], kept[-1]) == ("1.9", last)


def test_cgroup_v1_is_refused_from_1_35(facts):
    assert [milestones.cgroup_v1_refused(facts, minor) for minor in ("1.34", "1.35", "1.37")] == [
        False,
        True,
        True,
    ]


@pytest.mark.parametrize(
    ("span", "before", "first"),
    [
        ("cgroup_driver_from_cri", "1.30", "1.31"),
        ("csr_v1", "1.18", "1.19"),
        ("csr_signer_name", "1.17", "1.18"),
        ("csr_expiration_seconds", "1.21", "1.22"),
        ("kube_proxy_hostname_override_beside_file", "1.12", "1.13"),
        ("strict_config_decoding", "1.16", "1.17"),
    ],
)
def test_a_new_way_begins_with_its_first_minor(facts, span, before, first):
    assert not milestones.holds(facts, span, before)
    assert milestones.holds(facts, span, first)


@pytest.mark.parametrize(
    ("minor", "api"),
    [
        ("1.9", "certificates.k8s.io/v1beta1"),
        ("1.18", "certificates.k8s.io/v1beta1"),
        ("1.19", "certificates.k8s.io/v1"),
        ("1.37", "certificates.k8s.io/v1"),
    ],
)
def test_a_minor_serves_its_csr_api(facts, minor, api):
    assert milestones.csr_api(facts, minor) == api


@pytest.mark.parametrize(
    ("minor", "image"),
    [
        ("1.9", "gcr.io/google_containers/pause-arm64:3.0"),
        ("1.10", "k8s.gcr.io/pause:3.1"),
        ("1.17", "k8s.gcr.io/pause:3.1"),
        ("1.23", "k8s.gcr.io/pause:3.6"),
        ("1.24", "registry.k8s.io/pause:3.7"),
        ("1.30", "registry.k8s.io/pause:3.9"),
        ("1.31", "registry.k8s.io/pause:3.10"),
        ("1.35", "registry.k8s.io/pause:3.10.1"),
        ("1.37", "registry.k8s.io/pause:3.10.2"),
    ],
)
def test_a_minor_has_its_pause_image(facts, minor, image):
    assert milestones.pause_image(facts, minor, "arm64") == image


@pytest.mark.parametrize(
    ("gate", "minor", "default"),
    [
        ("RotateKubeletServerCertificate", "1.9", False),
        ("RotateKubeletServerCertificate", "1.11", False),
        ("RotateKubeletServerCertificate", "1.12", True),
        ("SupportIPVSProxyMode", "1.9", False),
        ("SupportIPVSProxyMode", "1.10", True),
        ("SupportIPVSProxyMode", "1.20", None),
        ("NFTablesProxyMode", "1.28", None),
        ("NFTablesProxyMode", "1.30", False),
        ("NFTablesProxyMode", "1.31", True),
        ("KubeletCgroupDriverFromCRI", "1.37", None),
        ("ExtendWebSocketsToKubelet", "1.36", True),
        ("NeverHeardOf", "1.36", None),
    ],
)
def test_a_feature_gate_has_its_minors_default(facts, gate, minor, default):
    assert milestones.feature_gate(facts, gate, minor) is default


@pytest.mark.parametrize(
    ("minor", "modes"),
    [
        ("1.9", {"userspace": None, "iptables": None, "ipvs": "SupportIPVSProxyMode"}),
        ("1.25", {"userspace": None, "iptables": None, "ipvs": None}),
        ("1.26", {"iptables": None, "ipvs": None}),
        ("1.29", {"iptables": None, "ipvs": None, "nftables": "NFTablesProxyMode"}),
        ("1.30", {"iptables": None, "ipvs": None, "nftables": "NFTablesProxyMode"}),
        ("1.31", {"iptables": None, "ipvs": None, "nftables": None}),
    ],
)
def test_kube_proxy_has_its_minors_modes_and_their_gates(facts, minor, modes):
    assert {name: mode.gate for name, mode in milestones.kube_proxy_modes(facts, minor).items()} == modes


def test_nftables_wants_a_kernel_of_5_13(facts):
    assert milestones.kube_proxy_modes(facts, "1.36")["nftables"].kernel == "5.13"


def test_ipvs_is_deprecated_from_1_35(facts):
    old = [milestones.kube_proxy_modes(facts, minor)["ipvs"].deprecated for minor in ("1.34", "1.35")]
    assert old == [False, True]


@pytest.mark.parametrize(
    ("release", "schema"),
    [("1.3.0", 2), ("1.7.27", 2), ("2.0.0", 3), ("2.2.3", 3), ("2.3.0", 4), ("2.10.1", 4)],
)
def test_a_containerd_reads_its_schema(facts, release, schema):
    assert milestones.containerd_schema(facts, release) == schema


def test_a_containerd_before_the_table_is_refused(facts):
    message = "containerd 1.2.13 is not known: choose 1.3 or later"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        milestones.containerd_schema(facts, "1.2.13")


@pytest.mark.parametrize(
    ("minor", "lines"),
    [
        ("1.11", {}),
        ("1.12", {"1.3": "1.3.0"}),
        ("1.25", {"1.3": "1.3.0", "1.4": "1.4.0", "1.5": "1.5.0", "1.6": "1.6.4", "1.7": "1.7.0"}),
        ("1.26", {"1.6": "1.6.15", "1.7": "1.7.0"}),
        ("1.33", {"1.6": "1.6.36", "1.7": "1.7.24", "2.0": "2.0.4", "2.1": "2.1.0"}),
    ],
)
def test_a_minor_has_its_containerd_lines(facts, minor, lines):
    assert milestones.containerd_minimum(facts, minor) == lines


@pytest.mark.parametrize(
    ("minor", "key", "verdict"),
    [
        ("1.12", "node-role.kubernetes.io/worker", "free"),
        ("1.13", "node-role.kubernetes.io/worker", "warned"),
        ("1.15", "kubernetes.io/role", "warned"),
        ("1.16", "node-role.kubernetes.io/worker", "refused"),
        ("1.16", "kubernetes.io/role", "refused"),
        ("1.36", "cloud.k8s.io/zone", "refused"),
        ("1.36", "topology.kubernetes.io/zone", "free"),
        ("1.36", "node.kubernetes.io/pool", "free"),
        ("1.36", "gpu.node.kubernetes.io/model", "free"),
        ("1.36", "badnode.kubernetes.io/pool", "refused"),
        ("1.36", "example.com/kubernetes.io", "free"),
        ("1.36", "notkubernetes.io/role", "free"),
        ("1.36", "role", "free"),
        ("1.12", "node-restriction.kubernetes.io/team", "free"),
        ("1.13", "node-restriction.kubernetes.io/team", "refused"),
        ("1.14", "apps.node-restriction.kubernetes.io/team", "refused"),
    ],
)
def test_a_label_of_its_own_node_meets_its_verdict(facts, minor, key, verdict):
    assert milestones.node_label_verdict(facts, minor, key) == verdict


def test_a_minor_that_a_distribution_shipped_has_its_pins(facts):
    assert milestones.tested(facts, "1.35")["containerd"] == "2.2.3"
    assert milestones.tested(facts, "1.37") == {}


@pytest.mark.parametrize(
    ("minor", "rotates", "key"),
    [
        ("1.9", True, "kubelet-client.key"),
        ("1.10", False, "kubelet-client.key"),
        ("1.11", True, "kubelet-client.key.tmp"),
        ("1.12", True, "kubelet-client.key.tmp"),
        ("1.13", True, None),
        ("1.13", False, "kubelet-client.key.tmp"),
        ("1.37", True, None),
    ],
)
def test_a_key_that_waits_on_disk_lies_where_the_minor_puts_it(facts, minor, rotates, key):
    found = milestones.waiting_key(facts, minor, rotates)
    assert (found and found["key"]) == key


def test_every_step_table_begins_with_a_known_minor(facts):
    tables = [facts["milestones"][name] for name in ("pause_image", "csr_api", "cri_api", "waiting_key")]
    tables += facts["milestones"]["feature_gates"].values()
    assert {start for table in tables for start in table} <= set(versions.minors(facts))


@pytest.mark.parametrize(("minor", "possible"), [("1.9", False), ("1.10", True), ("1.37", True)])
def test_some_containerd_speaks_with_a_kubelet_from_1_10_on(facts, minor, possible):
    assert milestones.containerd_possible(facts, minor) is possible


@pytest.mark.parametrize(
    ("minor", "release", "speaks"),
    [
        ("1.22", "1.5.8", True),
        ("1.22", "1.7.24", True),
        ("1.22", "2.0.6", False),
        ("1.25", "1.5.8", True),
        ("1.25", "2.0.6", True),
        ("1.26", "1.5.8", False),
        ("1.26", "1.6.20", True),
        ("1.26", "1.0.0", False),
    ],
)
def test_kubelet_and_containerd_need_one_cri_in_common(facts, minor, release, speaks):
    assert milestones.containerd_speaks(facts, minor, release) is speaks
