"""A mirror by https: trusted by its CA alone, and never left for http."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import kube_node_mirror as mirror
import pytest
from lab import pki

CONTENT = b"#!/bin/sh\n"


class Answers(BaseHTTPRequestHandler):
    """Serve the content at /kubelet; lead to another place from /to/SCHEME."""

    def do_GET(self) -> None:
        host = f"127.0.0.1:{self.server.server_port}"
        if self.path.startswith("/to/"):
            self.send_response(302)
            self.send_header("Location", f"{self.path.removeprefix('/to/')}://{host}/kubelet")
            self.end_headers()
            return
        self.send_response(200)
        self.end_headers()
        self.wfile.write(CONTENT)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def authority(tmp_path: Path) -> pki.Pair:
    """Return the CA that the mirror's certificate is by."""
    return pki.authority(tmp_path)


@pytest.fixture
def url(authority: pki.Pair, tmp_path: Path) -> Iterator[str]:
    """Return the URL of a mirror that speaks TLS."""
    pair = pki.server(authority, tmp_path, "mirror", ["127.0.0.1"])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.certificate, pair.key)
    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"https://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture
def fetch(authority: pki.Pair, url: str, tmp_path: Path) -> Callable[..., bytes]:
    """Return a function that fetches a path from the mirror, and returns what came."""

    def fetched(path: str, ca: Path | None = authority.certificate) -> bytes:
        mirror.fetch(f"{url}{path}", tmp_path / "kubelet", ca and str(ca), {})
        return (tmp_path / "kubelet").read_bytes()

    return fetched


@pytest.mark.parametrize("path", ["/kubelet", "/to/https"])
def test_a_file_comes_by_https(fetch, path: str):
    assert fetch(path) == CONTENT


def test_https_is_not_left_for_http(fetch, tmp_path):
    with pytest.raises(OSError, match=r"it leads to http://127\.0\.0\.1:[0-9]+/kubelet, which is not https"):
        fetch("/to/http")
    assert not (tmp_path / "kubelet").exists()


def test_another_ca_than_its_own_is_not_enough(fetch, tmp_path):
    other = pki.authority(tmp_path, "other").certificate
    with pytest.raises(OSError, match="certificate verify failed"):
        fetch("/kubelet", other)
    assert not (tmp_path / "kubelet").exists()
