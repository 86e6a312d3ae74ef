"""What somebody else wrote where our files go is refused, or taken over with a copy kept."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import kube_node_files
import kube_node_kept
import pytest
from unit.nodes import pillar

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: the files belong to root")
NETWORK = '{"cniVersion": "1.0.0", "name": "theirs", "type": "bridge"}'


@pytest.fixture
def cni(tmp_path: Path) -> Path:
    """Return the folder of network configurations."""
    (tmp_path / "net.d").mkdir()
    return tmp_path / "net.d"


@pytest.fixture
def given(node, tmp_path: Path, cni: Path, monkeypatch) -> Callable[..., None]:
    """Return a function that gives the minion a pillar whose files are all in this test's folder."""
    monkeypatch.setattr(kube_node_files, "SYSTEMD", f"{tmp_path}/systemd")
    monkeypatch.setattr(kube_node_kept, "FOLDER", f"{tmp_path}/kube_node")
    names = ("kubernetes", "certificates", "kubelet", "kube_proxy")
    paths = {name: f"{tmp_path}/{name}" for name in names} | {"cni_config": str(cni)}

    def give(**change: Any) -> None:
        network = {"plugin": "none", "pod_subnet": "172.20.7.0/24"}
        node(pillar({"paths": paths, "network": network, **change}))

    return give


def put(path: Path, text: str = NETWORK) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def apply(modules, sls: str = "kube_node.takeover", **arguments: Any) -> dict[str, Any]:
    """Apply the state; return its result, changes and comment."""
    [state] = modules.state.apply(sls, **arguments)
    return {"result": state.result, "changes": state.changes, "comment": state.comment}


def kept(tmp_path: Path, path: Path) -> Path:
    return Path(f"{tmp_path}/kube_node/replaced{path}")


def told(modules) -> list[str]:
    found = modules.kube_node.preflight()
    return [f"{one['severity']}: {one['found']}" for one in found if one["name"] == "takeover"]


def test_on_a_machine_where_nothing_is_in_the_way_our_files_are_recorded(modules, given, cni, tmp_path):
    given()
    assert apply(modules)["result"] is True
    assert f"{cni}/10-default.conf" in (tmp_path / "kube_node/files").read_text().splitlines()
    assert not (tmp_path / "kube_node/replaced").exists()
    assert apply(modules)["changes"] == {}


def test_a_test_run_records_nothing(modules, given, tmp_path):
    given()
    predicted = apply(modules, test=True)
    assert (predicted["result"], (tmp_path / "kube_node").exists()) == (None, False)
    assert apply(modules)["changes"] == predicted["changes"]


def test_a_file_of_somebody_else_is_refused_by_name(modules, given, cni):
    theirs = put(cni / "10-default.conf")
    given()
    assert told(modules) == [f"error: {theirs} was there before us and would be replaced"]
    assert apply(modules)["result"] is False
    assert theirs.read_text() == NETWORK


def test_a_file_of_somebody_else_that_we_would_remove_is_refused_too(modules, given, cni):
    theirs = put(cni / "10-default.conf")
    given(network={"plugin": "calico"})
    assert told(modules) == [f"error: {theirs} was there before us and would be replaced"]


def test_what_is_taken_over_is_kept_as_it_was(modules, given, cni, tmp_path):
    theirs = put(cni / "10-default.conf")
    theirs.chmod(0o640)
    given(takeover=True)
    assert told(modules) == [f"info: {theirs} was there before us and is replaced"]
    predicted = apply(modules, test=True)["changes"]
    assert apply(modules)["changes"] == predicted
    assert str(theirs) in predicted
    copy = kept(tmp_path, theirs)
    assert (copy.read_text(), copy.stat().st_mode & 0o777) == (NETWORK, 0o640)
    assert (tmp_path / "kube_node/replaced").stat().st_mode & 0o777 == 0o700
    assert (told(modules), apply(modules)["changes"]) == ([], {})


def test_what_we_wrote_is_ours_whatever_becomes_of_it(modules, given, cni):
    given()
    apply(modules)
    put(cni / "10-default.conf")
    assert told(modules) == []


def test_a_file_that_reads_as_ours_would_is_in_nobodys_way(modules, given, cni):
    given()
    put(cni / "10-default.conf", modules.kube_node.render()[f"{cni}/10-default.conf"])
    assert told(modules) == []


def test_a_network_of_somebody_else_is_moved_away_once(modules, given, cni, tmp_path):
    theirs = put(cni / "87-podman.conflist")
    given(takeover=True)
    assert apply(modules)["changes"][str(theirs)].startswith("moved below ")
    assert (theirs.exists(), kept(tmp_path, theirs).read_text()) == (False, NETWORK)
    put(theirs)
    assert (apply(modules)["changes"], theirs.exists()) == ({}, True)


def test_a_network_that_the_pillar_accepts_is_left_alone(modules, given, cni):
    theirs = put(cni / "87-podman.conflist")
    given(takeover=True, preflight={"accept": ["foreign_cni"]})
    apply(modules)
    assert theirs.exists()


def test_a_link_is_removed_and_not_written_through(modules, given, cni, tmp_path):
    target = put(tmp_path / "theirs.conf")
    (cni / "10-default.conf").symlink_to(target)
    given(takeover=True)
    apply(modules)
    assert not (cni / "10-default.conf").is_symlink()
    assert kept(tmp_path, cni / "10-default.conf").read_text() == target.read_text() == NETWORK


def test_an_earlier_copy_is_not_lost(modules, given, cni, tmp_path):
    theirs = put(cni / "10-default.conf")
    put(kept(tmp_path, theirs), "earlier")
    given(takeover=True)
    apply(modules)
    assert kept(tmp_path, theirs).read_text() == "earlier"
    assert Path(f"{kept(tmp_path, theirs)}.1").read_text() == NETWORK


def test_a_run_that_was_killed_after_the_copies_is_finished_by_the_next(modules, given, cni, tmp_path):
    theirs = put(cni / "10-default.conf")
    given(takeover=True)
    modules.kube_node_takeover.keep(str(theirs))
    apply(modules)
    copies = [path for path in (tmp_path / "kube_node/replaced").rglob("*") if path.is_file()]
    assert copies == [kept(tmp_path, theirs)]


def test_a_registry_of_somebody_else_is_told(modules, given, tmp_path, monkeypatch):
    import kube_node_registries

    monkeypatch.setattr(kube_node_registries, "FOLDER", f"{tmp_path}/certs.d")
    theirs = put(tmp_path / "certs.d/docker.io/hosts.toml", 'server = "https://theirs"\n')
    given()
    assert told(modules) == [f"error: {theirs} was there before us and would be replaced"]


@pytest.mark.parametrize(("verified", "found"), [("", 0), ("??5?????? c PATH\n", 1)])
def test_a_file_is_in_nobodys_way_while_it_is_as_its_package_brought_it(
    modules, given, cni, stand_in, verified: str, found: int
):
    theirs = put(cni / "10-default.conf")
    given()
    modules.pkg.owner(str(theirs))
    stand_in("pkg.owner", lambda _: "theirs")
    answer = {"stdout": verified.replace("PATH", str(theirs))}
    stand_in("cmd.run_all", lambda *_, **__: answer)
    assert len(modules.kube_node_takeover.foreign()) == found
