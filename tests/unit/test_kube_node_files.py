"""The files of a node: each is where it belongs, looks as the golden one does, and keeps its secrets.

The golden files are a promise to an operator who reads a diff. A change that is meant is written down by
`KUBE_NODE_GOLDEN=write pytest tests/unit/test_kube_node_files.py`, and the diff read before it is committed.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from functools import lru_cache
from pathlib import Path
from typing import Any

import jinja2
import kube_node_files
import kube_node_flannel
import pytest
import yaml

from unit import systemd
from unit.nodes import CA, ROOT, TOKEN, compiled

GOLDEN = Path(__file__).with_name("golden") / "1.36-containerd"
# A node with something in every file.
NODE = {
    "runtime": {"containerd": {"version": "2.3.3"}},
    "node": {
        "labels": {"tier": "gold", "example.org/rack": "7"},
        "taints": [{"key": "dedicated", "value": "gpu", "effect": "NoSchedule"}],
    },
    "network": {"plugin": "none", "pod_subnet": "172.20.7.0/24"},
    "kubelet": {"config": {"maxPods": 50, "evictionHard": {"memory.available": "200Mi"}}},
    "kube_proxy": {"config": {"mode": "ipvs"}},
}

MANAGERS = {
    "NetworkManager": ["/etc/NetworkManager/conf.d/kube-node.conf"],
    "systemd-networkd": [
        "/etc/systemd/network/10-kube-node.network",
        "/etc/systemd/networkd.conf.d/kube-node.conf",
    ],
}


@lru_cache(maxsize=1)
def templates() -> dict[str, str]:
    """Return the text of each template by its path in the state tree."""
    return {str(path.relative_to(ROOT)): path.read_text() for path in ROOT.glob("kube_node/**/*.jinja")}


def rendered(node: dict[str, Any]) -> dict[str, str]:
    return kube_node_files.render(node, templates())


@pytest.fixture(scope="module")
def files() -> dict[str, str]:
    """Return the files of a node with something in every file."""
    return rendered(compiled(NODE, network_managers=list(MANAGERS)))


def table(node: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {file["path"]: file for room in node["files"].values() for file in room}


def test_the_files_are_the_golden_ones(files: dict[str, str]):
    if os.environ.get("KUBE_NODE_GOLDEN") == "write":
        shutil.rmtree(GOLDEN, ignore_errors=True)
        for path, content in files.items():
            target = GOLDEN / path.lstrip("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(content)
    golden = {
        f"/{path.relative_to(GOLDEN)}": path.read_text() for path in GOLDEN.rglob("*") if path.is_file()
    }
    assert files == golden


RESERVED = {"enforceNodeAllocatable": ["pods", "kube-reserved"], "kubeReservedCgroup": "/kube.slice"}
ARCHIVE = {"version": "2.1.5", "source": "salt://containerd-2.1.5.tar.gz", "sha256": "d" * 64}
MIRRORED = {"docker.io": {"mirrors": [{"url": "https://mirror.example.org", "ca": CA}]}}
VARIANTS = [
    {"runtime": {"containerd": {"registries": MIRRORED}}},
    {"kubelet": {"config": RESERVED}},
    {"runtime": {"containerd": {"version": "2.0.6"}}},
    {"runtime": {"containerd": {"version": "2.3.3"}}},
    {"runtime": {"name": "docker"}, "binaries": {"sha256": {"cri-dockerd": "c" * 64}}},
    {"certificates": {"mode": "static"}},
    {"proxy": {"http": "http://proxy.example.org:3128"}},
    {"binaries": {"containerd": ARCHIVE}},
]


def test_every_template_makes_a_file():
    used = {
        f"kube_node/{file['template']}"
        for change in VARIANTS
        for node in (compiled(), compiled(change, network_managers=list(MANAGERS)))
        for file in table(node).values()
        if not file["brought"]
    }
    assert used == {name for name in templates() if "/files/" in name} - {kube_node_flannel.TEMPLATE}


def test_every_file_ends_with_one_line_break(files: dict[str, str]):
    assert [path for path, content in files.items() if not re.search(r"[^\n]\n\Z", content)] == []


def test_no_file_has_blanks_at_a_lines_end(files: dict[str, str]):
    assert [path for path, content in files.items() if re.search(r"(?m)[ \t]+$", content)] == []


def test_every_file_that_can_hold_a_comment_says_whose_it_is(files: dict[str, str]):
    head = "# Managed by Salt (kube_node): change the pillar, not this file.\n"
    without = {path for path, content in files.items() if not content.startswith(head)}
    assert without == {"/etc/cni/net.d/10-default.conf", "/etc/kubernetes/pki/ca.crt"}


def test_a_secret_lies_in_one_file_that_root_alone_reads(files: dict[str, str]):
    secret = [table(compiled(NODE))[path] for path, content in files.items() if TOKEN in content]
    assert [(file["path"], file["mode"], file["secret"]) for file in secret] == [
        ("/etc/kubernetes/bootstrap.kubeconfig", "0600", True)
    ]


def test_a_node_that_has_joined_keeps_its_bootstrap_kubeconfig_as_it_is():
    node = compiled(NODE)
    left_alone = {file["path"] for file in kube_node_files.kept(node)} - {
        file["path"] for file in kube_node_files.kept(node, joined=True)
    }
    assert left_alone == {"/etc/kubernetes/bootstrap.kubeconfig"}


def test_a_bootstrap_kubeconfig_that_is_not_wanted_goes_even_from_a_node_that_has_joined():
    files = kube_node_files.kept(compiled({"certificates": {"mode": "static"}}), joined=True)
    assert [file["wanted"] for file in files if file["id"] == "bootstrap-kubeconfig"] == [False]


def test_the_kubelets_own_kubeconfig_is_written_only_on_a_node_that_moves_to_bootstrap():
    node = compiled(NODE)
    staying, moving = ({file["path"] for file in kube_node_files.kept(node, True, how)} for how in (0, 1))
    assert moving - staying == {"/etc/kubernetes/kubelet.kubeconfig"}


def test_some_files_can_be_rendered_alone(files: dict[str, str]):
    node = compiled(NODE)
    some = [file for file in node["files"]["certificates"] if not file["moving"]]
    assert kube_node_files.render(node, templates(), some) == {
        file["path"]: files[file["path"]] for file in some
    }


def test_every_kubeconfig_is_roots_alone():
    modes = {path: file["mode"] for path, file in table(compiled()).items() if path.endswith(".kubeconfig")}
    assert set(modes.values()) == {"0600"}


def test_every_id_and_every_path_is_there_once():
    files = [file for room in compiled()["files"].values() for file in room]
    assert len({file["id"] for file in files}) == len({file["path"] for file in files}) == len(files)


def test_the_default_network_is_there_without_a_plugin_alone():
    wanted = {
        plugin: table(compiled({"network": {"plugin": plugin, "pod_subnet": "172.20.7.0/24"}}))[
            "/etc/cni/net.d/10-default.conf"
        ]["wanted"]
        for plugin in ("none", "calico", "flannel")
    }
    assert wanted == {"none": True, "calico": False, "flannel": False}


def test_an_unwanted_file_is_not_rendered():
    assert "/etc/cni/net.d/10-default.conf" not in rendered(compiled())


@pytest.mark.parametrize("name", ["production", "123", "1.5", "true", "null", "on", "1e3"])
def test_a_clusters_name_stays_a_text(name: str):
    files = rendered(compiled({"cluster": {"name": name}}))
    names = {
        loaded["clusters"][0]["name"]
        for path, content in files.items()
        if path.endswith(".kubeconfig")
        for loaded in [yaml.safe_load(content)]
    }
    assert names == {name}


@pytest.mark.parametrize("token", [TOKEN, "123456.0123456789012345", "123456.1234567890123e10"])
def test_a_token_stays_a_text(token: str):
    files = rendered(compiled({"certificates": {"bootstrap_token": token}}))
    kubeconfig = yaml.safe_load(files["/etc/kubernetes/bootstrap.kubeconfig"])
    assert kubeconfig["users"][0]["user"]["token"] == token


def test_the_paths_of_the_pillar_are_those_of_the_files():
    folders = (
        "kubernetes",
        "certificates",
        "kubelet",
        "kube_proxy",
        "cni_bin",
        "cni_config",
        "static_pods",
        "bin",
    )
    change = {"paths": {folder: f"/srv/{folder}" for folder in folders}}
    files = rendered(compiled(NODE | change))
    text = "".join([*files, *files.values()])
    assert sorted(set(re.findall(r"/(?:etc/kubernetes|etc/cni|var/lib|opt/cni|usr/local)\S*", text))) == []


def test_the_ca_is_copied_as_it_is(files: dict[str, str]):
    assert files["/etc/kubernetes/pki/ca.crt"] == CA


def test_the_default_network_is_json(files: dict[str, str]):
    assert json.loads(files["/etc/cni/net.d/10-default.conf"])["ipam"]["subnet"] == "172.20.7.0/24"


def test_every_unit_starts_one_program_by_its_link(files: dict[str, str]):
    started = [systemd.started(content)[0] for path, content in files.items() if path.endswith(".service")]
    assert sorted(started) == [
        "/opt/salt/bin/salt-call",
        "/usr/local/bin/kube-proxy",
        "/usr/local/bin/kubelet",
    ]


def test_every_unit_has_one_option_a_line(files: dict[str, str]):
    unit = files["/etc/systemd/system/kubelet.service"]
    assert [line for line in unit.splitlines() if line.count(" --") > 1] == []


def test_a_template_that_asks_for_what_is_not_there_fails():
    broken = {**templates(), "kube_node/cni/files/10-default.conf.jinja": "{{ nothing }}"}
    with pytest.raises(jinja2.UndefinedError, match="'nothing' is undefined"):
        kube_node_files.render(compiled(NODE), broken)


@pytest.mark.parametrize("manager", MANAGERS)
def test_a_manager_of_networks_that_runs_is_told_to_leave_plugins_links_alone(manager: str):
    node = compiled(network_managers=[manager])
    assert [file["path"] for file in node["files"]["network"]] == MANAGERS[manager]
    links = rendered(node)[MANAGERS[manager][0]]
    assert all(link in links for link in ("cali*", "flannel*", "cni*", "kube-*", "veth*", "vxlan*.calico"))


def test_where_no_manager_of_networks_runs_nothing_is_written_for_one():
    assert compiled()["files"]["network"] == []


@pytest.mark.parametrize("proxy", [{}, {"http": "http://proxy.example.org:3128"}])
def test_a_drop_in_that_is_gone_is_looked_for_by_its_folder(proxy: dict[str, str]):
    looked_at = kube_node_files.started_with(compiled({"proxy": proxy}), "kubelet")
    assert ("/etc/systemd/system/kubelet.service.d" in looked_at) is not bool(proxy)
