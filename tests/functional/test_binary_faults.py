"""What goes wrong while a program is fetched and copied: the old one runs on, and the next run ends well."""

from __future__ import annotations

import hashlib
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import kube_node_mirror
import pytest

from functional.binaries import files, run

PAGE = b"\n<!DOCTYPE html><title>Not found</title>"
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: it mounts a file system")
Mirror = Callable[..., str]


@pytest.fixture
def mirror(modules) -> Iterator[Mirror]:
    """Return a function that has a mirror answer in some way, and returns its URL."""
    modules.kube_node_binaries.forget()
    servers: list[ThreadingHTTPServer] = []

    def answering(answer: Callable[[BaseHTTPRequestHandler], None]) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                answer(self)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        servers.append(ThreadingHTTPServer(("127.0.0.1", 0), Handler))
        threading.Thread(target=servers[-1].serve_forever).start()
        return f"http://127.0.0.1:{servers[-1].server_port}"

    yield answering
    for server in servers:
        server.shutdown()
        server.server_close()


def sends(content: bytes, length: int | None = None) -> Callable[[BaseHTTPRequestHandler], None]:
    """Return an answer with a content, which may be shorter than it says."""

    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.send_header("Content-Length", str(length or len(content)))
        request.end_headers()
        request.wfile.write(content)

    return answer


def content(program) -> bytes:
    """Return what a program's source has."""
    return Path(program.source.removeprefix("file://")).read_bytes()


def test_a_program_comes_from_a_mirror(states, new, mirror):
    url = mirror(sends(content(new)))
    assert states.kube_node.binary_installed(**new.arguments() | {"source": url}).result is True
    assert run(new.name) == "v1.36.2"


def test_what_was_fetched_before_a_run_is_not_fetched_again(states, modules, new, mirror):
    asked = []
    url = mirror(lambda request: (asked.append(request.path), sends(content(new))(request)))
    modules.kube_node_binaries.offered(new.path, url, new.sha256)
    states.kube_node.binary_installed(**new.arguments() | {"source": url})
    assert asked == ["/"]
    modules.kube_node_binaries.forget()
    modules.kube_node_binaries.offered(new.path, url, new.sha256)
    assert asked == ["/", "/"]


@pytest.fixture
def refused(states, installed, new, mirror, tmp_path) -> Callable[..., str]:
    """Return a function that has a mirror answer, and says why nothing was installed by it."""

    def told(answer: Callable[[BaseHTTPRequestHandler], None]) -> str:
        url = mirror(answer)
        before = files(tmp_path)
        result = states.kube_node.binary_installed(**new.arguments() | {"source": url})
        assert (result.result, result.changes, files(tmp_path)) == (False, {}, before)
        assert run(new.name) == "v1.36.1"
        return result.comment.replace(url, "URL")

    return told


def test_a_mirror_that_has_nothing_is_told(refused):
    told = refused(lambda request: request.send_error(404))
    assert told == "URL is not there (404 Not Found), put the file there or correct the source"


def test_a_mirror_that_answers_with_a_page_is_told(refused, new):
    found = hashlib.sha256(PAGE).hexdigest()
    assert refused(sends(PAGE)) == (
        f"{new.sha256} is not the digest of URL, which has {found} and is a web page, "
        "correct the one that is wrong"
    )


def test_a_mirror_that_ends_too_soon_is_told(refused, new):
    part = content(new)[:9]
    found = hashlib.sha256(part).hexdigest()
    assert refused(sends(part, len(content(new)))) == (
        f"{new.sha256} is not the digest of URL, which has {found}, correct the one that is wrong"
    )


@pytest.mark.parametrize("after", ["the question", "the first bytes"])
def test_a_mirror_that_hangs_is_told(refused, monkeypatch, after: str):
    monkeypatch.setattr(kube_node_mirror, "SILENT_SECONDS", 0.2)
    done = threading.Event()

    def hang(request: BaseHTTPRequestHandler) -> None:
        if after == "the first bytes":
            sends(b"#!/bin/sh\n", 1000)(request)
        done.wait()

    began = time.monotonic()
    try:
        assert refused(hang) == "URL cannot be fetched (timed out), mend that or correct the source"
    finally:
        done.set()
    assert time.monotonic() - began < 10


