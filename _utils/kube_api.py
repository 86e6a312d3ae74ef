"""The talk with a Kubernetes API server: one kubeconfig, one pool of keep-alive connections.

The master's kubeconfig is read by the official client (certificates, tokens, exec plugins), a node's own
credentials need none; the requests are plain JSON over urllib3, for the judge wants objects as the server
wrote them. The environment (proxies, CA bundles) changes nothing.
"""

from __future__ import annotations

import json
import random
import ssl
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote, urlencode

PAGE = 500
CONNECTIONS = 16
CONNECT_SECONDS = 5
READ_SECONDS = 30
TRIES = 5
FIRST_PAUSE, LONGEST_PAUSE, LONGEST_RETRY_AFTER = 0.2, 5.0, 30.0
_POOL = {"maxsize": CONNECTIONS, "block": True, "retries": False, "cert_reqs": "CERT_REQUIRED"}
# What passes by itself: too many requests, and a server that starts, stops or has lost its etcd for a moment.
PASSING = (429, 500, 502, 503, 504)

Item, Answer = TypeVar("Item"), TypeVar("Answer")


class ApiError(Exception):
    """The API server could not be asked, or refused.

    Args:
        status: its HTTP code, 0 where none came.
        message: what happened, as a sentence without its end.
        retry_after: seconds after which it wants to be asked again, where it says so.
        passing: whether the same request may well succeed a little later.
    """

    def __init__(
        self, status: int, message: str, retry_after: float | None = None, passing: bool = False
    ) -> None:
        super().__init__(message)
        self.status = status
        self.retry_after = retry_after
        self.passing = passing or status in PASSING

    @property
    def is_outage(self) -> bool:
        """Whether the API server itself is away: all requests fare the same, until it is back."""
        return self.status == 0 or self.status in PASSING


