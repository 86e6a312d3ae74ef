"""Programs out of archives: whole, checked, switched to in one step each; no archive does more than that."""

from __future__ import annotations

import hashlib
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from functional import archives
from functional.binaries import files, run

PLUGINS = ("bridge", "host-local", "loopback")
NODE = "kubernetes/node/bin"
LAST = "take the archive that the project releases"


@pytest.fixture
def plugins(tmp_path: Path) -> Callable[[str], dict[str, str]]:
    """Return a function that has a release of the CNI plugins served, and returns a state's arguments."""

    def release(version: str) -> dict[str, str]:
        members = [archives.program(f"./{name}", f"{name} {version}") for name in PLUGINS]
        readme = archives.program("./README.md", "words", mode=0o644)
        origin = archives.archive(tmp_path / f"served/cni-plugins-{version}.tgz", [readme, *members])
        path = tmp_path / "versions" / f"cni-plugins-{version}"
        return {"name": str(tmp_path / "cni"), "path": str(path), **origin}

    return release


@pytest.fixture
def kubelet(tmp_path: Path) -> dict[str, str]:
    """Return a state's arguments for a kubelet out of Kubernetes' archive."""
    members = [archives.program(f"{NODE}/{name}", f"{name} v1.36.2") for name in ("kubelet", "kube-proxy")]
    origin = archives.archive(tmp_path / "served/kubernetes-node-linux-amd64.tar.gz", members)
    path = tmp_path / "versions/v1.36.2/kubelet"
    return {"name": str(tmp_path / "bin/kubelet"), "path": str(path), **origin}


def told(result: Any) -> tuple[bool | None, dict, str]:
    return result.result, result.changes, result.comment


def test_the_one_program_of_its_name_comes_out_of_an_archive(states, kubelet, tmp_path):
    assert states.kube_node.binary_installed(**kubelet).result is True
    assert run(kubelet["name"]) == "kubelet v1.36.2"
    assert files(tmp_path) == [
        "bin/kubelet",
        "versions/v1.36.2/kubelet",
        "versions/v1.36.2/kubelet.sha256",
    ]


def test_all_that_may_be_executed_comes_out_of_an_archive_of_many(states, plugins, tmp_path):
    assert states.kube_node.programs_installed(**plugins("v1.9.1")).result is True
    assert [run(str(tmp_path / "cni" / name)) for name in PLUGINS] == [f"{name} v1.9.1" for name in PLUGINS]
    assert not (tmp_path / "cni/README.md").exists()


@pytest.mark.parametrize("test", [True, False])
def test_an_upgrade_of_many_tells_its_changes(states, plugins, tmp_path, test):
    old, new = plugins("v1.9.0"), plugins("v1.9.1")
    states.kube_node.programs_installed(**old)
    result = states.kube_node.programs_installed(**new, test=test)
    assert result.changes == {new["path"]: f"installed from {new['source']}"} | {
        str(tmp_path / "cni" / name): {"old": f"{old['path']}/{name}", "new": f"{new['path']}/{name}"}
        for name in PLUGINS
    }


def test_a_test_run_of_an_archive_installs_nothing(states, plugins, tmp_path):
    assert states.kube_node.programs_installed(**plugins("v1.9.1"), test=True).result is None
    assert files(tmp_path) == []


def test_a_second_run_needs_no_archive_and_changes_nothing(states, plugins, tmp_path):
    release = plugins("v1.9.1")
    states.kube_node.programs_installed(**release)
    (tmp_path / "served/cni-plugins-v1.9.1.tgz").unlink()
    assert told(states.kube_node.programs_installed(**release)) == (True, {}, f"{release['path']} is in use")


def test_sha256sum_reads_what_is_written_about_a_release(states, plugins):
    release = plugins("v1.9.1")
    states.kube_node.programs_installed(**release)
    check = ["sha256sum", "--check", "--ignore-missing", "--strict", "SHA256SUMS"]
    said = subprocess.run(check, cwd=release["path"], capture_output=True, text=True, check=True).stdout
    assert said.splitlines() == [f"{name}: OK" for name in PLUGINS]


def test_a_damaged_program_is_put_right_out_of_the_archive(states, plugins, tmp_path):
    release = plugins("v1.9.1")
    states.kube_node.programs_installed(**release)
    Path(release["path"], "bridge").write_text("damaged")
    assert list(states.kube_node.programs_installed(**release).changes) == [release["path"]]
    assert run(str(tmp_path / "cni/bridge")) == "bridge v1.9.1"


def test_another_archive_under_the_same_release_is_installed(states, plugins, tmp_path):
    release = plugins("v1.9.1")
    states.kube_node.programs_installed(**release)
    members = [archives.program(name, f"{name} rebuilt") for name in PLUGINS]
    rebuilt = archives.archive(tmp_path / "served/cni-plugins-v1.9.1.tgz", members)
    assert states.kube_node.programs_installed(**release | rebuilt).result is True
    assert run(str(tmp_path / "cni/bridge")) == "bridge rebuilt"


def test_what_a_network_plugin_put_there_is_left_alone(states, plugins, tmp_path):
    (tmp_path / "cni").mkdir()
    (tmp_path / "cni/loopback").write_text("calico's own")
    release = plugins("v1.9.1") | {"keep": True}
    assert states.kube_node.programs_installed(**release).result is True
    assert (tmp_path / "cni/loopback").read_text() == "calico's own"
    assert states.kube_node.programs_installed(**release).changes == {}


def test_a_foreign_program_is_refused_before_anything_is_installed(states, plugins, tmp_path):
    (tmp_path / "cni").mkdir()
    (tmp_path / "cni/loopback").write_text("somebody's own")
    result = states.kube_node.programs_installed(**plugins("v1.9.1"))
    assert told(result) == (
        False,
        {},
        f"{tmp_path}/cni/loopback is a file that is not ours, move it away or choose another paths.bin",
    )
    assert files(tmp_path) == ["cni/loopback"]


