"""The machine below Kubernetes: swap stays off, kernel settings outlive a boot, and a minimum is one."""

from __future__ import annotations

import json

import pytest
from lab.machine import Machine

from nodes.conftest import changed

FSTAB = "LABEL=root / ext4 defaults 0 1\n/swapfile none swap sw 0 0\n# UUID=1 none swap sw 0 0\n"
MINIMUMS = "/etc/sysctl.d/10-kube-node-minimums.conf"
NETWORKD = {"systemd-networkd-links", "systemd-networkd-routes", "systemd-networkd-reloaded"}
# A package at which dpkg is killed when it configures it first, in a folder that apt takes it from.
CONTROL = "Package: deadly\nVersion: 1\nArchitecture: all\nMaintainer: lab\nDescription: deadly\n"
POSTINST = "#!/bin/sh\n[ -e /root/apt/killed ] || { touch /root/apt/killed; kill -9 $PPID; }\n"
SERVE = """set -e; cd /root/apt; chmod 755 deadly/DEBIAN/postinst; dpkg-deb --build deadly
{ cat deadly/DEBIAN/control; stat --format='Filename: ./%n\nSize: %s' deadly.deb
sha256sum deadly.deb | sed 's/^/SHA256: /; s/  .*//'; } >Packages
mv /etc/apt/sources.list . ; echo 'deb [trusted=yes] file:/root/apt ./' >/etc/apt/sources.list"""
CLEAR = "dpkg --purge deadly; mv /root/apt/sources.list /etc/apt/; rm -rf /root/apt /var/lib/apt/lists"
# A kernel parameter that each machine here has for itself.
BACKLOG = "net.ipv4.tcp_max_syn_backlog"


@pytest.fixture
def machine(lab):
    """Return the second machine with a swap file in its fstab; all is put back afterwards."""
    machine = lab.machines[1]
    backlog = machine.run("sysctl", "-n", BACKLOG).stdout.strip()
    machine.run("sh", "-c", "cp /etc/fstab /root/fstab; cat > /etc/fstab", input=FSTAB)
    yield machine
    machine.run("systemctl", "unmask", "swap.target")
    machine.run("sh", "-c", f"mv /root/fstab /etc/fstab; rm -f {MINIMUMS}; sysctl -qw {BACKLOG}={backlog}")


def answer(lab, machine: Machine, os: dict, *arguments: str) -> dict[str, dict]:
    """Apply the states of the host with a pillar; return them."""
    pillar = json.dumps({"kube_node": {"os": os}})
    states = lab.master.salt(
        machine.minion_id, "state.apply", "kube_node.os", f"pillar={pillar}", *arguments
    )[machine.minion_id]
    assert isinstance(states, dict), states
    return states


def apply(lab, machine: Machine, os: dict, *arguments: str) -> set[str]:
    """Apply them, and fail with what a failed one said; return the ids of those that changed, or would."""
    states = answer(lab, machine, os, *arguments)
    assert [state["comment"] for state in states.values() if state["result"] is False] == []
    return changed(states)


def test_swap_is_kept_off_at_the_next_boot(lab, machine):
    predicted = apply(lab, machine, {"swap": "off"}, "test=True")
    assert machine.run("cat", "/etc/fstab").stdout == FSTAB
    assert apply(lab, machine, {"swap": "off"}) == predicted == {"swap-target-masked", "swap-out-of-fstab"}
    assert machine.run("cat", "/etc/fstab").stdout == FSTAB.replace(
        "/swapfile", "# Off for Kubernetes (kube_node): /swapfile"
    )
    assert machine.run("systemctl", "is-enabled", "swap.target", check=False).stdout.strip() == "masked"
    assert apply(lab, machine, {"swap": "off"}) == set()


def test_swap_is_left_alone_by_default(lab, machine):
    assert apply(lab, machine, {}) == set()
    assert machine.run("cat", "/etc/fstab").stdout == FSTAB


def test_a_minimum_is_raised_to_and_never_lowered(lab, machine):
    machine.run("sysctl", "-qw", f"{BACKLOG}=512")
    minimum = {"sysctl_minimums": {BACKLOG: 2048}}
    predicted = apply(lab, machine, minimum, "test=True")
    assert apply(lab, machine, minimum) == predicted == {f"{BACKLOG}-at-least"}
    assert machine.run("sysctl", "-n", BACKLOG).stdout.strip() == "2048"
    assert apply(lab, machine, {"sysctl_minimums": {BACKLOG: 1024}}) == set()
    assert machine.run("sysctl", "-n", BACKLOG).stdout.strip() == "2048"


def test_networkd_leaves_the_links_of_network_plugins_alone(lab, machine):
    files = "/etc/systemd/network/10-kube-node.network /etc/systemd/networkd.conf.d/kube-node.conf"
    # As in any container: else it waits for udev, which is not there, before it looks at a link.
    machine.run("mount", "-o", "remount,bind,ro", "/sys")
    machine.run("systemctl", "start", "systemd-networkd")
    try:
        predicted = apply(lab, machine, {}, "test=True")
        assert apply(lab, machine, {}) == predicted == NETWORKD
        machine.run("ip", "link", "add", "cali123", "type", "veth", "peer", "name", "veth123")
        assert "unmanaged" in machine.run("networkctl", "--no-legend", "list", "cali123").stdout
        assert apply(lab, machine, {}) == set()
    finally:
        machine.run("sh", "-c", f"ip link del cali123; rm -f {files}; systemctl stop systemd-networkd.socket")
        machine.run("systemctl", "stop", "systemd-networkd")
        machine.run("mount", "-o", "remount,bind,rw", "/sys")


def test_a_package_manager_that_was_killed_is_set_right(lab, machine):
    folder = machine.root / "root/apt/deadly/DEBIAN"
    folder.mkdir(parents=True)
    for name, text in (("control", CONTROL), ("postinst", POSTINST)):
        (folder / name).write_text(text)
    machine.run("sh", "-c", SERVE)
    try:
        states = answer(lab, machine, {"packages": ["deadly"]})
        assert [one["__id__"] for one in states.values() if one["result"] is False] == ["node-packages"]
        assert machine.run("ls", "/var/lib/dpkg/updates").stdout
        assert "interrupted-packages-configured" in apply(lab, machine, {"packages": ["deadly"]})
        assert apply(lab, machine, {"packages": ["deadly"]}) == set()
    finally:
        machine.run("sh", "-c", CLEAR)


def test_modules_and_parameters_are_there_for_the_next_boot(machine):
    assert "br_netfilter" in machine.run("cat", "/etc/modules-load.d/kube-node.conf").stdout
    assert "net.ipv4.ip_forward = 1" in machine.run("cat", "/etc/sysctl.d/95-kube-node.conf").stdout
