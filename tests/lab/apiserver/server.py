"""HTTPS in and out: connections, client certificates, bodies, faults, the log, and starting over."""

from __future__ import annotations

import asyncio
import json
import logging
import ssl
import time
from email.utils import formatdate

from aiohttp import web

from . import faults, request, roles
from .api import Answer, Api, Incoming, encoded, not_here, refused
from .authentication import Authenticator
from .authorization import Authorizer
from .faults import Fault, RequestLog
from .node_ipam import NodeIpam
from .request import Attributes, User
from .resources import Catalog
from .settings import Settings
from .signer import Authority, Controllers
from .status import ApiError
from .store import Store

log = logging.getLogger(__name__)
_LARGEST_BODY = 3 * 1024 * 1024  # MaxRequestBodyBytes
# OpenSSL's X509_V_FLAG_NO_CHECK_TIME: a certificate out of its time is answered with 401, as upstream does.
_NO_CHECK_TIME = 0x200000


class Server:
    """One API server; `start` and `stop` run in one event loop."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        minor = settings.minor
        self._catalog = Catalog(minor)
        self._store = Store(settings.watch_history)
        secrets = self._catalog.get("", "secrets")
        self._authenticator = Authenticator(self._store, secrets, minor, settings.token_auth_file)
        self._authorizer = Authorizer(self._store, self._catalog, minor)
        self._api = Api(self._store, self._catalog, self._authorizer, settings.version, minor)
        requests = self._catalog.get("certificates.k8s.io", "certificatesigningrequests")
        authority = Authority.load(
            settings.cluster_signing_cert_file,
            settings.cluster_signing_key_file,
            settings.cluster_signing_duration,
        )
        self._controllers = Controllers(self._store, requests, self._authorizer, authority, minor)
        self._faults: list[Fault] = []
        self._log = RequestLog(settings.audit_log_path)
        self._port = settings.secure_port
        self._tasks: set[asyncio.Task[None]] = set()
        roles.lay_down(self._store, self._catalog, settings.service_cluster_ip_range)

    async def start(self) -> int:
        """Listen; return the port."""
        loop = asyncio.get_running_loop()

        def incoming(*parts: object) -> web.BaseRequest:
            return web.BaseRequest(*parts, loop, client_max_size=_LARGEST_BODY)  # type: ignore[arg-type]

        self._tls = _tls(self.settings)
        self._http = web.Server(
            self._handle, request_factory=incoming, handler_cancellation=True, access_log=None
        )
        await self._listen()
        self._tasks.add(asyncio.create_task(self._controllers.run()))
        if self.settings.allocate_node_cidrs:
            ipam = NodeIpam(self._store, self._catalog.get("", "nodes"), self.settings.cluster_cidr)
            self._tasks.add(asyncio.create_task(ipam.run()))
        return self._port

    async def stop(self) -> None:
        """Stop listening and drop every connection."""
        self._listener.close()
        self._drop_connections()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        self._log.close()

    async def _listen(self) -> None:
        loop = asyncio.get_running_loop()
        self._listener = await loop.create_server(
            self._http, self.settings.bind_address, self._port, ssl=self._tls, backlog=1024
        )
        self._port = self._listener.sockets[0].getsockname()[1]

    def _drop_connections(self, but: asyncio.BaseTransport | None = None) -> None:
        for connection in self._http.connections:
            if connection.transport is not None and connection.transport is not but:
                connection.transport.abort()

    async def _handle(self, came: web.BaseRequest) -> web.StreamResponse:
        try:
            user = self._authorizer.impersonated(self._user(came), came.headers)
            wanted = request.attributes(user, came.method, came.path, came.query, self._catalog)
        except ApiError as error:
            nobody = Attributes(User("", ()), came.method.lower(), came.path)
            self._log.end(self._log.begin(nobody, came.method, came.path_qs), error.code)
            return _response(refused(error))
        if came.path.startswith("/lab/"):
            return _response(await self._lab(came, user))
        return await self._serve(came, wanted)

    async def _serve(self, came: web.BaseRequest, wanted: Attributes) -> web.StreamResponse:
        entry = self._log.begin(wanted, came.method, came.path_qs)
        struck = [fault for fault in self._faults if fault.hits_this(wanted, came.path_qs)]
        answer = await _struck(struck)
        if any(fault.action == "drop" for fault in struck):
            return _dropped(came)
        if answer is None:
            answer = await self._answer(came, wanted)
        if any(fault.action == "drop-after" for fault in struck):
            return _dropped(came)
        self._log.end(entry, answer.code)
        if answer.stream is not None:
            return await _stream(came, answer)
        response = _response(answer)
        for fault in struck:
            if fault.action == "clock":
                response.headers["Date"] = formatdate(time.time() + fault.seconds, usegmt=True)
        return response

    async def _answer(self, came: web.BaseRequest, wanted: Attributes) -> Answer:
        try:
            body = await came.read() if came.can_read_body else b""
            incoming = Incoming(came.method, came.path, came.query, came.headers, body)
            return self._api.answer(wanted, incoming)
        except web.HTTPRequestEntityTooLarge:
            message = f"Request entity too large: limit is {_LARGEST_BODY}"
            return refused(ApiError(413, "RequestEntityTooLarge", message))
        except ApiError as error:
            return refused(error)
        except Exception as error:
            log.exception("%s %s", came.method, came.path_qs)
            return refused(ApiError(500, "InternalError", f"Internal error occurred: {error}"))

    def _user(self, came: web.BaseRequest) -> User:
        connection = came.transport.get_extra_info("ssl_object") if came.transport else None
        certificate = connection.getpeercert(binary_form=True) if connection else None
        return self._authenticator.user(certificate, came.headers.get("Authorization"))

    async def _lab(self, came: web.BaseRequest, user: User) -> Answer:
        if "system:masters" not in user.groups:
            return refused(ApiError(403, "Forbidden", f'User "{user.name}" is not in system:masters'))
        match came.method, came.path:
            case "GET", "/lab/requests":
                return encoded(self._log.find(came.query))
            case "DELETE", "/lab/requests":
                self._log.clear()
            case "GET", "/lab/faults":
                return encoded([vars(fault) for fault in self._faults])
            case "POST", "/lab/faults":
                try:
                    self._faults.append(faults.parse(await came.read()))
                except ApiError as error:
                    return refused(error)
            case "DELETE", "/lab/faults":
                self._faults.clear()
            case "POST", "/lab/compact":
                self._store.compact()
            case "POST", "/lab/restart":
                seconds = float(json.loads(await came.read() or b"{}").get("seconds", 0))
                await self._restart(came.transport, seconds)
            case _:
                return not_here()
        return encoded({})

    async def _restart(self, caller: asyncio.BaseTransport | None, seconds: float) -> None:
        """Drop every connection but the caller's, and listen again after so many seconds; objects stay."""
        self._listener.close()
        self._drop_connections(but=caller)
        if not seconds:
            await self._listen()
            return

        async def later() -> None:
            await asyncio.sleep(seconds)
            await self._listen()

        self._tasks.add(asyncio.create_task(later()))


