"""The kubelet double decodes its configuration file strictly, by the fields of its minor, in Go's words."""

from __future__ import annotations

import pytest
import yaml
from kube_node_versions import minors
from lab.component import decode, flags
from lab.component.decode import DecodeError
from lab.kubelet import settings

from unit.lab.doubles import claim, facts

HEAD = "apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\n"
WITH_FILE = [minor for minor in minors(facts()) if minor != "1.9"]


def refusal(text: str, minor: str = "1.36") -> str:
    with pytest.raises(DecodeError) as refused:
        decode.document(text, claim(minor))
    return str(refused.value)


def resolve(tmp_path, minor: str, text: str, *arguments: str) -> settings.Settings:
    path = tmp_path / "config.yaml"
    path.write_text(text)
    line = flags.parse([f"--config={path}", *arguments], claim(minor).flags, {})
    return settings.resolve(claim(minor), line)


@pytest.mark.parametrize("minor", WITH_FILE)
def test_every_minor_refuses_a_field_that_no_minor_has(minor):
    assert refusal(f"{HEAD}noSuchField: 1\n", minor) == 'strict decoding error: unknown field "noSuchField"'


@pytest.mark.parametrize(
    ("field", "last_without"),
    [
        ("rotateCertificates", "1.10"),
        ("registerNode", "1.22"),
        ("containerRuntimeEndpoint", "1.26"),
        ("failCgroupV1", "1.30"),
        ("mergeDefaultEvictionSettings", "1.32"),
    ],
)
def test_a_field_is_unknown_before_its_first_minor(field, last_without):
    assert (
        refusal(f"{HEAD}{field}: true\n", last_without) == f'strict decoding error: unknown field "{field}"'
    )
    first = minors(facts())[minors(facts()).index(last_without) + 1]
    assert field in claim(first).fields


def test_unknown_fields_are_named_by_their_whole_path_and_all_at_once():
    text = (
        "authentication: {x: 1, webhook: {z: 2}}\nfoo: 1\nregisterWithTaints: [{key: a, effect: b, c: d}]\n"
    )
    assert refusal(HEAD + text) == (
        'strict decoding error: unknown field "authentication.webhook.z", unknown field "authentication.x", '
        'unknown field "foo", unknown field "registerWithTaints[0].c"'
    )


def test_a_key_that_is_there_twice_is_refused_with_its_line():
    assert refusal(f"{HEAD}maxPods: 1\nmaxPods: 2\n") == (
        'strict decoding error: yaml: unmarshal errors:\n  line 4: key "maxPods" already set in map'
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('maxPods: "5"', "string into Go struct field KubeletConfiguration.maxPods of type int32"),
        ("maxPods: 1.5", "number 1.5 into Go struct field KubeletConfiguration.maxPods of type int32"),
        ("podPidsLimit: x", "string into Go struct field KubeletConfiguration.podPidsLimit of type int64"),
        ('failSwapOn: "true"', "string into Go struct field KubeletConfiguration.failSwapOn of type bool"),
        (
            "clusterDNS: 10.0.0.2",
            "string into Go struct field KubeletConfiguration.clusterDNS of type []string",
        ),
        ("clusterDomain: 5", "number into Go struct field KubeletConfiguration.clusterDomain of type string"),
        (
            "kubeReserved: {cpu: 1}",
            "number into Go struct field KubeletConfiguration.kubeReserved of type string",
        ),
        ("syncFrequency: 5", "number into Go struct field KubeletConfiguration.syncFrequency of type string"),
        (
            "featureGates: {A: x}",
            "string into Go struct field KubeletConfiguration.featureGates of type bool",
        ),
        (
            "authentication: [a]",
            "array into Go struct field KubeletConfiguration.authentication of type "
            "v1beta1.KubeletAuthentication",
        ),
        (
            'authentication: {webhook: {enabled: "x"}}',
            "string into Go struct field KubeletWebhookAuthentication.authentication.webhook.enabled of "
            "type bool",
        ),
        (
            "registerWithTaints: [{key: 5}]",
            "number into Go struct field Taint.registerWithTaints.key of type string",
        ),
    ],
)
def test_a_value_of_the_wrong_type_is_refused_as_go_does(text, message):
    assert refusal(f"{HEAD}{text}\n") == f"json: cannot unmarshal {message}"


def test_a_malformed_duration_is_refused_as_go_does():
    assert refusal(f"{HEAD}syncFrequency: 5x\n") == 'time: unknown unit "x" in duration "5x"'


def test_yamls_old_words_for_true_are_taken():
    assert decode.document(f"{HEAD}failSwapOn: on\n", claim("1.36"))["failSwapOn"] is True


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("maxPods: 5\n", "Object 'Kind' is missing in 'maxPods: 5\n'"),
        ("kind: KubeletConfiguration\n", "Object 'apiVersion' is missing in 'kind: KubeletConfiguration\n'"),
        (
            HEAD.replace("v1beta1", "v1"),
            'no kind "KubeletConfiguration" is registered for version "kubelet.config.k8s.io/v1" in scheme '
            '"pkg/kubelet/apis/config/scheme/scheme.go:33"',
        ),
        (
            HEAD.replace("kind: Kubelet", "kind: KubeProxy"),
            'no kind "KubeProxyConfiguration" is registered for version "kubelet.config.k8s.io/v1beta1" '
            "in scheme "
            '"pkg/kubelet/apis/config/scheme/scheme.go:33"',
        ),
        ("foo: [", "yaml: line 1: did not find expected node content"),
    ],
)
def test_a_file_of_another_kind_or_none_is_refused(text, message):
    assert refusal(text) == message


def test_a_flag_wins_over_the_file_and_the_file_over_the_default(tmp_path):
    found = resolve(tmp_path, "1.36", f"{HEAD}maxPods: 20\nport: 10300\n", "--max-pods=30")
    assert (found["maxPods"], found["port"], found["healthzPort"]) == (30, 10300, 10248)


def test_zero_stands_for_the_default_where_go_has_no_pointer(tmp_path):
    found = resolve(tmp_path, "1.36", f"{HEAD}maxPods: 0\nhealthzPort: 0\n")
    assert (found["maxPods"], found["healthzPort"]) == (110, 0)


def test_without_a_file_the_kubelet_is_as_open_as_it_used_to_be(tmp_path):
    open_one = settings.resolve(claim("1.36"), flags.parse([], claim("1.36").flags, {}))
    closed = resolve(tmp_path, "1.36", HEAD)
    assert (open_one["authentication.anonymous.enabled"], open_one["readOnlyPort"]) == (True, 10255)
    assert (closed["authentication.anonymous.enabled"], closed["readOnlyPort"]) == (False, None)


def test_a_relative_path_in_the_file_is_below_the_files_folder(tmp_path):
    found = resolve(tmp_path, "1.36", f"{HEAD}authentication: {{x509: {{clientCAFile: pki/ca.crt}}}}\n")
    assert found["authentication.x509.clientCAFile"] == str(tmp_path / "pki/ca.crt")


def test_drop_ins_are_merged_in_the_order_of_their_names(tmp_path):
    folder = tmp_path / "conf.d"
    folder.mkdir()
    for name, pods in (("20-b.conf", 40), ("10-a.conf", 30), ("30-c.yaml", 50)):
        (folder / name).write_text(HEAD + yaml.safe_dump({"maxPods": pods}))
    found = resolve(tmp_path, "1.36", f"{HEAD}port: 10300\n", f"--config-dir={folder}")
    assert (found["maxPods"], found["port"]) == (40, 10300)
