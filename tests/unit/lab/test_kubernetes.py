"""Kubernetes' own programs in the cache: whole or not at all, and why not in a sentence."""

from __future__ import annotations

from collections import namedtuple
from pathlib import Path

import pytest
from lab import host, image, kubernetes, kubernetes_recipe

VERSION = "1.20.5+really1.20.2-1.1+deb12u1"
Usage = namedtuple("Usage", "total used free")


@pytest.fixture
def cache(tmp_path, monkeypatch) -> Path:
    """Return an empty cache of a machine that can build, where nothing is built for real."""
    monkeypatch.setenv("KUBE_NODE_CACHE", str(tmp_path))
    monkeypatch.setattr(host, "unable", lambda: None)
    monkeypatch.setattr(image, "ensure", lambda _say, suite: tmp_path / suite)
    monkeypatch.setattr(kubernetes.shutil, "disk_usage", lambda _path: Usage(9e9, 0, 9e9))
    return tmp_path / "kubernetes"


@pytest.fixture
def builds(monkeypatch) -> list[Path]:
    """Return where the recipe was asked to build; it writes a line in place of each program."""
    asked = []

    def run(_image: Path, partial: Path, _log: Path, _say: object) -> None:
        assert not partial.exists()  # what an interrupted build left is gone
        asked.append(partial)
        older = partial / "programs" / kubernetes_recipe.OLDER
        older.mkdir(parents=True)
        for name in kubernetes_recipe.NODE_PROGRAMS:
            (older / name).write_text(f"{name}, older")
        for name in (*kubernetes_recipe.PROGRAMS, "etcd"):
            (partial / "programs" / name).write_text(name)
        (partial / "version").write_text(VERSION)

    monkeypatch.setattr(kubernetes, "_run", run)
    return asked


def ensure() -> Path:
    return kubernetes.ensure(lambda _line: None)


def test_the_folder_is_named_after_source_and_recipe(cache, builds):
    assert ensure() == cache / f"{VERSION}-{kubernetes_recipe.key()}"


def test_they_are_built_once(cache, builds):
    assert ensure() == ensure()
    assert len(builds) == 1


def test_another_recipe_builds_others(cache, builds, monkeypatch):
    before = ensure()
    monkeypatch.setattr(kubernetes_recipe, "OLDER", "1.19.15")
    assert ensure() != before


def test_an_interrupted_build_starts_cleanly(cache, builds):
    left = cache / "partial" / "programs"
    left.mkdir(parents=True)
    (left / "kubelet").write_text("half")
    ensure()
    assert not (cache / "partial").exists()


@pytest.mark.parametrize("name", ["kubelet", "etcd", "SHA256SUMS", f"{kubernetes_recipe.OLDER}/kube-proxy"])
@pytest.mark.parametrize("fault", [Path.unlink, lambda path: path.write_text("cut off")])
def test_a_folder_that_is_not_whole_is_built_anew(cache, builds, name, fault):
    fault(ensure() / name)
    assert kubernetes.is_whole(ensure())
    assert len(builds) == 2


def test_a_machine_without_the_room_is_told_how_much_it_takes(cache, builds, monkeypatch):
    monkeypatch.setattr(kubernetes.shutil, "disk_usage", lambda _path: Usage(9e9, 8e9, 1e9))
    with pytest.raises(kubernetes.KubernetesError, match=r"take 5 GB below .* 1\.0 GB are free\.$"):
        ensure()
    assert not builds


def test_a_machine_that_cannot_is_told_why(cache, builds, monkeypatch):
    monkeypatch.setattr(host, "unable", lambda: "It needs root.")
    with pytest.raises(kubernetes.KubernetesError, match=r"^It needs root\.$"):
        ensure()
    assert not builds


def test_a_disk_that_fills_up_leaves_nothing_half_done(cache, monkeypatch):
    def run(_image: Path, partial: Path, *_: object) -> None:
        partial.mkdir(parents=True)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(kubernetes, "_run", run)
    with pytest.raises(kubernetes.KubernetesError, match="No space left on device"):
        ensure()
    assert sorted(path.name for path in cache.iterdir()) == ["lock"]


def test_a_failed_build_says_its_last_line_and_where_the_rest_is(cache, tmp_path, monkeypatch):
    program = tmp_path / "python"
    program.write_text("#!/bin/sh\necho compiling\necho noise >&2\necho 'the mirror is away' >&2\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setattr(kubernetes.scratch, "NAMESPACES", ())
    monkeypatch.setattr(kubernetes.sys, "executable", str(program))
    said = []
    with pytest.raises(kubernetes.KubernetesError) as told:
        kubernetes.ensure(said.append)
    log = cache / "build.log"
    assert str(told.value) == (
        f"Kubernetes' own programs could not be built: the mirror is away (all of it: {log})"
    )
    assert log.read_text() == "noise\nthe mirror is away\n"
    assert said[-1] == "compiling"
    assert [path.name for path in cache.iterdir() if path.is_dir()] == []


def test_the_command_prints_the_sentence_alone(cache, monkeypatch, capsys):
    monkeypatch.setattr(host, "unable", lambda: "It needs root.")
    assert kubernetes.main() == 1
    told = capsys.readouterr()
    assert (told.out, told.err) == ("", "It needs root.\n")


def test_the_source_of_another_release_is_refused():
    with pytest.raises(kubernetes_recipe.Failed, match=r"is 1\.33\.4\+ds-1, and not 1\.20\.2"):
        kubernetes_recipe.source_version(["kubernetes_1.33.4+ds-1.dsc"])


def test_the_source_is_known_by_what_it_really_is():
    names = [f"kubernetes_{VERSION}.dsc", "kubernetes_1.20.5+really1.20.2.orig.tar.gz"]
    assert kubernetes_recipe.source_version(names) == VERSION