class Api:
    """A connection to one cluster's API server.

    Args:
        kubeconfig: path of a kubeconfig; its current context is used.

    Raises:
        ApiError: the kubeconfig is missing or cannot be used.
    """

    def __init__(self, kubeconfig: str) -> None:
        # Here, for they take 16 MB: a minion needs neither, and of a master's processes the worker alone.
        import urllib3
        from kubernetes import client, config

        settings = client.Configuration()
        try:
            config.load_kube_config(config_file=kubeconfig, client_configuration=settings)
        except Exception as error:  # on a file that is no kubeconfig the client stumbles in many ways
            raise ApiError(0, f"kubeconfig {kubeconfig} cannot be used: {error}") from error
        self.server = settings.host.rstrip("/")
        self._ca = settings.ssl_ca_cert
        # Clients up to 34 call it authorization.
        self._token = lambda: settings.get_api_key_with_prefix("BearerToken", "authorization")
        self._pool = urllib3.PoolManager(
            **_POOL,
            ca_certs=settings.ssl_ca_cert,
            cert_file=settings.cert_file,
            key_file=settings.key_file,
            server_hostname=settings.tls_server_name or None,
        )

    @classmethod
    def of_node(cls, server: str, ca: str, certificate: str, key: str) -> Api:
        """Return a connection by a node's own client certificate; it needs urllib3 alone, which Salt brings.

        Args:
            server: the API server's URL.
            ca, certificate, key: paths of PEM files; the last two may be one.

        Raises:
            ApiError: one of the files is missing or cannot be used.
        """
        import urllib3

        # As Go does: any certificate in the file is trusted, without RFC 5280's finer points.
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.verify_flags = ssl.VERIFY_X509_PARTIAL_CHAIN | ssl.VERIFY_X509_TRUSTED_FIRST
        try:
            context.load_verify_locations(ca)
            context.load_cert_chain(certificate, key)
        except OSError as error:
            raise ApiError(0, f"the node's certificate {certificate} cannot be used: {error}") from error
        api = cls.__new__(cls)
        api.server, api._ca, api._token = server.rstrip("/"), ca, lambda: None
        api._pool = urllib3.PoolManager(**_POOL, ssl_context=context)
        return api

    def ca_data(self) -> bytes:
        """Return the CA certificates, PEM, by which the API server is known."""
        return Path(self._ca).read_bytes()

    def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        query: dict[str, Any] | None = None,
        content_type: str = "application/json",
    ) -> Any:
        """Send one request and return the decoded answer; what passes by itself is tried again, a few times.

        A write is tried again like the rest, so it must carry a resourceVersion: the second one of two that
        both arrived is then a 409.

        Raises:
            ApiError: no answer came, or one that is not 2xx.
        """
        attempt = 0
        while True:
            try:
                with self._send(method, path, body, query, READ_SECONDS, content_type) as response:
                    return _decoded(response)
            except ApiError as error:
                if not error.passing or attempt == TRIES - 1:
                    raise
                time.sleep(_pause(attempt, error.retry_after))
            attempt += 1

    def each(self, function: Callable[[Item], Answer], items: Iterable[Item]) -> list[Answer]:
        """Call a function for all items, as many at once as there are connections; answers in order."""
        items = list(items)
        if len(items) < 2:
            return [function(item) for item in items]
        with ThreadPoolExecutor(min(CONNECTIONS, len(items)), "kube_node") as pool:
            return list(pool.map(function, items))

    def items(
        self,
        path: str,
        query: dict[str, Any] | None = None,
        keep: Callable[[dict[str, Any]], Any] = lambda item: item,
    ) -> tuple[list[Any], str]:
        """Return all objects of a collection, read in pages, and the resourceVersion to watch from.

        Args:
            path: the collection's.
            query: further parameters.
            keep: gives what is kept of each object; a page is gone before the next one is read.
        """
        found: list[Any] = []
        query = {"limit": PAGE, **(query or {})}
        while True:
            try:
                page = self.request("GET", path, query=query)
            except ApiError as error:
                if error.status != 410 or "continue" not in query:
                    raise
                # The list took so long that the server forgot where it was: from the start, once more.
                del query["continue"]
                found.clear()
                continue
            # A list says once what its items are; one by one, they say it themselves.
            kind = {"apiVersion": page.get("apiVersion"), "kind": str(page.get("kind")).removesuffix("List")}
            found += [keep(kind | item) for item in page.get("items") or []]
            metadata = page.get("metadata") or {}
            if not metadata.get("continue"):
                return found, metadata.get("resourceVersion", "")
            query["continue"] = metadata["continue"]

    def watch(
        self, path: str, resource_version: str, seconds: float, query: dict[str, Any] | None = None
    ) -> Iterator[dict[str, Any]]:
        """Yield `{type, object}` of each change after `resource_version`, for at most `seconds`."""
        timeout = max(1, int(seconds))
        query = {**(query or {}), "watch": 1, "resourceVersion": resource_version, "timeoutSeconds": timeout}
        with self._send("GET", path, None, query, seconds + CONNECT_SECONDS) as response:
            if response.status != 200:
                _decoded(response)
            for line in _lines(response):
                yield json.loads(line)

    def _send(
        self,
        method: str,
        path: str,
        body: Any,
        query: dict[str, Any] | None,
        read_seconds: float,
        content_type: str = "application/json",
    ) -> Any:
        import urllib3

        url = f"{self.server}{quote(path, safe='/')}{'?' + urlencode(query) if query else ''}"
        headers = {"Accept": "application/json", "User-Agent": "kube_node"}
        if token := self._token():
            headers["Authorization"] = token
        try:
            return self._pool.request(
                method,
                url,
                body=None if body is None else json.dumps(body),
                headers=headers | ({} if body is None else {"Content-Type": content_type}),
                preload_content=False,
                redirect=False,
                timeout=urllib3.Timeout(connect=CONNECT_SECONDS, read=read_seconds),
            )
        except urllib3.exceptions.HTTPError as error:
            # Refused at once is a server that is down; one that broke off may be answering again already.
            passing = isinstance(error, urllib3.exceptions.ProtocolError)
            raise ApiError(0, f"{self.server} does not answer: {error}", passing=passing) from error


def _pause(attempt: int, retry_after: float | None) -> float:
    """Return the seconds until the next try: what the server asks for, or more each time, with jitter."""
    if retry_after is not None:
        return min(retry_after, LONGEST_RETRY_AFTER) * random.uniform(1, 1.2)
    return random.uniform(0.5, 1) * min(LONGEST_PAUSE, FIRST_PAUSE * 2**attempt)


def _lines(response: Any) -> Iterator[bytes]:
    import urllib3

    rest = b""
    try:
        for chunk in response.stream():
            *lines, rest = (rest + chunk).split(b"\n")
            yield from (line for line in lines if line)
    except urllib3.exceptions.HTTPError as error:
        raise ApiError(0, f"the API server's watch broke off: {error}") from error


def _decoded(response: Any) -> Any:
    import urllib3

    try:
        text = response.read()
        content = json.loads(text) if text else {}
    except urllib3.exceptions.HTTPError as error:
        raise ApiError(0, f"the API server's answer broke off: {error}", passing=True) from error
    except ValueError as error:
        raise ApiError(response.status, f"the API server's answer is not JSON: {error}") from error
    if 200 <= response.status < 300:
        return content
    message = content.get("message") if isinstance(content, dict) else None
    raise ApiError(
        response.status, message or f"HTTP {response.status}", _seconds(response.headers.get("Retry-After"))
    )


def _seconds(header: str | None) -> float | None:
    return float(header) if header and header.isdigit() else None
