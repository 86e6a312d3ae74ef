"""What a failed build in the lab's throw-away root is told by."""

from __future__ import annotations

import pytest
from lab import scratch

# What apt said of a mirror's file that was changed, and where there was no mirror.
MISMATCH = """\
E: Failed to fetch http://mirror/kubernetes_1.20.5+really1.20.2.orig.tar.gz  Hash Sum mismatch
   Hashes of expected file:
E: Failed to fetch some archives.
"""


@pytest.mark.parametrize(
    ("output", "cause"),
    [
        (
            MISMATCH,
            "Failed to fetch http://mirror/kubernetes_1.20.5+really1.20.2.orig.tar.gz  Hash Sum mismatch",
        ),
        ("compiling\nlink: no space left on device\n\n", "link: no space left on device"),
        ("", "it said nothing"),
    ],
)
def test_the_cause_is_apts_first_error_or_else_the_last_line(output, cause):
    assert scratch.cause(output) == cause
