"""The double runs as a program of its own, with the flags of the real ones."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import lab
import pytest
from lab.apiserver import clock

from unit.lab.apiserver_cluster import Cluster


def test_it_serves_until_it_is_told_to_stop(certificates, tmp_path):
    ca, serving = certificates
    port_file = tmp_path / "port"
    flags = {
        "client-ca-file": ca.certificate,
        "tls-cert-file": serving.certificate,
        "tls-private-key-file": serving.key,
        "cluster-signing-cert-file": ca.certificate,
        "cluster-signing-key-file": ca.key,
        "cluster-signing-duration": "1h30m",
        "secure-port": 0,
        "port-file": port_file,
        "version": "1.33.1",
    }
    arguments = [f"--{name}={value}" for name, value in flags.items()]
    environment = {**os.environ, "PYTHONPATH": str(Path(lab.__file__).parents[1])}
    with subprocess.Popen([sys.executable, "-m", "lab.apiserver", *arguments], env=environment) as process:
        try:
            deadline = time.monotonic() + 20
            while not port_file.exists() or not port_file.read_text().endswith("\n"):
                assert process.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.02)
            cluster = Cluster(f"https://127.0.0.1:{port_file.read_text().strip()}", ca, tmp_path)
            assert cluster.read("/version")["gitVersion"] == "v1.33.1"
        finally:
            process.terminate()
        assert process.wait(10) == 0


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
