"""What containerd would run with, beside what its configuration says."""

from __future__ import annotations

import kube_node_containerd
import pytest

CONFIG = """# A comment.
version = 3

[plugins."io.containerd.cri.v1.images".pinned_images]
  sandbox = "registry.k8s.io/pause:3.10.2"

[plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc.options]
  SystemdCgroup = true
"""
# As containerd 2 prints it, with much beside.
DUMP = """version = 3
root = '/var/lib/containerd'

[plugins]
  [plugins.'io.containerd.cri.v1.images']
    snapshotter = 'overlayfs'

    [plugins.'io.containerd.cri.v1.images'.pinned_images]
      sandbox = 'registry.k8s.io/pause:3.10.2'

  [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]
    BinaryName = ''
    SystemdCgroup = true
"""


def test_what_takes_effect_is_no_difference():
    assert kube_node_containerd.differences(CONFIG, DUMP) == []


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "SystemdCgroup = true",
            "SystemdCgroup = false",
            '[plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc.options] SystemdCgroup is '
            "false, not true",
        ),
        (
            "pinned_images",
            "images",
            '[plugins."io.containerd.cri.v1.images".pinned_images] sandbox is not there, '
            'not "registry.k8s.io/pause:3.10.2"',
        ),
        ("version = 3", "version = 2", "version is 2, not 3"),
    ],
)
def test_what_does_not_take_effect_is_told(old: str, new: str, said: str):
    assert kube_node_containerd.differences(CONFIG, DUMP.replace(old, new)) == [said]


def test_the_same_key_of_another_section_is_another():
    dump = DUMP.replace("SystemdCgroup = true", "") + "  [other]\n    SystemdCgroup = true\n"
    assert len(kube_node_containerd.differences(CONFIG, dump)) == 1


def test_credentials_are_not_compared_and_so_never_shown():
    login = '\n[plugins."io.containerd.cri.v1.images".registry.configs."x".auth]\n  password = "secret"\n'
    assert kube_node_containerd.differences(CONFIG + login, DUMP) == []
