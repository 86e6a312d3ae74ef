"""Which programs a node gets, from where, by which digest, and into which folder."""

from __future__ import annotations

from typing import Any

import kube_node_parameters
import kube_node_programs as programs
import pytest

from unit.nodes import MACHINE, compiled, faults, pillar, sources, without

A, B, C = ("a" * 64, "b" * 64, "c" * 64)
NODE_ARCHIVE = "salt://kubernetes/v{version}/kubernetes-node-linux-{architecture}.tar.gz"
CONTAINERD = {"version": "2.1.5", "source": "salt://containerd-{version}-linux-{architecture}.tar.gz"}


def of(tree: dict[str, Any], **machine: Any) -> dict[str, dict[str, Any]]:
    """Return the entries of a pillar's `binaries` by name, the runtime's own among them."""
    found = compiled(tree, **machine)["binaries"]
    return {entry["name"]: entry for entry in (*found["files"], found["runtime"]) if entry}


def with_digest(sha256: Any, source: str = "salt://kubernetes") -> dict[str, Any]:
    """Return a pillar whose common digest is that, in place of the smallest pillar's two."""
    tree = without("binaries", "sha256")
    tree["binaries"] |= {"source": source, "sha256": sha256}
    return tree


def test_by_default_there_are_kubelet_and_kube_proxy_alone():
    binaries = compiled()["binaries"]
    assert [entry["name"] for entry in binaries["files"]] == ["kube-proxy", "kubelet"]
    assert (binaries["runtime"], binaries["packages"], binaries["releases"]) == (None, [], ["v1.36.2"])


@pytest.mark.parametrize(("processor", "architecture"), [("x86_64", "amd64"), ("aarch64", "arm64")])
def test_one_archive_brings_both_for_each_processor(processor: str, architecture: str):
    digests = {"amd64": A, "arm64": B}
    tree = {"binaries": {"source": NODE_ARCHIVE, "sha256": {"kubelet": digests, "kube-proxy": digests}}}
    entry = of(tree, processor=processor)["kubelet"]
    assert entry["source"] == f"salt://kubernetes/v1.36.2/kubernetes-node-linux-{architecture}.tar.gz"
    assert entry["sha256"] == digests[architecture]


@pytest.mark.parametrize(
    ("sha256", "source", "digest", "key"),
    [
        (A, NODE_ARCHIVE, A, "binaries.sha256"),
        ({"amd64": A, "arm64": B}, NODE_ARCHIVE, A, "binaries.sha256"),
        ({"kubelet": A, "kube-proxy": B}, "salt://kubernetes", A, "binaries.sha256.kubelet"),
        ("salt://v{version}/SHA256SUMS", "salt://kubernetes", "salt://v1.36.2/SHA256SUMS", "binaries.sha256"),
        (
            "https://mirror.example.org/{architecture}",
            NODE_ARCHIVE,
            "https://mirror.example.org/amd64",
            "binaries.sha256",
        ),
    ],
)
def test_a_digest_is_said_in_one_of_these_ways(sha256: Any, source: str, digest: str, key: str):
    tree = with_digest(sha256, source)
    [entry] = [one for one in compiled_alone(tree)["files"] if one["name"] == "kubelet"]
    assert (entry["sha256"], entry["keys"]["sha256"]) == (digest, key)


def compiled_alone(tree: dict[str, Any], **machine: Any) -> dict[str, Any]:
    """Return the `binaries` of a whole pillar, with nothing laid below it."""
    return kube_node_parameters.compile_node(tree, MACHINE | machine, sources())["binaries"]


def test_a_further_program_has_a_folder_of_its_own_release():
    own = {"version": "v1.3.4", "source": "salt://runc/{version}/runc.{architecture}", "sha256": C}
    assert of({"binaries": {"runc": own}})["runc"] == {
        "name": "runc",
        "link": "/usr/local/bin/runc",
        "path": "/opt/kube_node/runc-v1.3.4/runc",
        "whole": False,
        "source": "salt://runc/v1.3.4/runc.amd64",
        "sha256": C,
        "keys": {"source": "binaries.runc.source", "sha256": "binaries.runc.sha256"},
    }