@pytest.mark.parametrize(
    ("member", "fault"),
    [
        (archives.program("../../../bin/kubelet", "hostile"), "../../../bin/kubelet leads out of it"),
        (archives.program("/usr/bin/kubelet", "hostile"), "/usr/bin/kubelet leads out of it"),
        (archives.link("bin/kubelet", "/bin/sh"), "bin/kubelet is a link to /bin/sh"),
        (archives.link("bin/kubelet", "../../bin/sh"), "bin/kubelet is a link to ../../bin/sh"),
        (
            archives.link("bin/kubelet", "../etc/shadow", tarfile.LNKTYPE),
            "bin/kubelet is a link to ../etc/shadow",
        ),
        (archives.device("bin/kubelet"), "bin/kubelet is a special file"),
    ],
    ids=["way out", "absolute path", "absolute link", "link out", "hard link out", "device"],
)
def test_a_hostile_archive_is_refused(states, kubelet, tmp_path, member, fault: str):
    members = [archives.program("kubelet", "kubelet v1.36.2"), member]
    origin = archives.archive(tmp_path / "served/hostile.tar.gz", members)
    result = states.kube_node.binary_installed(**kubelet | origin)
    assert told(result) == (False, {}, f"{origin['source']} has a hostile member: {fault}, {LAST}")
    assert files(tmp_path) == []


@pytest.mark.parametrize(
    ("members", "fault"),
    [
        ([archives.link("bin/kubelet", "kubectl")], "has no kubelet in it"),
        ([archives.program("bin/kubectl", "kubectl")], "has no kubelet in it"),
        (
            [archives.program("kubelet", "one"), archives.program("other/kubelet", "another")],
            "has kubelet twice, as kubelet and other/kubelet",
        ),
    ],
    ids=["link", "another", "twice"],
)
def test_an_archive_without_the_one_program_is_refused(states, kubelet, tmp_path, members, fault: str):
    origin = archives.archive(tmp_path / "served/other.tar.gz", members)
    result = states.kube_node.binary_installed(**kubelet | origin)
    assert told(result) == (False, {}, f"{origin['source']} {fault}, {LAST}")
    assert files(tmp_path) == []


def test_what_is_no_archive_is_refused(states, kubelet, tmp_path):
    (tmp_path / "served/page.tar.gz").write_text("<!DOCTYPE html><title>Not found</title>")
    origin = archives.served(tmp_path / "served/page.tar.gz")
    result = states.kube_node.binary_installed(**kubelet | origin)
    assert told(result) == (
        False,
        {},
        f"{origin['source']} is not a whole tar.gz archive: not a gzip file, {LAST}",
    )


@pytest.mark.parametrize("digest_of_the_rest", [True, False])
def test_a_truncated_archive_is_refused(states, kubelet, tmp_path, digest_of_the_rest: bool):
    path = tmp_path / "served/kubernetes-node-linux-amd64.tar.gz"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    digest = hashlib.sha256(path.read_bytes()).hexdigest() if digest_of_the_rest else kubelet["sha256"]
    result = states.kube_node.binary_installed(**kubelet | {"sha256": digest})
    said = "is not a whole tar.gz archive" if digest_of_the_rest else f"{digest} is not the digest of"
    assert (result.result, result.changes) == (False, {})
    assert said in result.comment
    assert files(tmp_path) == []


@pytest.fixture
def sums(formula: Path, loaders, tmp_path: Path) -> Callable[[str], str]:
    """Return a function that puts a file of checksums on the master, and returns its URL."""
    roots = loaders.opts["file_roots"]["base"]
    roots.append(str(tmp_path / "master"))

    def put(text: str) -> str:
        (tmp_path / "master").mkdir(exist_ok=True)
        (tmp_path / "master/SHA256SUMS").write_text(text)
        return "salt://SHA256SUMS"

    yield put
    roots.pop()


@pytest.mark.parametrize("line", ["{}  ./{}", "{} *{}", "{}  served/{}"])
def test_a_file_of_checksums_says_the_digest(states, kubelet, sums, line: str):
    other = f"{'0' * 64}  kubernetes-node-linux-arm64.tar.gz\n"
    url = sums(other + line.format(kubelet["sha256"], "kubernetes-node-linux-amd64.tar.gz") + "\n")
    assert states.kube_node.binary_installed(**kubelet | {"sha256": url}).result is True
    assert states.kube_node.binary_installed(**kubelet | {"sha256": url}).changes == {}


def test_a_corrected_file_of_checksums_is_heeded(states, kubelet, sums):
    url = sums(kubelet["sha256"])
    states.kube_node.binary_installed(**kubelet | {"sha256": url})
    sums("0" * 64)
    result = states.kube_node.binary_installed(**kubelet | {"sha256": url})
    assert (result.result, result.comment.split(",")[0]) == (
        False,
        f"{'0' * 64} is not the digest of {kubelet['source']}",
    )


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (f"{'0' * 64}  kubelet\n", "has no line for kubernetes-node-linux-amd64.tar.gz"),
        ("<html>", "has no line for kubernetes-node-linux-amd64.tar.gz"),
        (None, "is not there"),
    ],
)
def test_a_file_of_checksums_without_the_digest_is_refused(states, kubelet, sums, tmp_path, text, fault):
    url = sums(text or "")
    if text is None:
        (tmp_path / "master/SHA256SUMS").unlink()
    result = states.kube_node.binary_installed(**kubelet | {"sha256": url})
    assert (result.result, result.changes, result.comment.split(",")[0]) == (False, {}, f"{url} {fault}")
