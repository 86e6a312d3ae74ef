"""A small Kubernetes API client: JSON over HTTPS, watches, client-go's retries and error messages."""

from __future__ import annotations

import json
import os
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

from .kubeconfig import ClientConfig

#: client-go repeats a request that the server answers with Retry-After this many times (rest/with_retry.go).
RETRIES = 10
_REASONS = {
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    409: "Conflict",
    422: "Invalid",
    429: "TooManyRequests",
}


@dataclass
class ApiError(Exception):
    """An answer of the API server that is no success."""

    code: int
    reason: str
    message: str
    retry_after: float | None = None

    def __str__(self) -> str:
        return self.message


class Unreachable(Exception):
    """The API server did not answer; the message is what Go's net/http says."""


@dataclass(frozen=True)
class Client:
    """A client of the server in ``config``.

    ``certificate`` gives the PEM file with the client certificate and key in use just now, or None for none;
    when it is not given the credentials of ``config`` are used, read anew for each request.
    """

    config: ClientConfig
    user_agent: str
    certificate: Callable[[], Path | None] | None = field(default=None, compare=False)

    def get(self, path: str, **query: Any) -> dict[str, Any]:
        """GET an object or list."""
        return self.request("GET", path, query=query)

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Create an object."""
        return self.request("POST", path, body)

    def put(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Replace an object."""
        return self.request("PUT", path, body)

    def patch(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Change an object by a strategic merge patch."""
        return self.request("PATCH", path, body, content_type="application/strategic-merge-patch+json")

    def request(
        self,
        method: str,
        path: str,
        body: dict[str, Any] | None = None,
        query: dict[str, Any] | None = None,
        content_type: str = "application/json",
        timeout: float = 30,
    ) -> dict[str, Any]:
        """Make one request and return the object in the answer.

        Repeats it as long as the server asks to with Retry-After, `RETRIES` times at most.

        Raises:
            ApiError: when the server refuses.
            Unreachable: when it does not answer within ``timeout`` seconds.
        """
        for attempt in range(RETRIES + 1):
            try:
                with self._answer(method, path, body, query, content_type, timeout) as answer:
                    return _decoded(answer.read() or b"{}", self._url(method, path))
            except ApiError as fault:
                if fault.retry_after is None or attempt == RETRIES:
                    raise
                time.sleep(fault.retry_after)
        raise AssertionError("the last attempt returns or raises")

    def text(self, path: str, timeout: float = 30) -> str:
        """GET something that is no object, such as /healthz."""
        with self._answer("GET", path, None, None, "application/json", timeout) as answer:
            return answer.read().decode()

    def watch(self, path: str, timeout: float, **query: Any) -> Iterator[dict[str, Any]]:
        """Yield the events of a watch until the server ends it or ``timeout`` seconds are over.

        Raises ApiError, also for an ERROR event (410 when the resourceVersion is too old), and Unreachable.
        """
        query = {**query, "watch": "true", "timeoutSeconds": max(1, round(timeout))}
        with self._answer("GET", path, None, query, "application/json", timeout + 10) as answer:
            for line in _lines(answer, self._url("GET", path)):
                event = _decoded(line, self._url("GET", path))
                if event["type"] == "ERROR":
                    raise _error(event["object"].get("code", 500), event["object"], None)
                yield event

    @contextmanager
    def _answer(self, method, path, body, query, content_type, timeout) -> Iterator[HTTPResponse]:
        full = path + (f"?{urlencode(query)}" if query else "")
        connection = self._connection(timeout)
        try:
            data = None if body is None else json.dumps(body).encode()
            connection.request(method, full, data, self._headers(content_type, data))
            answer = connection.getresponse()
            if answer.status >= 400:
                raise _failure(answer)
            yield answer
        except (OSError, HTTPException) as fault:
            raise Unreachable(f"{self._url(method, full)}: {_cause(fault, self.config)}") from fault
        finally:
            connection.close()

    def _url(self, method: str, path: str) -> str:
        return f'{method.capitalize()} "{self.config.server}{path}"'

    def _headers(self, content_type: str, data: bytes | None) -> dict[str, str]:
        headers = {"Accept": "application/json", "User-Agent": self.user_agent}
        if data is not None:
            headers["Content-Type"] = content_type
        token = self.config.token
        if self.config.token_file:
            token = Path(self.config.token_file).read_text().strip()
        if token and self.certificate is None:
            headers["Authorization"] = f"Bearer {token}"
        return headers

    def _connection(self, timeout: float) -> HTTPConnection:
        url = urlsplit(self.config.server)
        if url.scheme == "http":
            return HTTPConnection(url.hostname, url.port, timeout=timeout)
        return _Connection(self.config.server_name, url, self._tls(), timeout)

    def _tls(self) -> ssl.SSLContext:
        # Not create_default_context: from Python 3.13 it is stricter about authorities than Go is.
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        if self.config.insecure:
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        elif self.config.ca_file or self.config.ca_data:
            context.load_verify_locations(
                self.config.ca_file or None, cadata=self.config.ca_data.decode() or None
            )
        else:
            context.load_default_certs()
        if self.certificate is not None:
            pem = self.certificate()
            if pem is not None:
                context.load_cert_chain(pem)
        elif self.config.cert_data:
            _load_data(context, self.config.cert_data, self.config.key_pem())
        elif self.config.cert_file:
            context.load_cert_chain(self.config.cert_file, self.config.key_file)
        return context


class _Connection(HTTPSConnection):
    """HTTPS whose certificate may be checked against another name than the host's (tls-server-name)."""

    def __init__(self, server_name: str, url, context: ssl.SSLContext, timeout: float) -> None:
        super().__init__(url.hostname, url.port or 443, context=context, timeout=timeout)
        self._name, self._tls_context = server_name or url.hostname, context

    def connect(self) -> None:
        sock = socket.create_connection((self.host, self.port), self.timeout)
        self.sock = self._tls_context.wrap_socket(sock, server_hostname=self._name)


def _load_data(context: ssl.SSLContext, certificate: bytes, key: bytes) -> None:
    """Give ``context`` a certificate that is in no file: ssl takes only files, so through one in memory."""
    descriptor = os.memfd_create("client-certificate")
    try:
        os.write(descriptor, certificate + b"\n" + key)
        context.load_cert_chain(f"/proc/self/fd/{descriptor}")
    finally:
        os.close(descriptor)


def _lines(answer: HTTPResponse, url: str) -> Iterator[bytes]:
    try:
        while line := answer.readline():
            yield line
    except (OSError, HTTPException) as fault:
        raise Unreachable(f"{url}: unexpected EOF") from fault


def _decoded(text: bytes, url: str) -> dict[str, Any]:
    try:
        return json.loads(text)
    except ValueError as fault:
        raise Unreachable(f"{url}: unexpected EOF") from fault


def _failure(answer: HTTPResponse) -> ApiError:
    retry_after = answer.headers.get("Retry-After") if answer.status == 429 or answer.status >= 500 else None
    try:
        status = json.loads(answer.read())
    except ValueError:
        status = {}
    return _error(answer.status, status if isinstance(status, dict) else {}, retry_after)


def _error(code: int, status: dict[str, Any], retry_after: str | None) -> ApiError:
    reason = status.get("reason") or _REASONS.get(code, "InternalError")
    message = (
        status.get("message")
        or f"an error on the server ({reason}) has prevented the request from succeeding"
    )
    seconds = float(retry_after) if retry_after and retry_after.isdigit() else None
    return ApiError(code, reason, message, seconds)


def _cause(fault: Exception, config: ClientConfig) -> str:
    address = urlsplit(config.server).netloc
    if isinstance(fault, ConnectionRefusedError):
        return f"dial tcp {address}: connect: connection refused"
    if isinstance(fault, ssl.SSLCertVerificationError):
        return f"tls: failed to verify certificate: x509: {fault.verify_message}"
    if isinstance(fault, TimeoutError):
        return f"dial tcp {address}: i/o timeout"
    if isinstance(fault, ssl.SSLError):
        return f"remote error: tls: {fault.reason or fault}"
    if isinstance(fault, ConnectionError | HTTPException):
        return "EOF"
    return f"dial tcp {address}: {fault.strerror or fault}"