async def _struck(struck: list[Fault]) -> Answer | None:
    for fault in struck:
        if fault.action == "delay":
            await asyncio.sleep(fault.seconds)
        if fault.action == "status":
            return refused(fault.error())
    return None


def _dropped(came: web.BaseRequest) -> web.StreamResponse:
    if came.transport is not None:
        came.transport.abort()
    return web.Response()


def _response(answer: Answer) -> web.Response:
    headers = {"Content-Type": answer.content_type, "Cache-Control": "no-cache, private", **answer.headers}
    return web.Response(status=answer.code, body=answer.body, headers=headers)


async def _stream(came: web.BaseRequest, answer: Answer) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": answer.content_type})
    response.enable_chunked_encoding()
    await response.prepare(came)
    assert answer.stream is not None
    try:
        async for event in answer.stream:
            await response.write(event)
    except ConnectionResetError:
        log.debug("%s: the watcher went away", came.path_qs)
    finally:
        await answer.stream.aclose()  # type: ignore[attr-defined]
    return response


def _tls(settings: Settings) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(settings.tls_cert_file, settings.tls_private_key_file)
    context.load_verify_locations(settings.client_ca_file)
    context.verify_mode = ssl.CERT_OPTIONAL
    context.verify_flags |= ssl.VerifyFlags(_NO_CHECK_TIME)
    return context
