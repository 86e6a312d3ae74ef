"""The facts about flags and fields: where lives begin and end, and what holds for every line."""

from __future__ import annotations

import itertools
from typing import Any

import kube_node_versions as versions
import pytest

TYPES = {
    *("bool", "int", "float", "string", "duration", "quantity", "path", "url"),
    *("ip", "ip_port", "cidr", "ips", "cidrs", "list", "ip_list", "cidr_list", "int_list"),
    *("map", "bool_map", "bool_map_text", "threshold_map", "header_map"),
    *("taint_list", "memory_list", "vmodule_list", "object", "object_list"),
}

# Names by the last minor that has them, and by the first.
LAST_OF_FLAG = {
    "kubelet": {
        "1.9": "init-config-dir require-kubeconfig",
        "1.10": "experimental-qos-reserved rkt-path enable-custom-metrics",
        "1.11": "cadvisor-port docker-disable-shared-pid",
        "1.12": "google-json-key",
        "1.13": "experimental-fail-swap-on",
        "1.14": "allow-privileged host-network-sources",
        "1.15": "containerized",
        "1.18": "bootstrap-checkpoint-path",
        "1.20": "enable-cadvisor-json-endpoints",
        "1.21": "chaos-chance redirect-container-streaming",
        "1.22": "experimental-bootstrap-kubeconfig seccomp-profile-root",
        "1.23": (
            "cni-bin-dir cni-conf-dir network-plugin docker-endpoint dynamic-config-dir "
            "image-pull-progress-deadline"
        ),
        "1.24": "experimental-kernel-memcg-notification",
        "1.25": "logtostderr alsologtostderr",
        "1.26": "container-runtime master-service-namespace",
        "1.29": "azure-container-registry-config",
        "1.30": "iptables-drop-bit keep-terminated-pod-volumes",
        "1.33": "cloud-config register-schedulable",
        "1.34": "pod-infra-container-image",
        "1.36": "application-metrics-count-limit storage-driver-secure",
    },
    "kube_proxy": {
        "1.14": "conntrack-max cleanup-iptables",
        "1.15": "resource-container",
        "1.20": "cleanup-ipvs",
        "1.25": "udp-timeout logtostderr",
        "1.30": "proxy-port-range",
    },
}
FIRST_OF_FLAG = {
    "kubelet": {
        "1.10": "config tls-cipher-suites",
        "1.11": "rotate-server-certificates",
        "1.12": "cpu-cfs-quota-period",
        "1.16": "topology-manager-policy",
        "1.17": "reserved-cpus",
        "1.19": "logging-format",
        "1.20": "image-credential-provider-config",
        "1.21": "reserved-memory",
        "1.22": "seccomp-default",
        "1.28": "config-dir",
        "1.31": "fail-cgroupv1",
    },
    "kube_proxy": {
        "1.10": "nodeport-addresses",
        "1.13": "metrics-port",
        "1.15": "ipvs-strict-arp",
        "1.18": "detect-local-mode",
        "1.19": "bind-address-hard-fail",
        "1.24": "pod-bridge-interface",
        "1.26": "iptables-localhost-nodeports",
        "1.29": "init-only",
    },
}
LAST_OF_FIELD = {
    "kubelet": {
        "1.23": "logging.sanitization",
    },
    "kube_proxy": {
        "1.9": "udpTimeoutMilliseconds",
        "1.14": "conntrack.max",
        "1.15": "resourceContainer",
        "1.25": "udpIdleTimeout",
    },
}
FIRST_OF_FIELD = {
    "kubelet": {
        "1.11": "rotateCertificates serverTLSBootstrap",
        "1.12": "nodeLeaseDurationSeconds",
        "1.13": "nodeStatusReportFrequency",
        "1.19": "providerID",
        "1.20": "shutdownGracePeriod",
        "1.21": "reservedMemory[].numaNode",
        "1.22": "memorySwap.swapBehavior",
        "1.23": "registerNode registerWithTaints[].effect",
        "1.27": "containerRuntimeEndpoint",
        "1.29": "imageMaximumGCAge",
        "1.31": "failCgroupV1",
        "1.32": "crashLoopBackOff.maxContainerRestartPeriod",
        "1.33": "userNamespaces.idsPerPod",
        "1.36": "tlsCurvePreferences",
        "1.37": "defaultPodSysctls",
    },
    "kube_proxy": {
        "1.10": "udpIdleTimeout",
        "1.13": "ipvs.strictARP",
        "1.18": "detectLocalMode",
        "1.28": "logging.verbosity",
        "1.29": "nftables.masqueradeBit",
    },
}
FLAGS_OF_FIELDS = [
    ("kubelet", "pod-manifest-path", "staticPodPath", "path"),
    ("kubelet", "manifest-url-header", "staticPodURLHeader", "header_map"),
    ("kubelet", "anonymous-auth", "authentication.anonymous.enabled", "bool"),
    ("kubelet", "client-ca-file", "authentication.x509.clientCAFile", "path"),
    ("kubelet", "authorization-mode", "authorization.mode", "string"),
    ("kubelet", "cluster-dns", "clusterDNS", "ip_list"),
    ("kubelet", "kube-reserved", "kubeReserved", "map"),
    ("kubelet", "eviction-hard", "evictionHard", "threshold_map"),
    ("kubelet", "enforce-node-allocatable", "enforceNodeAllocatable", "list"),
    ("kubelet", "register-with-taints", "registerWithTaints", "taint_list"),
    ("kubelet", "minimum-image-ttl-duration", "imageMinimumGCAge", "duration"),
    ("kubelet", "feature-gates", "featureGates", "bool_map"),
    ("kubelet", "v", "logging.verbosity", "int"),
    ("kube_proxy", "masquerade-all", "iptables.masqueradeAll", "bool"),
    ("kube_proxy", "cluster-cidr", "clusterCIDR", "cidrs"),
    ("kube_proxy", "kubeconfig", "clientConnection.kubeconfig", "path"),
    ("kube_proxy", "conntrack-max-per-core", "conntrack.maxPerCore", "int"),
    ("kube_proxy", "conntrack-tcp-timeout-established", "conntrack.tcpEstablishedTimeout", "duration"),
    ("kube_proxy", "conntrack-udp-timeout-stream", "conntrack.udpStreamTimeout", "duration"),
    ("kube_proxy", "profiling", "enableProfiling", "bool"),
]


