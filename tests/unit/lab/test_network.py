"""The lab's addresses and command lines, and how its processes are ended."""

from __future__ import annotations

import subprocess

from lab import network
from lab.network import Network


def test_machines_have_addresses_beside_the_gateway():
    assert [network.address(number) for number in (1, 2)] == ["10.77.0.11", "10.77.0.12"]


def test_a_command_enters_the_network_namespace_alone():
    assert Network("kube-node-x").command("ip", "address") == [
        *("nsenter", "--net=/run/netns/kube-node-x", "--", "ip", "address")
    ]


def test_a_network_that_is_not_there_has_no_processes():
    assert Network("kube-node-not-there").processes() == []


def test_taking_down_a_network_that_is_not_there_is_fine():
    assert Network("kube-node-not-there").down() is None


def test_ending_kills_what_is_found_until_there_is_none():
    process = subprocess.Popen(["sleep", "60"])
    network.end(lambda: [process.pid] if process.poll() is None else [])
    assert process.returncode == -9


def test_ending_spares_a_process_that_is_no_longer_found():
    process = subprocess.Popen(["sleep", "60"])
    answers = iter([[process.pid], []])
    network.end(lambda: next(answers, []))
    assert process.poll() is None
    process.kill()
    process.wait()
