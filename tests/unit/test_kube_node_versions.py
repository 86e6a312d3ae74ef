"""The functions that read the facts about flags and fields."""

from __future__ import annotations

import re

import kube_node_versions as versions
import pytest


def test_minors_are_without_a_gap(facts):
    assert versions.minors(facts) == [f"1.{number}" for number in range(9, 38)]


def test_ten_comes_after_nine():
    assert versions.parse("1.9") < versions.parse("1.10.0")


@pytest.mark.parametrize("text", ["1.36.2", "v1.36.2", "1.36", "1.36.0-rc.1", "1.36.2+build5"])
def test_a_minor_is_read_from_a_version(text):
    assert versions.minor(text) == "1.36"


@pytest.mark.parametrize(
    "text", ["", "1", "1.36.", "1.36.x", "one.two", "1.36.2 ", "1.036.1", "1.36.2\n", "-1.36.2"]
)
def test_what_is_no_version_is_refused(text):
    message = f"{text!r} is not a version: write X.Y.Z, like 1.36.2"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        versions.parse(text)


@pytest.mark.parametrize(("version", "minor"), [("1.8.15", "1.8"), ("1.38.0", "1.38"), ("2.0.0", "2.0")])
def test_an_unknown_minor_is_refused_with_the_range(facts, version, minor):
    with pytest.raises(versions.UnknownMinor) as refusal:
        versions.flags(facts, "kubelet", version)
    assert str(refusal.value) == f"Kubernetes {minor} is not known: choose a release of 1.9 to 1.37"


@pytest.mark.parametrize(
    ("component", "kind", "name", "text"),
    [
        ("kubelet", "flag", "allow-privileged", "1.9 to 1.14"),
        ("kubelet", "flag", "max-pods", "1.9 and later"),
        ("kubelet", "flag", "init-config-dir", "1.9"),
        ("kubelet", "flag", "cloud-provider", "1.9 and later"),
        ("kubelet", "field", "maxPods", "1.10 and later"),
        ("kubelet", "field", "logging.sanitization", "1.20 to 1.23"),
        ("kube_proxy", "field", "featureGates", "1.9 and later"),
        ("kube_proxy", "flag", "udp-timeout", "1.9 to 1.25"),
    ],
)
def test_a_lifetime_reads_as_words(facts, component, kind, name, text):
    assert str(versions.lifetime(facts, component, kind, name)) == text


def test_the_kubelet_of_1_9_has_no_file_but_settings(facts):
    assert versions.api_version(facts, "kubelet", "1.9") is None
    settings = versions.fields(facts, "kubelet", "1.9")
    assert settings["staticPodPath"].flag == "pod-manifest-path"
    assert all(setting.flag for setting in settings.values())
    assert "tlsCipherSuites" not in settings


@pytest.mark.parametrize(
    ("component", "minor", "api_version"),
    [
        ("kubelet", "1.10", "kubelet.config.k8s.io/v1beta1"),
        ("kubelet", "1.37", "kubelet.config.k8s.io/v1beta1"),
        ("kube_proxy", "1.9", "kubeproxy.config.k8s.io/v1alpha1"),
        ("kube_proxy", "1.37", "kubeproxy.config.k8s.io/v1alpha1"),
    ],
)
def test_a_file_has_the_api_version_of_its_minor(facts, component, minor, api_version):
    assert versions.api_version(facts, component, minor) == api_version


def test_a_setting_whose_field_is_to_come_has_its_flag(facts):
    assert "registerNode" not in versions.fields(facts, "kubelet", "1.22")
    assert versions.flag_for(facts, "kubelet", "1.22", "registerNode").name == "register-node"


@pytest.mark.parametrize(
    ("minor", "path", "flag"),
    [
        ("1.9", "qosReserved", "experimental-qos-reserved"),
        ("1.11", "qosReserved", "qos-reserved"),
        ("1.12", "failSwapOn", "fail-swap-on"),
        ("1.18", "kernelMemcgNotification", "experimental-kernel-memcg-notification"),
        ("1.19", "kernelMemcgNotification", "kernel-memcg-notification"),
        ("1.36", "maxParallelImagePulls", None),
    ],
)
def test_the_plain_flag_is_chosen_over_the_experimental_one(facts, minor, path, flag):
    found = versions.flag_for(facts, "kubelet", minor, path)
    assert (found and found.name) == flag


