"""The API server as a fleet sees it: requests by bearer token, and one watch over all of them."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator
from typing import Any

import aiohttp

from .minions import certificate
from .orders import Orders

CSRS = "/apis/certificates.k8s.io/v1/certificatesigningrequests"
#: Connections that the kubelets share, where real ones have one each.
CONNECTIONS = 64
RETRY_SECONDS = 1.0


class Refused(Exception):
    """The API server does not know the bearer of the token (yet)."""


class Api:
    """The API server's client for all kubelets.

    Args:
        orders: Where it is.
    """

    def __init__(self, orders: Orders) -> None:
        self._orders = orders

    async def __aenter__(self) -> Api:
        self._kubelets = self._session(None)
        self._admin = self._session(self._orders.admin)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._kubelets.close()
        await self._admin.close()

    async def post(self, body: bytes, node: str, token: str | None) -> str:
        """Creates a node's request, by its bootstrap token or else as if by its certificate; returns the
        request's name.

        What passes by itself (429, a server that is away) is tried again, as client-go does.

        Raises:
            Refused: 401.
        """
        by, headers = self._kubelets, {"Authorization": f"Bearer {token}"}
        if token is None:
            by, headers = self._admin, _as_node(node)
        headers["Content-Type"] = "application/json"
        while True:
            try:
                async with by.post(f"{self._orders.url}{CSRS}", data=body, headers=headers) as answer:
                    if answer.status == 201:
                        return (await answer.json(content_type=None))["metadata"]["name"]
                    if answer.status == 401:
                        raise Refused
                    if answer.status != 429 and answer.status < 500:
                        raise RuntimeError(
                            f"the request was answered with {answer.status}: {await answer.text()}"
                        )
                    pause = float(answer.headers.get("Retry-After", RETRY_SECONDS))
            except aiohttp.ClientConnectionError:
                pause = RETRY_SECONDS
            await asyncio.sleep(pause)

    async def watch(self) -> AsyncIterator[dict[str, Any]]:
        """Yields every request as it is now, and then whenever it changed."""
        while True:
            try:
                async for request in self._followed():
                    yield request
            except (aiohttp.ClientError, asyncio.TimeoutError, ValueError):
                await asyncio.sleep(RETRY_SECONDS)  # the API server is away, or forgot where we were

    async def _followed(self) -> AsyncIterator[dict[str, Any]]:
        url = f"{self._orders.url}{CSRS}"
        async with self._admin.get(url) as answer:
            answer.raise_for_status()
            listed = json.loads(await answer.read())
        for request in listed["items"]:
            yield request
        query = {"watch": "1", "resourceVersion": listed["metadata"]["resourceVersion"]}
        async with self._admin.get(url, params=query) as answer:
            answer.raise_for_status()
            rest = b""
            async for chunk in answer.content.iter_any():
                *lines, rest = (rest + chunk).split(b"\n")
                for event in map(json.loads, filter(None, lines)):
                    if event["type"] == "ERROR":
                        raise ValueError(event["object"].get("message"))
                    if event["type"] in ("ADDED", "MODIFIED"):
                        yield event["object"]

    def _session(self, certificate: list[str] | None) -> aiohttp.ClientSession:
        tls = ssl.create_default_context(cafile=self._orders.ca)
        if certificate:
            tls.load_cert_chain(*certificate)
        connector = aiohttp.TCPConnector(limit=CONNECTIONS, ssl=tls)
        return aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=None))


def _as_node(node: str) -> dict[str, str]:
    """Returns what makes of an administrator's request one by a node's client certificate (impersonation)."""
    return {
        "Impersonate-User": f"system:node:{node}",
        "Impersonate-Group": "system:nodes",
        "Impersonate-Extra-authentication.kubernetes.io%2Fcredential-id": f"X509SHA256={certificate(node)}",
    }
