"""kube_node.images_loaded: archives are loaded where an image lacks, each checked first. ctr is a fake."""

from __future__ import annotations

from pathlib import Path

import pytest
from unit.archives import archive
from unit.nodes import pillar

# It imports whatever is in the file `archive.names`, and lists what lies in its folder.
CTR = """#!/bin/sh
cd "{folder}" || exit
[ -e down ] && echo "cannot connect" >&2 && exit 1
case "$*" in
    *"images ls") echo "REF TYPE DIGEST SIZE"; cat images 2>/dev/null; exit 0;;
    *"images import"*) echo x >>imports; cat names >>images;;
esac
"""


@pytest.fixture
def runtime(tmp_path, monkeypatch) -> Path:
    """Return the folder of a stand-in for containerd: a line of `names` is what an import brings."""
    folder = tmp_path / "runtime"
    folder.mkdir()
    (folder / "ctr").write_text(CTR.format(folder=folder))
    (folder / "ctr").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    (folder / "names").write_text("example.org/tiny:1 type sha256:aa 1\n")
    return folder


@pytest.fixture
def one(runtime, node, modules, tmp_path, monkeypatch) -> dict:
    """Return an archive as the pillar has it."""
    source = tmp_path / "tiny.tar"
    sha256 = archive(source, "example.org/tiny:1")
    found = {"source": f"file://{source}", "sha256": sha256, "images": ["example.org/tiny:1"]}
    node(pillar({"images": {"archives": [found]}}))
    return found


def load(states, archives: list, **more) -> tuple:
    result = states.kube_node.images_loaded(name="images-loaded", archives=archives, **more)
    return result.result, result.changes, result.comment


def imports(runtime: Path) -> int:
    return len((runtime / "imports").read_text().split()) if (runtime / "imports").exists() else 0


def test_an_archive_is_loaded_once_and_a_test_run_foretells_it(states, runtime, one):
    changes = {"example.org/tiny:1": f"loaded from {one['source']}"}
    assert load(states, [one], test=True)[:2] == (None, changes)
    assert imports(runtime) == 0
    assert load(states, [one])[:2] == (True, changes)
    for test in (True, False):
        assert load(states, [one], test=test) == (True, {}, "Every image of an archive is there")
    assert imports(runtime) == 1


def test_an_archive_of_which_all_is_there_is_not_fetched(states, one):
    load(states, [one])
    Path(one["source"].removeprefix("file://")).unlink()
    assert load(states, [one])[0] is True


@pytest.mark.parametrize("images", ["", "example.org/tiny:1 type sha256:bb 1\n"])
def test_an_image_that_is_gone_or_another_is_loaded_again(states, runtime, one, images: str):
    load(states, [one])
    (runtime / "images").write_text(images)
    load(states, [one])
    assert imports(runtime) == 2


def test_an_archive_that_is_another_is_not_loaded(states, runtime, one):
    wrong = one | {"sha256": "0" * 64}
    result, changes, comment = load(states, [wrong])
    assert (result, changes, imports(runtime)) == (False, {}, 0)
    assert comment == f"{'0' * 64} is not the digest of {one['source']}, which has {one['sha256']}"


def test_an_archive_that_is_not_there_is_told(states, one):
    gone = one | {"source": "salt://nowhere.tar"}
    assert load(states, [gone])[2].startswith("salt://nowhere.tar is not there")


def test_an_archive_without_its_image_is_told(states, runtime, one):
    (runtime / "names").write_text("example.org/other:1 type sha256:aa 1\n")
    assert load(states, [one])[2] == (
        f"{one['source']} was loaded and holds no example.org/tiny:1: correct images.archives"
    )


def test_one_bad_archive_keeps_no_other_out(states, one):
    gone = one | {"source": "salt://nowhere.tar", "sha256": "1" * 64}
    result, changes, _ = load(states, [gone, one])
    assert (result, list(changes)) == (False, ["example.org/tiny:1"])


def test_a_runtime_that_is_away_is_told_but_in_a_test_run(states, runtime, one):
    (runtime / "down").touch()
    assert load(states, [one], test=True)[0] is None
    result, _, comment = load(states, [one])
    assert result is False
    assert comment.endswith("ended with 1: cannot connect")


def test_no_archives_are_no_work(states, runtime, one):
    (runtime / "down").touch()
    assert load(states, []) == (True, {}, "Every image of an archive is there")


def test_what_a_node_needs_is_listed(modules, states, runtime, one):
    load(states, [one])
    assert modules.kube_node.images() == [
        {
            "image": "example.org/tiny:1",
            "needed_by": ["images.archives"],
            "archive": one["source"],
            "present": True,
        },
        {
            "image": "registry.k8s.io/pause:3.10.2",
            "needed_by": ["runtime.sandbox_image"],
            "archive": None,
            "present": False,
        },
    ]
    (runtime / "down").touch()
    assert {image["present"] for image in modules.kube_node.images()} == {None}