def test_a_mirror_that_never_ends_is_told(refused, monkeypatch):
    monkeypatch.setattr(kube_node_mirror, "FETCH_SECONDS", 0)
    told = refused(sends(b"#!/bin/sh\n"))
    assert told == "URL cannot be fetched (it was not done after 0 s), mend that or correct the source"


def test_a_mirror_that_is_not_there_is_told(states, modules, new):
    modules.kube_node_binaries.forget()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
        result = states.kube_node.binary_installed(**new.arguments() | {"source": url})
    assert (result.result, result.comment) == (
        False,
        f"{url} cannot be fetched ([Errno 111] Connection refused), mend that or correct the source",
    )


def test_the_digest_that_a_mirrors_file_had_is_kept(states, loaders, new, mirror, monkeypatch):
    url = mirror(lambda request: sends(f"{new.sha256}  kubelet\n".encode())(request))
    # What is trusted is https alone; here it stands for it, without a certificate.
    fetch = kube_node_mirror.fetch
    monkeypatch.setattr(
        kube_node_mirror, "fetch", lambda asked, *rest: fetch(asked.replace("https:", "http:"), *rest)
    )
    program = new.arguments() | {"sha256": f"{url.replace('http:', 'https:')}/SHA256SUMS"}
    assert states.kube_node.binary_installed(**program).result is True
    monkeypatch.setattr(kube_node_mirror, "fetch", None)
    assert states.kube_node.binary_installed(**program).changes == {}
    Path(new.path).write_text("damaged")
    monkeypatch.setattr(kube_node_mirror, "fetch", lambda *_: (_ for _ in ()).throw(OSError("no route")))
    result = states.kube_node.binary_installed(**program)
    assert (result.result, "SHA256SUMS cannot be fetched (no route)" in result.comment) == (False, True)


@pytest.fixture
def full(tmp_path: Path) -> Iterator[Path]:
    """Return a folder with room for a few kilobytes."""
    folder = tmp_path / "versions"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", folder], check=True)
    yield folder
    subprocess.run(["umount", folder], check=True)


@needs_root
def test_a_full_disk_is_told_and_the_next_run_ends_well(states, new, full, tmp_path):
    served = Path(new.source.removeprefix("file://"))
    served.write_bytes(served.read_bytes() + b"#" * 65536)
    program = new.arguments() | {"sha256": hashlib.sha256(served.read_bytes()).hexdigest()}
    result = states.kube_node.binary_installed(**program)
    assert (result.result, result.changes, result.comment) == (
        False,
        {},
        f"{full}/v1.36.2 cannot be written to (No space left on device), make room there or mend it",
    )
    assert files(tmp_path) == []
    subprocess.run(["mount", "-o", "remount,size=1m", full], check=True)
    assert states.kube_node.binary_installed(**program).result is True
    assert run(new.name) == "v1.36.2"


@pytest.mark.parametrize("moment", ["fsync", "replace"])
def test_a_run_that_is_killed_in_its_copy_is_ended_by_the_next(states, installed, new, monkeypatch, moment):
    reached, told = os.pipe()

    def stop(*_: object) -> None:
        os.write(told, b"here")
        signal.pause()

    child = os.fork()
    if not child:
        target = os if moment == "fsync" else Path
        monkeypatch.setattr(target, moment, stop)
        states.kube_node.binary_installed(**new.arguments())
        os._exit(1)
    assert os.read(reached, 4) == b"here"
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    os.close(reached), os.close(told)
    assert Path(f"{new.path}.part").exists()
    assert not Path(new.path).exists()
    assert run(new.name) == "v1.36.1"
    assert states.kube_node.binary_installed(**new.arguments()).result is True
    assert run(new.name) == "v1.36.2"
    assert not Path(f"{new.path}.part").exists()
