"""Images by their full names, what a node needs of them, and what ctr lists."""

from __future__ import annotations

import kube_node_images as images
import pytest

from unit.nodes import compiled, faults, pillar

ARCHIVE = {"source": "salt://a.tar", "sha256": "c" * 64, "images": ["registry.k8s.io/pause:3.10.2", "tiny:1"]}


@pytest.mark.parametrize(
    ("image", "full"),
    [
        ("nginx", "docker.io/library/nginx:latest"),
        ("nginx:1", "docker.io/library/nginx:1"),
        ("docker.io/nginx:1", "docker.io/library/nginx:1"),
        ("calico/node:v3", "docker.io/calico/node:v3"),
        ("registry.k8s.io/pause:3.10", "registry.k8s.io/pause:3.10"),
        ("localhost/a", "localhost/a:latest"),
        ("registry:5000/a", "registry:5000/a:latest"),
        (f"a@sha256:{'0' * 64}", f"docker.io/library/a@sha256:{'0' * 64}"),
    ],
)
def test_full_name(image: str, full: str):
    assert images.canonical(image) == full


def test_a_node_needs_its_sandbox_image():
    assert images.needed(compiled()) == {
        "registry.k8s.io/pause:3.10.2": {"needed_by": ["runtime.sandbox_image"], "archive": None}
    }


def test_an_archive_brings_what_it_says():
    assert images.needed(compiled({"images": {"archives": [ARCHIVE]}})) == {
        "registry.k8s.io/pause:3.10.2": {
            "needed_by": ["runtime.sandbox_image", "images.archives"],
            "archive": "salt://a.tar",
        },
        "docker.io/library/tiny:1": {"needed_by": ["images.archives"], "archive": "salt://a.tar"},
    }


def test_what_ctr_lists():
    table = (
        "REF        TYPE         DIGEST       SIZE     PLATFORMS   LABELS\n"
        "a.org/b:1  application/vnd.oci.image.index.v1+json sha256:f7 10.6 KiB linux/amd64,linux/arm64 a=b\n"
        "c.org/d:2  application/vnd.docker.distribution.manifest.v2+json sha256:e2 1.0 B linux/amd64 -\n"
    )
    assert images.listed(table) == {"a.org/b:1": "sha256:f7", "c.org/d:2": "sha256:e2"}
    assert images.listed("") == {}


@pytest.mark.parametrize(
    ("archives", "said"),
    [
        (["a.tar"], "'a.tar' is not an archive, write {source: …, sha256: …, images: [NAME:TAG]}"),
        ([ARCHIVE | {"images": []}], "'salt://a.tar' has no images, name those that are in it"),
        ([ARCHIVE | {"source": "/a.tar"}], "'/a.tar' is not a source, write a folder as salt://…"),
        (
            [ARCHIVE | {"images": [f"a@sha256:{'0' * 64}"]}],
            f"'a@sha256:{'0' * 64}' goes by digest, write NAME:TAG: sha256 of the archive says which it is",
        ),
        (
            [ARCHIVE, ARCHIVE | {"source": "salt://b.tar", "images": ["docker.io/library/tiny:1"]}],
            "'docker.io/library/tiny:1' is in two of them, name it in one",
        ),
    ],
)
def test_faulty_archives(archives: list, said: str):
    [fault] = faults(pillar({"images": {"archives": archives}}))
    assert fault.startswith(f"images.archives: {said}")
