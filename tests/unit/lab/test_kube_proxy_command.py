"""The kube-proxy double takes the flags and fields of its minor, and no others, in the real one's words."""

from __future__ import annotations

import pytest
from kube_node_versions import minors
from lab.component import decode, flags
from lab.component.decode import DecodeError
from lab.component.flags import FlagError
from lab.kube_proxy import settings, validation

from unit.lab.doubles import claim, facts, kubeconfig

HEAD = "apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\n"
BEST = "(blank means the best-available proxy [currently iptables])"


def line(minor: str, *arguments: str) -> flags.CommandLine:
    return flags.parse(list(arguments), claim(minor, "kube_proxy").flags, {})


def resolve(minor: str, *arguments: str) -> settings.Settings:
    return settings.resolve(claim(minor, "kube_proxy"), line(minor, *arguments))


def faults(minor: str, *arguments: str) -> list[str]:
    return validation.faults(resolve(minor, *arguments))


def with_file(tmp_path, minor: str, text: str, *arguments: str) -> settings.Settings:
    path = tmp_path / "kube-proxy.yaml"
    path.write_text(HEAD + text)
    return resolve(minor, f"--config={path}", *arguments)


@pytest.mark.parametrize("minor", minors(facts()))
def test_every_minor_starts_from_valid_defaults(minor):
    assert faults(minor) == []


@pytest.mark.parametrize("minor", minors(facts()))
def test_every_minor_refuses_a_field_that_no_minor_has(minor):
    with pytest.raises(DecodeError) as refused:
        decode.document(f"{HEAD}noSuchField: 1\n", claim(minor, "kube_proxy"))
    assert str(refused.value) == 'strict decoding error: unknown field "noSuchField"'


@pytest.mark.parametrize(
    ("minor", "flag"), [("1.15", "cleanup-iptables"), ("1.26", "logtostderr"), ("1.31", "proxy-port-range")]
)
def test_a_flag_that_is_gone_is_unknown(minor, flag):
    with pytest.raises(FlagError, match=f"unknown flag: --{flag}"):
        line(minor, f"--{flag}=x")


@pytest.mark.parametrize(
    ("minor", "mode", "choices"),
    [
        ("1.14", "nftables", "iptables,ipvs,userspace"),
        ("1.26", "userspace", "iptables, ipvs"),
        ("1.28", "nftables", "iptables, ipvs"),
        ("1.30", "nftables", "iptables, ipvs"),
        ("1.36", "foo", "iptables, ipvs, nftables"),
    ],
)
def test_a_mode_that_the_minor_lacks_is_refused(minor, mode, choices):
    reason = f"must be {choices} or blank {BEST}"
    assert faults(minor, f"--proxy-mode={mode}") == [
        f'KubeProxyConfiguration.Mode.ProxyMode: Invalid value: "{mode}": {reason}'
    ]


def test_nftables_needs_its_gate_up_to_1_30():
    assert faults("1.29", "--proxy-mode=nftables", "--feature-gates=NFTablesProxyMode=true") == []
    assert faults("1.31", "--proxy-mode=nftables") == []


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        (
            "--iptables-masquerade-bit=99",
            "KubeProxyIPTablesConfiguration.MasqueradeBit: Invalid value: 99: must be "
            "within the range [0, 31]",
        ),
        (
            "--conntrack-min=-1",
            "KubeProxyLinuxConfiguration.KubeProxyConntrackConfiguration.Min: Invalid value: -1: "
            "must be greater than or equal to 0",
        ),
        (
            "--oom-score-adj=5000",
            "KubeProxyLinuxConfiguration.OOMScoreAdj: Invalid value: 5000: must be within the "
            "range [-1000, 1000]",
        ),
        (
            "--cluster-cidr=x",
            'DetectLocalConfiguration.ClusterCIDRs[0]: Invalid value: "x": must be a valid CIDR '
            "block (e.g. 10.100.0.0/16 or fde4:8dba:82e1::/48)",
        ),
        ("--nodeport-addresses=x", 'NodePortAddresses[0]: Invalid value: "x": must be a valid CIDR'),
    ],
)
def test_a_value_out_of_range_is_refused(argument, message):
    assert faults("1.36", argument) == [f"KubeProxyConfiguration.{message}"]


