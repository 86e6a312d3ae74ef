"""The kubelet double takes the flags of the minor that it claims to be, and no others."""

from __future__ import annotations

import pytest
from kube_node_versions import minors
from lab.component import flags
from lab.component.flags import FlagError
from lab.kubelet import options

from unit.lab.doubles import claim, facts


def parse(minor: str, *arguments: str) -> flags.CommandLine:
    return flags.parse(list(arguments), claim(minor).flags, {})


def refusal(minor: str, *arguments: str) -> str:
    with pytest.raises(FlagError) as refused:
        parse(minor, *arguments)
    return str(refused.value)


def fault(minor: str, *arguments: str) -> str | None:
    return options.fault(claim(minor), parse(minor, *arguments))


@pytest.mark.parametrize("minor", minors(facts()))
def test_every_minor_refuses_a_flag_that_no_minor_has(minor):
    assert refusal(minor, "--v=2", "--no-such-flag=1") == "unknown flag: --no-such-flag"


@pytest.mark.parametrize(
    ("minor", "flag"),
    [
        ("1.9", "config"),
        ("1.15", "allow-privileged"),
        ("1.24", "network-plugin"),
        ("1.24", "cni-conf-dir"),
        ("1.26", "logtostderr"),
        ("1.27", "container-runtime"),
        ("1.30", "fail-cgroupv1"),
        ("1.35", "pod-infra-container-image"),
    ],
)
def test_a_flag_before_its_first_and_after_its_last_minor_is_unknown(minor, flag):
    assert refusal(minor, f"--{flag}=x") == f"unknown flag: --{flag}"


@pytest.mark.parametrize(
    ("minor", "flag"),
    [
        ("1.10", "config"),
        ("1.14", "allow-privileged"),
        ("1.23", "network-plugin"),
        ("1.25", "logtostderr"),
        ("1.26", "container-runtime"),
        ("1.31", "fail-cgroupv1"),
        ("1.34", "pod-infra-container-image"),
    ],
)
def test_a_flag_in_its_first_and_last_minor_is_known(minor, flag):
    assert flag in parse(minor, f"--{flag}=true").values


@pytest.mark.parametrize(
    ("argument", "reason"),
    [
        ("--max-pods=x", 'strconv.ParseInt: parsing "x": invalid syntax'),
        ("--max-pods=99999999999", 'strconv.ParseInt: parsing "99999999999": value out of range'),
        ("--fail-swap-on=maybe", 'strconv.ParseBool: parsing "maybe": invalid syntax'),
        ("--sync-frequency=5", 'time: missing unit in duration "5"'),
        ("--sync-frequency=5x", 'time: unknown unit "x" in duration "5x"'),
        ("--address=x", '"x" is not a valid IP address'),
        ("--eviction-hard=memory.available=1", "malformed pair, expect string<string"),
        ("--kube-reserved=cpu", "malformed pair, expect string=string"),
        ("--register-with-taints=foo", "invalid taint spec: foo"),
        ("--feature-gates=A=x", 'invalid value of A: x, err: strconv.ParseBool: parsing "x": invalid syntax'),
    ],
)
def test_a_value_of_the_wrong_type_is_refused_in_gos_words(argument, reason):
    name, _, value = argument.partition("=")
    assert refusal("1.36", argument) == f'invalid argument "{value}" for "{name}" flag: {reason}'


def test_the_verbosity_is_named_with_its_shorthand():
    reason = 'strconv.ParseUint: parsing "abc": invalid syntax'
    assert refusal("1.36", "--v=abc") == f'invalid argument "abc" for "-v, --v" flag: {reason}'


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--hostname-override"], "flag needs an argument: --hostname-override"),
        (["-v"], "flag needs an argument: 'v' in -v"),
        (["-x"], "unknown shorthand flag: 'x' in -x"),
        (["--=x"], "bad flag syntax: --=x"),
    ],
)
def test_a_malformed_argument_is_refused_as_pflag_does(arguments, message):
    assert refusal("1.36", *arguments) == message


def test_a_flag_may_be_written_with_underscores_and_its_value_apart():
    assert parse("1.36", "--max_pods", "5", "-v", "3").values == {"max-pods": 5, "v": 3}


def test_a_switch_takes_no_value_apart():
    found = parse("1.36", "--fail-swap-on", "false")
    assert (found.values, found.arguments) == ({"fail-swap-on": True}, ["false"])


def test_a_map_given_twice_is_one_map():
    found = parse("1.36", "--node-labels=a=1", "--node-labels=b=2,c")
    assert found.values["node-labels"] == {"a": "1", "b": "2", "c": ""}


def test_a_flag_that_a_field_replaces_warns_from_the_first_minor_with_the_field():
    text = options.deprecations(claim("1.36"))["max-pods"]
    assert text.startswith(
        "This parameter should be set via the config file specified by the Kubelet's --config"
    )
    assert "max-pods" not in options.deprecations(claim("1.9"))


def test_a_label_in_kubernetes_own_domain_ends_the_kubelet_from_1_16():
    assert fault("1.15", "--node-labels=kubernetes.io/role=node") is None
    assert fault("1.16", "--node-labels=kubernetes.io/role=node,node.kubernetes.io/x=y") == (
        "unknown 'kubernetes.io' or 'k8s.io' labels specified with --node-labels: [kubernetes.io/role]\n"
        "--node-labels in the 'kubernetes.io' namespace must begin with an allowed prefix "
        "(kubelet.kubernetes.io, node.kubernetes.io) or be in the specifically allowed set "
        "(beta.kubernetes.io/arch, beta.kubernetes.io/instance-type, beta.kubernetes.io/os, "
        "failure-domain.beta.kubernetes.io/region, failure-domain.beta.kubernetes.io/zone, "
        "kubernetes.io/arch, "
        "kubernetes.io/hostname, kubernetes.io/os, node.kubernetes.io/instance-type, "
        "topology.kubernetes.io/region, topology.kubernetes.io/zone)"
    )


def test_a_malformed_label_ends_the_kubelet_from_1_25():
    assert fault("1.24", "--container-runtime-endpoint=unix:///x", "--node-labels=a b=c") is None
    found = fault("1.27", "--node-labels=a b=c")
    assert found.startswith("invalid node labels: 'a b' - name part must consist of alphanumeric characters")


@pytest.mark.parametrize("minor", ["1.24", "1.26"])
def test_without_dockershim_the_runtimes_endpoint_is_a_must_until_it_has_a_default(minor):
    assert fault(minor) == (
        "the container runtime endpoint address was not specified or empty, use --container-runtime-endpoint "
        "to set"
    )
    assert fault(minor, "--container-runtime-endpoint=unix:///run/x.sock") is None


def test_no_runtime_but_a_remote_one_is_left_in_1_24():
    found = fault("1.24", "--container-runtime=docker", "--container-runtime-endpoint=unix:///x")
    assert found == 'unsupported CRI runtime: "docker", only "remote" is currently supported'
