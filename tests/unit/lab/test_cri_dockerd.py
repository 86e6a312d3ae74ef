"""The double of cri-dockerd: strict about its flags, up when Docker is, and there for the kubelet."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import UnixStreamServer

import pytest
from lab.waiting import until

VERSION = "1.36.2"


class _Docker(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def docker(short: Path) -> Iterator[str]:
    """Return the endpoint of a Docker that answers."""
    with UnixStreamServer(str(short / "docker.sock"), _Docker) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"unix://{short / 'docker.sock'}"
        server.shutdown()


@pytest.fixture
def short(tmp_path_factory) -> Path:
    """Return a folder whose path is short enough for a socket's."""
    return tmp_path_factory.mktemp("cri")


def accepts(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        return client.connect_ex(str(path)) == 0


def test_it_tells_the_release_that_goes_with_the_kubernetes_that_it_was_built_for(machine):
    assert machine.run("cri-dockerd", VERSION, "--version").stdout == "cri-dockerd 0.4.3 (double)\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--cgroup-drive=systemd"], "unknown flag: --cgroup-drive"),
        (["--network-plugin-mtu=much"], "invalid argument"),
        (["now"], "Unknown command: now"),
        (["--network-plugin=calico"], "didn't find compatible CNI plugin"),
    ],
)
def test_what_it_does_not_know_ends_it(machine, docker, arguments: list[str], said: str):
    found = machine.run("cri-dockerd", VERSION, f"--docker-endpoint={docker}", *arguments)
    assert found.returncode == 1
    assert said in found.stderr


def test_it_does_not_come_up_without_docker(machine, short):
    found = machine.run("cri-dockerd", VERSION, f"--docker-endpoint=unix://{short}/none.sock")
    assert found.returncode == 1
    assert "Failed to execute Info() call to the Docker client" in found.stderr


def test_a_socket_of_systemds_must_be_there(machine, docker):
    found = machine.run(
        "cri-dockerd", VERSION, f"--docker-endpoint={docker}", "--container-runtime-endpoint=fd://"
    )
    assert "no sockets found via socket activation" in found.stderr


def test_the_kubelet_finds_it_on_its_socket(machine, docker, short):
    path = short / "cri.sock"
    flags = (f"--docker-endpoint={docker}", f"--container-runtime-endpoint=unix://{path}")
    process = machine.start("cri-dockerd", VERSION, *flags)
    until(lambda: accepts(path), "a connection", seconds=15)
    assert process.stop() == 0
