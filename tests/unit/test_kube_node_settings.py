"""A setting has Kubernetes' own name for every minor: in the file, on the command line, or it is a fault."""

from __future__ import annotations

from typing import Any

import kube_node_versions as versions
import pytest
import yaml

from unit.nodes import compiled, faults, pillar, sources

FACTS = sources()["facts"]
MINORS = versions.minors(FACTS)
TAINT = {"key": "gpu", "value": "", "effect": "NoSchedule"}


def of(version: str, **kubelet: Any) -> dict[str, Any]:
    """Return the change of the smallest pillar that sets a version and the kubelet's settings."""
    return {"version": version, "kubelet": kubelet}


def config(node: dict[str, Any], component: str = "kubelet") -> dict[str, Any]:
    return yaml.safe_load(node[component]["config_yaml"])


def fault(version: str, **kubelet: Any) -> str:
    found = faults(pillar(of(version, **kubelet)))
    assert len(found) == 1, found
    return found[0]


def test_a_field_goes_into_the_file():
    assert config(compiled(of("1.36.2", config={"maxPods": 50})))["maxPods"] == 50


def test_a_field_in_the_file_is_not_on_the_command_line():
    arguments = compiled(of("1.36.2", config={"maxPods": 50}))["kubelet"]["arguments"]
    assert not [argument for argument in arguments if "max-pods" in argument]


def test_a_field_is_a_flag_where_there_is_no_file():
    node = compiled(of("1.9.11", config={"maxPods": 50}))
    assert "--max-pods=50" in node["kubelet"]["arguments"]
    assert node["kubelet"]["config_yaml"] == ""


def test_a_field_is_a_flag_where_the_file_has_no_such_field():
    assert (
        "--register-node=false"
        in compiled(of("1.22.0", config={"registerNode": False}))["kubelet"]["arguments"]
    )


def test_what_is_a_map_in_the_file_is_pairs_on_the_command_line():
    change = {"evictionHard": {"memory.available": "200Mi", "nodefs.available": "10%"}}
    arguments = compiled(of("1.9.11", config=change))["kubelet"]["arguments"]
    assert '"--eviction-hard=memory.available<200Mi,nodefs.available<10%%"' in arguments


def test_the_file_says_what_it_is():
    node = config(compiled())
    assert (node["apiVersion"], node["kind"]) == ("kubelet.config.k8s.io/v1beta1", "KubeletConfiguration")


def test_kube_proxys_file_says_what_it_is():
    node = config(compiled(), "kube_proxy")
    assert (node["apiVersion"], node["kind"]) == (
        "kubeproxy.config.k8s.io/v1alpha1",
        "KubeProxyConfiguration",
    )


def test_a_text_that_reads_as_a_number_stays_a_text():
    node = compiled({"node": {"name": "123"}})
    assert config(node, "kube_proxy")["hostnameOverride"] == "123"


def test_arguments_stand_in_a_fixed_order():
    arguments = compiled()["kubelet"]["arguments"]
    assert arguments == sorted(arguments)


def test_an_extra_argument_is_taken_as_it_is():
    assert (
        "--cloud-provider=external"
        in compiled(of("1.36.2", extra_args={"cloud-provider": "external"}))["kubelet"]["arguments"]
    )


def test_an_extra_argument_may_be_a_boolean():
    change = of("1.36.2", extra_args={"exit-on-lock-contention": True})
    assert "--exit-on-lock-contention=true" in compiled(change)["kubelet"]["arguments"]


def test_an_extra_argument_with_blanks_is_one_word():
    change = of("1.36.2", extra_args={"cloud-provider": 'a "b" $c %d'})
    assert '"--cloud-provider=a \\"b\\" $$c %%d"' in compiled(change)["kubelet"]["arguments"]


def test_a_default_that_the_minor_lacks_is_left_out():
    assert "pod-infra-container-image" not in " ".join(compiled()["kubelet"]["arguments"])


def test_a_default_that_the_minor_has_is_kept():
    image = "--pod-infra-container-image=registry.k8s.io/pause:3.10"
    assert image in compiled({"version": "1.33.1"})["kubelet"]["arguments"]


