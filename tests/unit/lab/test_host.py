"""Where the lab puts things, and what it says of a machine that can't run it."""

from __future__ import annotations

from pathlib import Path

import pytest
from lab import host


def test_the_cache_is_where_kube_node_cache_says(monkeypatch):
    monkeypatch.setenv("KUBE_NODE_CACHE", "/srv/cache")
    assert host.cache() == Path("/srv/cache")


def test_the_cache_follows_xdg(monkeypatch):
    monkeypatch.delenv("KUBE_NODE_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", "/home/me/caches")
    assert host.cache() == Path("/home/me/caches/kube_node")


def test_the_cache_is_in_the_home_folder_otherwise(monkeypatch):
    monkeypatch.delenv("KUBE_NODE_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    monkeypatch.setenv("HOME", "/home/me")
    assert host.cache() == Path("/home/me/.cache/kube_node")


def test_another_system_gets_one_sentence(monkeypatch):
    monkeypatch.setattr(host.sys, "platform", "darwin")
    assert host.unable() == "The lab's machines need Linux with systemd-nspawn, this is darwin."


def test_a_user_gets_one_sentence(monkeypatch):
    monkeypatch.setattr(host.os, "geteuid", lambda: 1000)
    assert host.unable() == (
        "The lab's machines need root, to make namespaces and mounts of their own: try again with sudo."
    )


def test_missing_tools_are_named_with_their_packages(monkeypatch):
    monkeypatch.setattr(host.os, "geteuid", lambda: 0)
    missing = {"systemd-nspawn", "debootstrap"}
    monkeypatch.setattr(host.shutil, "which", lambda tool: None if tool in missing else f"/usr/bin/{tool}")
    assert host.unable() == (
        "The lab's machines need debootstrap, systemd-nspawn: "
        "install the packages debootstrap systemd-container."
    )


def test_a_user_is_told_which_packages_to_install(monkeypatch):
    monkeypatch.setattr(host.os, "geteuid", lambda: 1000)
    with pytest.raises(host.MissingPackages) as raised:
        host.install(["gcc", "libc6-dev"])
    assert str(raised.value) == "these OS packages are needed, as root: apt-get install gcc libc6-dev"


def test_nothing_to_install_needs_no_root(monkeypatch):
    monkeypatch.setattr(host.os, "geteuid", lambda: 1000)
    assert host.install([]) is None