def test_cni_plugins_come_whole_into_their_own_folder():
    own = {"version": "v1.9.1", "source": "salt://cni-plugins.tgz", "sha256": C}
    entry = of({"binaries": {"cni-plugins": own}})["cni-plugins"]
    assert (entry["link"], entry["path"], entry["whole"]) == (
        "/opt/cni/bin",
        "/opt/kube_node/cni-plugins-v1.9.1",
        True,
    )


@pytest.mark.parametrize("own", [{}, {"sha256": C}, {"version": "1.36.2", "sha256": C}])
def test_kubectl_comes_out_of_the_nodes_own_release(own: dict[str, str]):
    tree = with_digest(A, NODE_ARCHIVE)
    tree["binaries"]["kubectl"] = own
    [entry] = [one for one in compiled_alone(tree)["files"] if one["name"] == "kubectl"]
    assert entry["path"] == "/opt/kube_node/v1.36.2/kubectl"
    assert entry["source"] == NODE_ARCHIVE.format(version="1.36.2", architecture="amd64")
    assert entry["sha256"] == own.get("sha256", A)


def test_a_digest_beside_the_others_is_enough_for_a_file_beside_the_others():
    assert of({"binaries": {"sha256": {"kubectl": C}}})["kubectl"]["source"] == "salt://kubernetes/kubectl"


def test_kubelet_and_kube_proxy_may_each_come_from_elsewhere():
    tree = without("binaries")
    tree["binaries"] = {
        name: {"source": f"salt://builds/{name}", "sha256": C} for name in ("kubelet", "kube-proxy")
    }
    assert [entry["source"] for entry in compiled_alone(tree)["files"]] == [
        "salt://builds/kube-proxy",
        "salt://builds/kubelet",
    ]


def test_packages_bring_programs_too():
    change = {"crictl": {"package": "cri-tools"}, "runc": {"package": "runc", "version": "1.1.5"}}
    binaries = compiled({"binaries": change})["binaries"]
    assert binaries["packages"] == ["cri-tools", {"runc": "1.1.5"}]
    assert [entry["name"] for entry in binaries["files"]] == ["kube-proxy", "kubelet"]


def test_a_containerd_of_ones_own_has_its_own_schema_and_unit():
    node = compiled({"binaries": {"containerd": CONTAINERD | {"version": "v2.1.5", "sha256": C}}})
    assert (node["runtime"]["containerd"]["version"], node["runtime"]["schema"]) == ("2.1.5", 3)
    assert "/etc/systemd/system/containerd.service" in [file["path"] for file in node["files"]["containerd"]]
    assert node["binaries"]["releases"] == ["containerd-v2.1.5", "v1.36.2"]


def test_the_release_of_containerd_is_said_once():
    own = CONTAINERD | {"sha256": C}
    change = {"runtime": {"containerd": {"version": "1.7.24"}}, "binaries": {"containerd": own}}
    assert faults(pillar(change)) == [
        "runtime.containerd.version: '1.7.24' is not the '2.1.5' of binaries.containerd.version, "
        "set binaries.containerd.version alone"
    ]


def test_a_containerd_of_the_distribution_keeps_its_own_unit():
    assert "containerd-unit" not in [file["id"] for file in compiled()["files"]["containerd"]]


def test_a_docker_of_ones_own_is_run_where_its_link_is():
    own = {"version": "28.5.2", "source": "salt://docker-28.5.2.tgz", "sha256": C}
    change = {"runtime": {"name": "docker"}, "binaries": {"docker": own, "sha256": {"cri-dockerd": C}}}
    node = compiled(change)
    assert node["runtime"]["docker"]["dockerd"] == "/usr/local/bin/dockerd"
    assert node["binaries"]["runtime"]["path"] == "/opt/kube_node/docker-28.5.2"