def test_beside_a_file_the_flags_of_its_fields_count_for_nothing(tmp_path):
    found = with_file(
        tmp_path, "1.36", "mode: iptables\n", "--proxy-mode=ipvs", "--bind-address=10.0.0.1", "-v=4"
    )
    assert (found["mode"], found["bindAddress"], found["logging.verbosity"]) == ("iptables", "0.0.0.0", 4)


def test_the_nodes_name_beside_a_file_counts_from_1_13(tmp_path):
    for minor, name in (("1.12", "from-file"), ("1.13", "from-flag")):
        found = with_file(tmp_path, minor, "hostnameOverride: from-file\n", "--hostname-override=from-flag")
        assert found["hostnameOverride"] == name


@pytest.mark.parametrize(
    ("arguments", "health", "metrics"),
    [
        ([], "0.0.0.0:10256", "127.0.0.1:10249"),
        (["--healthz-bind-address=127.0.0.1"], "127.0.0.1:10256", "127.0.0.1:10249"),
        (["--healthz-port=1", "--metrics-port=0"], "0.0.0.0:10256", ""),
        (["--healthz-bind-address=::1", "--healthz-port=1"], "[::1]:1", "127.0.0.1:10249"),
    ],
)
def test_the_servers_addresses_come_from_address_and_port_flags(arguments, health, metrics):
    found = resolve("1.36", *arguments)
    assert (found["healthzBindAddress"], found["metricsBindAddress"]) == (health, metrics)


def test_a_misused_flag_shows_the_usage_and_then_the_error(machine):
    found = machine.run("kube-proxy", "1.36.2", "--no-such-flag")
    assert found.returncode == 1
    assert found.stderr.startswith("Usage:\n  kube-proxy [flags]\n")
    assert found.stderr.endswith("\nError: unknown flag: --no-such-flag\n")


def test_an_argument_is_refused(machine):
    found = machine.run("kube-proxy", "1.36.2", "foo")
    assert (found.returncode, found.stderr) == (
        1,
        'Error: "kube-proxy" does not take any arguments, got ["foo"]\n',
    )


@pytest.mark.parametrize(("version", "status"), [("1.18.20", 255), ("1.36.2", 1)])
def test_an_unknown_field_ends_it(machine, version, status):
    path = machine.write("kube-proxy.yaml", f"{HEAD}foo: 1\n")
    found = machine.run("kube-proxy", version, f"--config={path}")
    assert found.returncode == status
    assert "failed complete: " in found.stderr
    assert "strict decoding error: unknown field" in found.stderr


def test_cleaning_up_ends_well_without_touching_anything(machine):
    assert machine.run("kube-proxy", "1.36.2", "--cleanup", "--kubeconfig=/nowhere").returncode == 0


def test_a_kubeconfig_that_is_missing_ends_it(machine):
    found = machine.run("kube-proxy", "1.36.2", "--kubeconfig=/nowhere", "--proxy-mode=iptables")
    assert found.returncode == 1
    assert '"command failed" err="stat /nowhere: no such file or directory"' in found.stderr


def test_a_client_certificate_that_is_missing_ends_it(machine, cluster):
    user = {"client-certificate": "/nowhere/a.pem", "client-key": "/nowhere/a.pem"}
    path = machine.write("proxy.kubeconfig", kubeconfig(cluster, user))
    found = machine.run("kube-proxy", "1.36.2", f"--kubeconfig={path}", "--proxy-mode=iptables")
    assert found.returncode == 1
    assert (
        "invalid configuration: [unable to read client-cert /nowhere/a.pem for u due to open "
        "/nowhere/a.pem: no such "
        "file or directory, unable to read client-key /nowhere/a.pem for u due to open /nowhere/a.pem: "
        "no such file "
        "or directory]"
    ) in found.stderr