@pytest.mark.parametrize(
    ("component", "minor", "flag", "deprecated"),
    [
        ("kubelet", "1.9", "address", None),
        ("kubelet", "1.10", "address", "1.10"),
        ("kubelet", "1.22", "register-node", None),
        ("kubelet", "1.23", "register-node", "1.23"),
        ("kubelet", "1.36", "v", None),
        ("kubelet", "1.36", "hostname-override", None),
        ("kubelet", "1.27", "provider-id", "1.19"),
        ("kubelet", "1.28", "provider-id", None),
        ("kubelet", "1.28", "cloud-provider", "1.19"),
        ("kubelet", "1.29", "cloud-provider", None),
        ("kubelet", "1.24", "pod-infra-container-image", "1.24"),
        ("kubelet", "1.23", "pod-infra-container-image", None),
        ("kube_proxy", "1.36", "proxy-mode", None),
        ("kube_proxy", "1.18", "healthz-port", "1.18"),
    ],
)
def test_a_flag_warns_from_its_deprecation_on(facts, component, minor, flag, deprecated):
    assert versions.flags(facts, component, minor)[flag].deprecated == deprecated


def test_a_field_lists_what_its_minor_allows(facts):
    assert versions.fields(facts, "kubelet", "1.29")["memorySwap.swapBehavior"].values == (
        "LimitedSwap",
        "UnlimitedSwap",
    )
    assert versions.fields(facts, "kubelet", "1.30")["memorySwap.swapBehavior"].values == (
        "NoSwap",
        "LimitedSwap",
    )


def test_kube_proxy_serves_on_an_address_before_1_18_and_on_a_port_too_from_then_on(facts):
    kinds = [
        versions.flags(facts, "kube_proxy", minor)["healthz-bind-address"].type for minor in ("1.17", "1.18")
    ]
    assert kinds == ["ip", "ip_port"]


@pytest.mark.parametrize(
    ("component", "minor", "flag", "value", "text"),
    [
        ("kubelet", "1.14", "fail-swap-on", False, "false"),
        ("kubelet", "1.14", "max-pods", 110, "110"),
        ("kubelet", "1.14", "runtime-request-timeout", "2m0s", "2m0s"),
        ("kubelet", "1.14", "cluster-dns", ["10.68.0.2", "169.254.20.10"], "10.68.0.2,169.254.20.10"),
        ("kubelet", "1.14", "kube-reserved", {"cpu": "200m", "memory": "500Mi"}, "cpu=200m,memory=500Mi"),
        ("kubelet", "1.14", "eviction-hard", {"memory.available": "200Mi", "nodefs.available": "10%"},
         "memory.available<200Mi,nodefs.available<10%"),
        ("kubelet", "1.14", "feature-gates", {"A": True, "B": False}, "A=true,B=false"),
        ("kubelet", "1.14", "manifest-url-header", {"a": ["x", "y"], "b": ["z"]}, "a:x,a:y,b:z"),
        ("kubelet", "1.14", "register-with-taints",
         [{"key": "gpu", "value": "yes", "effect": "NoSchedule"}, {"key": "new", "effect": "NoExecute"}],
         "gpu=yes:NoSchedule,new=:NoExecute"),
        ("kubelet", "1.21", "reserved-memory",
         [{"numaNode": 0, "limits": {"memory": "1Gi", "hugepages-1M": "2Mi"}},
          {"numaNode": 1, "limits": {"memory": "2Gi"}}],
         "0:memory=1Gi,hugepages-1M=2Mi;1:memory=2Gi"),
        ("kubelet", "1.36", "vmodule", [{"filePattern": "pod*", "verbosity": 4}], "pod*=4"),
        ("kube_proxy", "1.9", "feature-gates", {"SupportIPVSProxyMode": True}, "SupportIPVSProxyMode=true"),
        ("kube_proxy", "1.36", "kube-api-qps", 0.5, "0.5"),
    ],
)  # fmt: skip
def test_a_value_is_written_as_its_flag_wants_it(facts, component, minor, flag, value, text):
    assert versions.as_flag(versions.flags(facts, component, minor)[flag], value) == text


@pytest.mark.parametrize(
    ("minor", "value"), [("1.9", "SupportIPVSProxyMode=true"), ("1.10", {"SupportIPVSProxyMode": True})]
)
def test_feature_gates_are_one_string_in_the_file_of_kube_proxy_1_9(facts, minor, value):
    field = versions.fields(facts, "kube_proxy", minor)["featureGates"]
    assert versions.in_file(field, {"SupportIPVSProxyMode": True}) == value
