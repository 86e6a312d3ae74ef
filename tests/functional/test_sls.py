"""The state tree compiles, in the right order, and a faulty pillar stops it in words."""

from __future__ import annotations

import os
import re
import stat
import time
from pathlib import Path
from typing import Any

import pytest
from unit.certificates import DAY, write
from unit.nodes import TOKEN, pillar, without
from unit.test_kube_node_files import NODE

pytestmark = pytest.mark.usefixtures("node")
OTHER_TOKEN = "m1n2o3.0123456789abcdef"
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: the files belong to root")


@pytest.fixture
def chunks(modules) -> list[dict[str, Any]]:
    """Return the run, one state after the other."""
    return modules.state.show_low_sls("kube_node")


def ids(chunks: list[dict[str, Any]]) -> list[str]:
    return [chunk["__id__"] for chunk in chunks]


def test_the_whole_tree_compiles_with_every_requisite_there(chunks):
    assert [chunk for chunk in chunks if isinstance(chunk, str)] == []


def test_the_preflight_comes_first_and_stops_all_else(chunks):
    assert (chunks[0]["__id__"], chunks[0]["failhard"]) == ("preflight-passed", True)


def test_every_id_reads_as_what_is_then_true(chunks):
    assert [name for name in ids(chunks) if not re.fullmatch(r"[a-z0-9_.-]+", name)] == []


def running(chunks: list[dict[str, Any]], *services: str) -> list[dict[str, Any]]:
    """Return the states that keep services running, all of them where none is named."""
    found = [chunk for chunk in chunks if (chunk["state"], chunk["fun"]) == ("service", "running")]
    return [chunk for chunk in found if not services or chunk["name"] in services]


@pytest.mark.parametrize("service", ["containerd", "kubelet", "kube-proxy"])
def test_a_service_is_enabled_by_another_state_than_restarts_it(chunks, service: str):
    [chunk] = running(chunks, service)
    assert "enable" not in chunk
    assert (service, "enabled") in [(one["name"], one["fun"]) for one in chunks if one["state"] == "service"]


@pytest.mark.parametrize(
    ("service", "watched"),
    [
        (
            "kubelet",
            {
                ("kube_node", "kubelet-installed"),
                ("sls", "kube_node.certificates"),
                ("sls", "kube_node.os.proxy"),
                ("sls", "kube_node.kubelet.config"),
            },
        ),
        (
            "kube-proxy",
            {
                ("kube_node", "kube-proxy-installed"),
                ("file", "cluster-ca"),
                ("sls", "kube_node.kube_proxy.config"),
                ("kube_node_certificate", "kubelet-certificate"),
            },
        ),
        (
            "containerd",
            {("sls", "kube_node.os.proxy"), ("sls", "kube_node.runtime.containerd.config")},
        ),
    ],
)
def test_a_service_restarts_for_what_is_its_own(chunks, service: str, watched: set[tuple[str, str]]):
    [chunk] = running(chunks, service)
    assert {requisite for entry in chunk["watch"] for requisite in entry.items()} == watched


def test_the_token_is_in_no_state(chunks):
    assert TOKEN not in str(chunks)


@pytest.mark.parametrize("name", ["123", "1.5", "true", "null"])
def test_a_nodes_name_stays_a_text(modules, node, name: str):
    node(pillar({"node": {"name": name}}))
    chunks = modules.state.show_low_sls("kube_node")
    assert [chunk["name"] for chunk in chunks if chunk["__id__"] == "kubelet-joined"] == [name]


def test_a_faulty_pillar_stops_the_run_in_words(modules, node):
    node(pillar({"versoin": 1, "certificates": {"bootstrap_token": TOKEN.upper()}}))
    [error] = modules.state.show_sls("kube_node")
    assert error.startswith(
        "Rendering SLS 'base:kube_node' failed: Problem running salt function in Jinja template: "
        "The kube_node pillar of Worker-1 cannot be used:\n"
        "certificates.bootstrap_token: is not a bootstrap token, "
        "write 6 and 16 characters a-z0-9 as in abcdef.0123456789abcdef\n"
        "versoin: is not a known key, did you mean version?\n"
    )


def test_a_faulty_pillar_shows_no_traceback(modules, node):
    node(pillar({"versoin": 1}))
    [error] = modules.state.show_sls("kube_node")
    assert "Traceback" not in error


def test_a_pillar_given_on_the_command_line_counts(modules):
    chunks = modules.state.show_low_sls(
        "kube_node", pillar={"kube_node": pillar({"paths": {"bin": "/usr/bin"}})}
    )
    assert [chunk["name"] for chunk in chunks if chunk["__id__"] == "kubelet-installed"] == [
        "/usr/bin/kubelet"
    ]


