"""Files of checksums: each source finds its own line, and no other's."""

from __future__ import annotations

import kube_node_checksums as checksums
import pytest

A, B = "a" * 64, "b" * 64
SOURCE = "https://mirror.example.org/v1.36.2/bin/linux/amd64/kubelet"


@pytest.mark.parametrize(
    "text",
    [
        A,
        f"{A}\n",
        f"{A.upper()}  kubelet\n",
        f"{A}  kubelet\n{B}  kube-proxy\n",
        f"{A} *kubelet\n",
        f"{A}  ./kubelet\n",
        f"# of the release\n\n{A}  amd64/kubelet\n{B}  arm64/kubelet\n",
        f"{A}  kubelet\n{A}  bin/linux/amd64/kubelet\n",
    ],
)
def test_a_source_finds_its_digest(text: str):
    assert checksums.find(text, SOURCE) == A


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "has no line for kubelet"),
        (f"{A}  kubelet.exe\n", "has no line for kubelet"),
        (f"{A}  notkubelet\n", "has no line for kubelet"),
        (f"{A}  arm64/kubelet\n", "has no line for kubelet"),
        (f"{A[1:]}  kubelet\n", "has no line for kubelet"),
        (f"{A}\n{B}\n", "has no line for kubelet"),
        (f"{A}  kubelet\n{B}  amd64/kubelet\n", "has several lines for kubelet that differ"),
    ],
)
def test_what_is_not_its_own_is_not_taken(text: str, fault: str):
    with pytest.raises(ValueError, match=f"^{fault}$"):
        checksums.find(text, SOURCE)


def test_what_is_written_is_read():
    assert checksums.lines(checksums.write({"kubelet": A, "kube-proxy": B})) == [
        (A, "kubelet"),
        (B, "kube-proxy"),
    ]
