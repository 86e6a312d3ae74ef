"""Small HTTP servers for health and status, each in a thread of its own."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from . import clock


@dataclass(frozen=True)
class Answer:
    """What a server answers."""

    code: int
    body: str
    content_type: str = "text/plain; charset=utf-8"


#: Answers a request for a path.
Responder = Callable[[BaseHTTPRequestHandler], Answer]


class Server(ThreadingHTTPServer):
    """A server on IPv4 or IPv6 that keeps quiet; `respond` answers every GET."""

    daemon_threads = True
    respond: Responder

    def __init__(self, host: str, port: int, respond: Responder) -> None:
        if ipaddress.ip_address(host).version == 6:
            self.address_family = socket.AF_INET6
        self.respond = respond
        super().__init__((host, port), _Handler)

    def handle_error(self, request, client_address) -> None:
        """A client that went away is no news."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def do_GET(self) -> None:
        answer = self.server.respond(self)
        body = answer.body.encode()
        self.send_response(answer.code)
        self.send_header("Content-Type", answer.content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args) -> None:
        """The real servers log no requests."""


def serve(host: str, port: int, respond: Responder) -> None:
    """Listen now and serve from a thread until the process ends. Raises OSError when the port is taken."""
    clock.start(f"http-{port}", Server(host, port, respond).serve_forever)


def paths(answers: dict[str, Callable[[], Answer]]) -> Responder:
    """A responder that knows these paths, the query aside, and answers 404 to all others."""

    def respond(request: BaseHTTPRequestHandler) -> Answer:
        found = answers.get(request.path.partition("?")[0])
        return found() if found else Answer(404, "404 page not found\n")

    return respond