@pytest.fixture
def certificates_below(node, tmp_path: Path) -> Path:
    """Give the minion a pillar that puts all certificates below a folder of this test; return that."""
    paths = {"kubernetes": f"{tmp_path}/kubernetes", "certificates": f"{tmp_path}/kubernetes/pki"}
    node(pillar(NODE | {"paths": paths}))
    return tmp_path / "kubernetes"


@needs_root
def test_the_bootstrap_kubeconfig_is_roots_alone(modules, certificates_below):
    modules.state.apply("kube_node.certificates")
    assert stat.S_IMODE((certificates_below / "bootstrap.kubeconfig").stat().st_mode) == 0o600


@needs_root
@pytest.mark.usefixtures("certificates_below")
def test_a_second_run_changes_nothing(modules):
    modules.state.apply("kube_node.certificates")
    assert what_happened(modules.state.apply("kube_node.certificates")) == {(True, "{}")}


def what_happened(states) -> set[tuple[bool, str]]:
    return {(state.result, str(state.changes)) for state in states}


@pytest.fixture
def new_token(modules, node, certificates_below, tmp_path: Path) -> Path:
    """Have the states written once, then give the minion another token; return the bootstrap kubeconfig."""
    modules.state.apply("kube_node.certificates")
    paths = {name: f"{tmp_path}/{name}" for name in ("kubernetes", "kubelet")}
    paths["certificates"] = f"{tmp_path}/kubernetes/pki"
    node(pillar(NODE | {"paths": paths, "certificates": {"bootstrap_token": OTHER_TOKEN}}))
    return certificates_below / "bootstrap.kubeconfig"


@needs_root
@pytest.mark.parametrize("test", [True, False])
def test_a_new_token_changes_nothing_on_a_node_with_its_client_certificate(modules, new_token, test: bool):
    write(modules.kube_node.certificates()[0]["path"], time.time() - DAY, time.time() + 10 * DAY)
    states = modules.state.apply("kube_node.certificates", test=test)
    assert what_happened(states) == {(True, "{}")}
    assert TOKEN in new_token.read_text()


@needs_root
def test_a_node_that_has_joined_keeps_a_missing_bootstrap_kubeconfig_missing(modules, new_token):
    write(modules.kube_node.certificates()[0]["path"], time.time() - DAY, time.time() + 10 * DAY)
    new_token.unlink()
    modules.state.apply("kube_node.certificates")
    assert not new_token.exists()


@needs_root
def test_a_new_token_is_written_where_the_client_certificate_has_expired(modules, new_token):
    write(modules.kube_node.certificates()[0]["path"], time.time() - 2 * DAY, time.time() - DAY)
    modules.state.apply("kube_node.certificates")
    assert OTHER_TOKEN in new_token.read_text()


@needs_root
@pytest.mark.parametrize("test", [True, False])
def test_a_new_token_is_not_shown(modules, certificates_below, test: bool):
    modules.state.apply("kube_node.certificates")
    (certificates_below / "bootstrap.kubeconfig").write_text("token: old\n")
    assert TOKEN not in str([state.raw for state in modules.state.apply("kube_node.certificates", test=test)])


def test_the_kubelet_is_looked_after_by_a_beacon(modules, chunks):
    [chunk] = [chunk for chunk in chunks if chunk["__id__"] == "kubelet-looked-after"]
    assert chunk["config"] == modules.kube_node.parameters()["kubelet"]["beacon"]


def test_with_certificates_of_the_operators_no_beacon_is_kept(modules, node):
    node(pillar({"certificates": {"mode": "static"}}))
    chunks = {chunk["__id__"]: chunk for chunk in modules.state.show_low_sls("kube_node")}
    assert chunks["kubelet-looked-after"]["config"] is None


def with_docker(modules, node, version: str) -> list[dict[str, Any]]:
    """Return the run of a node with docker."""
    digests = {"kubelet": "a" * 64, "kube-proxy": "b" * 64, "cri-dockerd": "c" * 64}
    node(pillar({"version": version, "runtime": {"name": "docker"}, "binaries": {"sha256": digests}}))
    return modules.state.show_low_sls("kube_node")


@pytest.mark.parametrize("version", ["1.23.17", "1.24.0"])
def test_a_node_with_docker_compiles_with_every_requisite_there(modules, node, version: str):
    assert [chunk for chunk in with_docker(modules, node, version) if isinstance(chunk, str)] == []