def edges(table: dict[str, dict[str, str]], step: int) -> list[tuple[str, str, str, str]]:
    """Component, name, the minor that has it and its neighbour that does not."""
    return [
        (component, name, minor, f"1.{versions.parse(minor)[1] + step}")
        for component, by_minor in table.items()
        for minor, listed in by_minor.items()
        for name in listed.split()
    ]


def lines_of(facts: dict[str, Any], kind: str) -> list[tuple[str, str, list[dict[str, Any]]]]:
    """Every flag or field of both components with its lines."""
    return [
        (component, name, lines if isinstance(lines, list) else [lines])
        for component in ("kubelet", "kube_proxy")
        for name, lines in facts[component][kind].items()
    ]


@pytest.mark.parametrize(
    ("component", "flag", "has", "lacks"), edges(LAST_OF_FLAG, +1) + edges(FIRST_OF_FLAG, -1)
)
def test_a_flag_is_accepted_up_to_the_edge_of_its_life(facts, component, flag, has, lacks):
    assert flag in versions.flags(facts, component, has)
    assert flag not in versions.flags(facts, component, lacks)


@pytest.mark.parametrize(
    ("component", "field", "has", "lacks"), edges(LAST_OF_FIELD, +1) + edges(FIRST_OF_FIELD, -1)
)
def test_a_field_is_known_up_to_the_edge_of_its_life(facts, component, field, has, lacks):
    assert field in versions.fields(facts, component, has)
    assert field not in versions.fields(facts, component, lacks)


@pytest.mark.parametrize(("component", "flag", "field", "kind"), FLAGS_OF_FIELDS)
def test_a_flag_names_its_field_and_has_its_type(facts, component, flag, field, kind):
    found = versions.flags(facts, component, "1.36")[flag]
    assert (found.field, found.type) == (field, kind)


@pytest.mark.parametrize(
    "flag", ["address", "max-pods", "kubeconfig", "hostname-override", "v", "root-dir", "node-ip"]
)
def test_a_lasting_flag_is_in_every_minor(facts, flag):
    assert all(flag in versions.flags(facts, "kubelet", minor) for minor in versions.minors(facts))


def test_a_span_begins_before_it_ends(facts):
    for component, name, lines in lines_of(facts, "flags") + lines_of(facts, "fields"):
        for line in lines:
            life = versions.span(facts, line)
            assert life.until is None or versions.parse(life.since) <= versions.parse(life.until), (
                component,
                name,
            )


def test_the_lines_of_a_name_follow_each_other(facts):
    for component, name, lines in lines_of(facts, "flags") + lines_of(facts, "fields"):
        for before, after in itertools.pairwise(lines):
            assert versions.parse(before["until"])[1] + 1 == versions.parse(after["since"])[1], (
                component,
                name,
            )


def test_a_line_says_only_what_its_head_explains(facts):
    for component, name, lines in lines_of(facts, "flags"):
        for line in lines:
            assert set(line) <= {"type", "field", "since", "until", "deprecated", "keep"}, (component, name)
    for component, name, lines in lines_of(facts, "fields"):
        for line in lines:
            assert set(line) <= {"type", "values", "since", "until"}, (component, name)


def test_every_type_is_one_of_the_closed_set(facts):
    entries = lines_of(facts, "flags") + lines_of(facts, "fields")
    used = {line["type"] for *_, lines in entries for line in lines if "type" in line}
    assert used == TYPES


def test_every_flag_has_a_type_or_the_field_that_it_sets(facts):
    for component, name, lines in lines_of(facts, "flags"):
        for line in lines:
            assert "type" in line or line["field"] in facts[component]["fields"], (component, name)


def test_no_flag_sets_an_object(facts):
    for component, minor in itertools.product(("kubelet", "kube_proxy"), versions.minors(facts)):
        kinds = {flag.type for flag in versions.flags(facts, component, minor).values()}
        assert not kinds & {"object", "object_list"}


def test_every_field_lies_in_an_object_or_a_list_of_its_minor(facts):
    for component, minor in itertools.product(("kubelet", "kube_proxy"), versions.minors(facts)):
        known = versions.fields(facts, component, minor)
        for path in known if versions.api_version(facts, component, minor) else ():
            parent = path.rpartition(".")[0].removesuffix("[]")
            assert not parent or known[parent].type == "object" or known[parent].type.endswith("_list"), path