@pytest.mark.parametrize("name", ["containerd", "docker", "cri-dockerd", "runc"])
def test_what_another_runtime_needs_is_left_out(name: str):
    own = {"version": "1.0.0", "source": "salt://some.tgz", "sha256": C}
    other = {"runtime": {"name": "docker"}} if name in ("containerd", "runc") else {}
    adapter = {"sha256": {"cri-dockerd": C}} if other else {}
    assert name not in of(other | {"binaries": {name: own} | adapter})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"runc": {"source": "salt://runc", "sha256": C}},
            "binaries.runc.version: is missing, write the release, which names its folder",
        ),
        (
            {"runc": {"version": "v1.3.4", "source": "salt://runc"}},
            "binaries.runc.sha256: is missing, write the digest that sha256sum prints for the file",
        ),
        (
            {"cni-plugins": {"version": "v1.9.1", "sha256": C}},
            "binaries.cni-plugins.source: is missing, write where cni-plugins comes from, "
            "such as salt://cni-plugins/FILE",
        ),
        (
            {"cni-plugins": {"version": "v1.9.1", "source": "salt://plugins", "sha256": C}},
            "binaries.cni-plugins.source: 'salt://plugins' is no archive, "
            "write the .tar.gz or .tgz that its project releases",
        ),
        (
            {"runc": {"version": "v1.3.4", "source": "salt://runc", "sha256": {"arm64": C}}},
            "binaries.runc.sha256: has no digest for amd64, add what sha256sum prints for its file",
        ),
        (
            {"crictl": {"package": "cri-tools", "sha256": C}},
            "binaries.crictl.sha256: does not go with a package, keep one of the two",
        ),
        (
            {"sha256": A},
            "binaries.sha256: is one digest for a folder of files, write 'NAME: DIGEST' lines below it",
        ),
        (
            {"sha256": "file:///root/SHA256SUMS"},
            "binaries.sha256: 'file:///root/SHA256SUMS' is not a file of checksums to trust, "
            "write salt://… or https://…, or the 64 hex digits themselves",
        ),
        (
            {"sha256": {"kubelet": "http://mirror.example.org/SHA256SUMS"}},
            "binaries.sha256.kubelet: 'http://mirror.example.org/SHA256SUMS' is not a file of checksums to "
            "trust, write salt://… or https://…, or the 64 hex digits themselves",
        ),
        (
            {"source": "salt://v{release}"},
            "binaries.source: 'salt://v{release}' is not a source, "
            "write a folder as salt://…, file://… or https://…",
        ),
        ({"keep": 0}, "binaries.keep: 0 is not a whole number from 1 to 100, write one without quotes"),
        (
            {"runc": "v1.3.4"},
            "binaries.runc: 'v1.3.4' is not a mapping, write 'key: value' lines below it",
        ),
        (
            {"containerd": CONTAINERD | {"version": "2.1", "sha256": C}},
            "binaries.containerd.version: '2.1' is not a full release, "
            "write it as vX.Y.Z or X.Y.Z, such as 2.1.5",
        ),
        (
            {"kubelet": {"version": "1.36.2"}},
            "binaries.kubelet.version: is not a known key, known here: sha256, source",
        ),
        (
            {"runc": {"version": "../1", "source": "salt://runc", "sha256": C}},
            "binaries.runc.version: '../1' is not a release, "
            "write it as its project does, such as v1.9.1, in quotes",
        ),
    ],
)
def test_a_slip_is_told(change: dict[str, Any], message: str):
    assert faults(pillar({"binaries": change})) == [message]


def test_an_archive_without_a_digest_is_told_once():
    assert faults(with_digest({"arm64": A}, NODE_ARCHIVE)) == [
        "binaries.sha256: has no digest for amd64, add what sha256sum prints for its file"
    ]


@pytest.mark.parametrize(
    ("folder", "family"),
    [
        ("v1.36.2", "kubernetes"),
        ("cni-plugins-v1.9.1", "cni-plugins"),
        ("cri-dockerd-0.4.3", "cri-dockerd"),
        ("runc", None),
        ("backup", None),
        ("v1.36.2.old copy", None),
    ],
)
def test_a_folder_is_a_release_by_its_name(folder: str, family: str | None):
    assert programs.family(folder) == family