@pytest.mark.parametrize(
    ("version", "services"),
    [
        ("1.23.17", ["docker", "kubelet", "kube-proxy"]),
        ("1.24.0", ["docker", "cri-docker.socket", "cri-docker", "kubelet", "kube-proxy"]),
    ],
)
def test_from_1_24_on_docker_has_its_adapter(modules, node, version: str, services: list[str]):
    chunks = with_docker(modules, node, version)
    assert [chunk["name"] for chunk in running(chunks)] == services


def test_dockers_adapter_restarts_alone_for_what_is_its_own(modules, node):
    chunks = with_docker(modules, node, "1.24.0")
    watched = {
        chunk["name"]: {requisite for entry in chunk["watch"] for requisite in entry.items()}
        for chunk in running(chunks)
        if "docker" in chunk["name"]
    }
    assert watched == {
        "docker": {
            ("file", "docker-config"),
            ("file", "docker-unit"),
            ("sls", "kube_node.os.proxy"),
        },
        "cri-docker.socket": {("file", "cri-docker-socket-unit")},
        "cri-docker": {("kube_node", "cri-dockerd-installed"), ("file", "cri-docker-unit")},
    }


ARCHIVES = {
    name: {"version": "1.7.24", "source": f"salt://{name}.tgz", "sha256": "d" * 64}
    for name in ("cni-plugins", "crictl", "containerd", "docker")
}


@pytest.mark.parametrize("runtime", ["containerd", "docker"])
def test_a_runtime_out_of_an_archive_needs_no_package_and_restarts_for_it(modules, node, runtime: str):
    own = ARCHIVES | {"kubectl": {"package": "kubernetes-client"}}
    node(pillar({"version": "1.23.17", "runtime": {"name": runtime}, "binaries": own}))
    chunks = modules.state.show_low_sls("kube_node")
    assert [chunk for chunk in chunks if isinstance(chunk, str)] == []
    fetched = ["cni-plugins", "crictl", "kube-proxy", "kubelet", runtime]
    installed = [chunk["__id__"] for chunk in chunks if chunk["fun"].endswith("s_installed")]
    installed += [chunk["__id__"] for chunk in chunks if chunk["fun"] == "binary_installed"]
    assert sorted(installed) == sorted(f"{name}-installed" for name in fetched)
    packages = [chunk["__id__"] for chunk in chunks if chunk["state"] == "pkg"]
    assert packages == ["node-packages", "program-packages-installed"]
    [chunk] = running(chunks, runtime)
    assert {"kube_node": f"{runtime}-installed"} in chunk["watch"]


def test_old_releases_go_last(chunks):
    assert chunks[-1]["__id__"] == "old-releases-removed"


def test_a_node_with_certificates_of_its_own_compiles(modules, node):
    tree = pillar({"version": "1.14.10", "profile": "kubeasz-1.1", "runtime": {"name": "containerd"}})
    node(tree)
    chunks = modules.state.show_low_sls("kube_node")
    assert [chunk for chunk in chunks if isinstance(chunk, str)] == []


@pytest.mark.parametrize(
    ("absent", "faults"),
    [
        (
            {"certificates": {"mode": "static"}},
            [
                "certificates.mode: static needs /etc/kubernetes/pki/kubelet.pem, "
                "put the node's own there or choose who else brings it (docs/certificates.md)",
                "certificates.mode: static needs /etc/kubernetes/pki/kubelet-key.pem, "
                "put the node's own there or choose who else brings it (docs/certificates.md)",
            ],
        ),
        (
            "cluster.ca",
            [
                "cluster.ca: is missing and so is /etc/kubernetes/pki/ca.crt, "
                "paste the cluster's CA certificate after 'ca: |' or put it there"
            ],
        ),
        (
            "certificates.bootstrap_token",
            [
                "certificates.bootstrap_token: is missing and so is /etc/kubernetes/bootstrap.kubeconfig, "
                "give this minion its own, <6 characters>.<16 characters>, or put a kubeconfig there"
            ],
        ),
    ],
)
def test_what_the_operator_brings_is_asked_for_first(modules, node, absent, faults):
    node(without(*absent.split(".")) if isinstance(absent, str) else pillar(absent))
    assert [file["fault"] for file in modules.kube_node.parameters()["brought"]] == faults


def test_what_the_operator_brings_is_not_written(modules, node):
    node(without("cluster", "ca"))
    chunks = {chunk["__id__"]: chunk for chunk in modules.state.show_low_sls("kube_node")}
    assert chunks["cluster-ca"]["fun"] == "exists"


def test_the_kubeconfig_that_the_kubelet_writes_is_not_taken_from_it(chunks):
    [chunk] = [chunk for chunk in chunks if chunk["name"] == "/etc/kubernetes/kubelet.kubeconfig"]
    assert (chunk["create"], chunk["replace"]) == (False, False)