@pytest.mark.parametrize(
    ("version", "change", "message"),
    [
        (
            "1.30.0",
            {"config": {"failCgroupV1": False}},
            "config.failCgroupV1: is a field of 1.31 and later, which 1.30 does not have: "
            "remove it or choose another version",
        ),
        (
            "1.36.2",
            {"extra_args": {"allow-privileged": True}},
            "extra_args.allow-privileged: is a flag of 1.9 to 1.14, which 1.36 does not have: "
            "remove it or choose another version",
        ),
        (
            "1.36.2",
            {"config": {"maxpods": 5}},
            "config.maxpods: is not a field of KubeletConfiguration, did you mean maxPods?",
        ),
        (
            "1.36.2",
            {"config": {"zzz": 5}},
            "config.zzz: is not a field of KubeletConfiguration, look it up in Kubernetes' reference",
        ),
        (
            "1.36.2",
            {"config": {"authentication": {"anonymus": {"enabled": True}}}},
            "config.authentication.anonymus: is not a field of KubeletConfiguration, "
            "did you mean authentication.anonymous?",
        ),
        (
            "1.36.2",
            {"config": {"authentication.anonymous.enabled": True}},
            "config.authentication.anonymous.enabled: has a dot in a key, "
            "write each part below the one before",
        ),
        (
            "1.36.2",
            {"config": {"registerWithTaints[].key": "a"}},
            "config.'registerWithTaints[].key': is not a field of KubeletConfiguration, "
            "did you mean registerWithTaints?",
        ),
        (
            "1.36.2",
            {"config": {110: 5}},
            "config.110: is not a field of KubeletConfiguration, look it up in Kubernetes' reference",
        ),
        (
            "1.36.2",
            {"config": {"a\nb": 5}},
            "config.'a\\nb': is not a field of KubeletConfiguration, look it up in Kubernetes' reference",
        ),
        (
            "1.36.2",
            {"config": {"authentication": True}},
            "config.authentication: True is not a mapping, write 'key: value' lines",
        ),
        (
            "1.36.2",
            {"config": {"maxPods": None}},
            "config.maxPods: None is not a whole number, write one without quotes",
        ),
        (
            "1.36.2",
            {"config": {"cpuManagerPolicy": "dynamic"}},
            "config.cpuManagerPolicy: 'dynamic' is not known, choose one of none, static",
        ),
        (
            "1.36.2",
            {"extra_args": {"verbosity": 2}},
            "extra_args.verbosity: is not a flag of kubelet, did you mean version?",
        ),
        (
            "1.36.2",
            {"extra_args": {"V": 2}},
            "extra_args.V: is not a flag of kubelet, look it up in Kubernetes' reference",
        ),
        (
            "1.36.2",
            {"extra_args": {5: 2}},
            "extra_args.5: is not a flag of kubelet, look it up in Kubernetes' reference",
        ),
        (
            "1.36.2",
            {"extra_args": {"cloud-provider": "a\nb"}},
            "extra_args.cloud-provider: 'a\\nb' is not a flag's value, "
            "write one line of text, a number or a boolean",
        ),
        (
            "1.36.2",
            {"extra_args": {"cloud-provider": None}},
            "extra_args.cloud-provider: None is not a flag's value, "
            "write one line of text, a number or a boolean",
        ),
    ],
)
def test_what_cannot_be_placed_is_told(version: str, change: dict[str, Any], message: str):
    assert fault(version, **change) == f"kubelet.{message}"


def test_kube_proxys_faults_name_kube_proxy():
    assert faults(pillar({"kube_proxy": {"extra_args": {"zzz": 1}}})) == [
        "kube_proxy.extra_args.zzz: is not a flag of kube-proxy, look it up in Kubernetes' reference"
    ]


MEMORY = "write {numaNode: …, limits: …}"


@pytest.mark.parametrize(
    ("version", "setting", "items", "message"),
    [
        (
            "1.36.2",
            "reservedMemory",
            [{"numaNode": 0}],
            f"{{'numaNode': 0}} is not an item of this list, {MEMORY}",
        ),
        ("1.36.2", "reservedMemory", [{}], f"{{}} is not an item of this list, {MEMORY}"),
        (
            "1.36.2",
            "reservedMemory",
            [{"numaNode": "0", "limits": {}}],
            "numaNode: '0' is not a whole number, write one without quotes",
        ),
        (
            "1.36.2",
            "shutdownGracePeriodByPodPriority",
            [{"priority": 1, "seconds": 5}],
            "{'priority': 1, 'seconds': 5} is not an item of this list, "
            "write {priority: …, shutdownGracePeriodSeconds: …}",
        ),
    ],
)
def test_a_list_of_objects_is_checked_inside(version: str, setting: str, items: Any, message: str):
    assert fault(version, config={setting: items}) == f"kubelet.config.{setting}: {message}"


def test_a_list_of_objects_is_checked_where_it_is_a_flag():
    items = [{"filePattern": "a"}]
    assert fault("1.9.11", config={"logging": {"vmodule": items}}) == (
        "kubelet.config.logging.vmodule: {'filePattern': 'a'} is not an item of this list, "
        "write {filePattern: …, verbosity: …}"
    )


def test_a_list_of_objects_can_be_a_flag():
    items = [{"filePattern": "a", "verbosity": 2}, {"filePattern": "b", "verbosity": 3}]
    arguments = compiled(of("1.9.11", config={"logging": {"vmodule": items}}))["kubelet"]["arguments"]
    assert "--vmodule=a=2,b=3" in arguments
