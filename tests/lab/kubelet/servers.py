"""The kubelet's own servers: HTTPS for the API server, the read-only one, and health.

It answers /healthz, /pods and /configz; who may ask is decided as far as it can be without asking the API
server: a client certificate of the client CA, or anybody when anonymous access is on.

Sources: pkg/kubelet/server/server.go, cmd/kubelet/app/server.go (InitializeTLS, BuildAuth).
"""

from __future__ import annotations

import json
import socket
import ssl
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from pathlib import Path

from cryptography import x509

from lab.component import clock, http_server, klog
from lab.component.http_server import Answer, Server

from .settings import Settings

_JSON = "application/json"
_NO_PODS = json.dumps({"kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": None})

#: Gives the PEM file with the serving certificate and key in use just now, None while there is none.
Certificate = Callable[[], Path | None]


def check_client_ca(settings: Settings) -> None:
    """Read the client CA file, if one is set. Raises ValueError with the kubelet's message."""
    path = settings["authentication.x509.clientCAFile"]
    if not path:
        return
    head = f"unable to load client CA file {path}:"
    try:
        pem = Path(path).read_bytes()
    except OSError as fault:
        raise ValueError(f"{head} open {path}: {(fault.strerror or str(fault)).lower()}") from None
    try:
        x509.load_pem_x509_certificates(pem)
    except ValueError:
        raise ValueError(f"{head} data does not contain any valid RSA or ECDSA certificates") from None


def serve_health(settings: Settings) -> None:
    """Serve /healthz on healthzBindAddress:healthzPort; try again every 5 seconds while the port is taken."""
    if settings["healthzPort"]:
        clock.start("healthz", _serve_health, settings["healthzBindAddress"], settings["healthzPort"])


def serve_read_only(settings: Settings) -> None:
    """Serve /healthz and /pods without encryption on readOnlyPort, when it is not 0."""
    if settings["readOnlyPort"]:
        _listen(
            lambda: http_server.serve(
                settings["address"], settings["readOnlyPort"], _responder(settings, False)
            )
        )


def serve_tls(settings: Settings, certificate: Certificate) -> None:
    """Serve HTTPS on address:port from a thread. Ends the process when the port is taken, as the real one."""
    address, port = settings["address"], settings["port"]
    klog.info("server.go:205", "Starting to listen", address=address, port=port)
    respond = _responder(settings, True)

    def serve() -> None:
        clock.start("kubelet", _TlsServer(settings, certificate, respond).serve_forever)

    _listen(serve)


def _serve_health(address: str, port: int) -> None:
    respond = http_server.paths({"/healthz": lambda: Answer(200, "ok")})
    while True:
        try:
            Server(address, port, respond).serve_forever()
        except OSError as fault:
            klog.error("server.go:949", _taken(address, port, fault), "Failed to start healthz server")
        clock.sleep(5)


def _listen(serve: Callable[[], None]) -> None:
    try:
        serve()
    except OSError as fault:
        klog.error(
            "server.go:237",
            f"listen tcp: bind: {(fault.strerror or str(fault)).lower()}",
            "Failed to listen and serve",
        )
        klog.leave(1)


def _taken(address: str, port: int, fault: OSError) -> str:
    return f"listen tcp {address}:{port}: bind: {(fault.strerror or str(fault)).lower()}"


def _responder(settings: Settings, guarded: bool) -> Callable[[BaseHTTPRequestHandler], Answer]:
    configuration = json.dumps({"kubeletconfig": settings.values}, default=str)
    answers = {
        "/healthz": lambda: Answer(200, "ok"),
        "/pods": lambda: Answer(200, _NO_PODS, _JSON),
        "/configz": lambda: Answer(200, configuration, _JSON),
    }
    found = http_server.paths(answers)

    def respond(request: BaseHTTPRequestHandler) -> Answer:
        anybody = not guarded or settings["authentication.anonymous.enabled"]
        if not anybody and not request.connection.getpeercert():
            return Answer(401, "Unauthorized")
        return found(request)

    return respond


class _TlsServer(Server):
    """HTTPS whose certificate may change or be missing: each connection gets the one of the moment."""

    def __init__(self, settings: Settings, certificate: Certificate, respond: http_server.Responder) -> None:
        self._settings, self._certificate = settings, certificate
        super().__init__(settings["address"], settings["port"], respond)

    def finish_request(self, request: socket.socket, client_address) -> None:
        pem = self._certificate()
        peer = "{}:{}".format(*client_address[:2])
        if pem is None:
            klog.info(
                "server.go:3631",
                f"http: TLS handshake error from {peer}: no serving certificate available for the kubelet",
            )
            return
        try:
            secured = self._context(pem).wrap_socket(request, server_side=True)
        except OSError as fault:
            klog.info("server.go:3631", f"http: TLS handshake error from {peer}: {fault}")
            return
        with secured:
            super().finish_request(secured, client_address)

    def _context(self, pem: Path) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pem)
        authority = self._settings["authentication.x509.clientCAFile"]
        if authority:
            context.load_verify_locations(authority)
            context.verify_mode = ssl.CERT_OPTIONAL
        return context
