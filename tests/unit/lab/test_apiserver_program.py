"""The double runs as a program of its own, with the flags of the real ones."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import lab
import pytest
from lab.apiserver import clock

from unit.lab.apiserver_cluster import Cluster


@pytest.fixture
def start(certificates, tmp_path):
    """Start `python -m lab.apiserver` with flags of the test's choice."""
    ca, serving = certificates

    def start(**flags):
        files = {
            "client-ca-file": ca.certificate,
            "tls-cert-file": serving.certificate,
            "tls-private-key-file": serving.key,
            "cluster-signing-cert-file": ca.certificate,
            "cluster-signing-key-file": ca.key,
            "port-file": tmp_path / "port",
        }
        given = {**files, **{name.replace("_", "-"): value for name, value in flags.items()}}
        arguments = [f"--{name}={value}" for name, value in given.items()]
        environment = {**os.environ, "PYTHONPATH": str(Path(lab.__file__).parents[1])}
        program = [sys.executable, "-m", "lab.apiserver", *arguments]
        return subprocess.Popen(program, env=environment, stderr=subprocess.PIPE, text=True)

    return start


def port(process, file):
    deadline = time.monotonic() + 20
    while not file.exists() or not file.read_text().endswith("\n"):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return int(file.read_text())


def test_it_serves_until_it_is_told_to_stop(start, certificates, tmp_path):
    with start(secure_port=0, version="1.33.1", cluster_signing_duration="1h30m") as process:
        url = f"https://127.0.0.1:{port(process, tmp_path / 'port')}"
        assert Cluster(url, certificates[0], tmp_path).read("/version")["gitVersion"] == "v1.33.1"
        process.terminate()
        assert process.wait(10) == 0


def test_a_port_that_is_taken_is_told_in_a_sentence(start):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        number = taken.getsockname()[1]
        with start(secure_port=number) as process:
            said = process.communicate(timeout=20)[1]
    assert process.returncode == 1
    assert said.startswith("lab.apiserver cannot start: ")
    assert f"('127.0.0.1', {number}): address already in use" in said


@pytest.mark.parametrize(
    ("text", "seconds"), [("8760h", 31536000), ("1h30m", 5400), ("45s", 45), ("1.5m", 90), ("500ms", 0.5)]
)
def test_durations_are_written_as_in_go(text, seconds):
    assert clock.duration(text).total_seconds() == seconds


@pytest.mark.parametrize("text", ["", "1", "1 h", "h", "1d"])
def test_what_is_no_duration_says_how_to_write_one(text):
    with pytest.raises(ValueError, match=r"is no duration; write it as 8760h, 1h30m or 45s"):
        clock.duration(text)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"), (119, "119s"), (120, "2m"), (185, "3m5s"), (3600, "60m"), (3 * 3600, "3h"),
        (5 * 3600 + 60, "5h1m"), (47 * 3600, "47h"), (50 * 3600, "2d2h"), (30 * 86400, "30d"),
        (800 * 86400, "2y70d"), (9 * 365 * 86400, "9y"),
    ],
)  # fmt: skip
def test_ages_are_written_as_kubectl_does(seconds, text):
    assert clock.human(seconds) == text
