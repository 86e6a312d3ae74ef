"""Simulated kubelets, each with the minion beside it: they knock, ask for a certificate, wait, and crash.

What a kubelet does and when is taken from the real one (client-go util/certificate/certificate_manager.go): a
refused request is made again after 2, 4, 8, 16 and then always 32 seconds, each with up to a tenth more.
"""

from __future__ import annotations

import asyncio
import base64
import json
import random
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timezone

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from .api import Api, Refused
from .orders import CLIENT_SIGNER, SERVING_SIGNER, Faults, Pace
from .report import Course


class Kubelet:
    """One kubelet and its minion.

    Args:
        minion: The minion's id, and the node's name.
        token: Its bootstrap token; None where it has a client certificate.
        signer: Whom it asks.
        pace: When it does things.
        faults: What goes wrong with it.
        knock: Fires the minion's knock when its turn comes, if it is still due then by its first argument;
            the time, or 0, that it returns is awaited.
    """

    def __init__(
        self, minion: str, token: str | None, signer: str, pace: Pace, faults: Faults, knock: Callable
    ) -> None:
        self.course, self._signer = Course(minion), signer
        self.token, self._pace, self._faults, self._knock = token, pace, faults, knock
        self._asked = self._new_request()
        self._answered = asyncio.Event()
        self._usable = False
        self._knocking: asyncio.Task[None] | None = None

    def owns(self) -> str:
        """The request that it waits for at the moment, as the field `spec.request` has it."""
        return self._asked

    async def run(self, api: Api, start: float, register: Callable[[Kubelet], None]) -> None:
        """Starts after so many seconds, crashes as often as it is told to, and returns with a certificate.

        Args:
            api: Where to ask.
            start: Seconds from now to its start.
            register: Called before each request is made, so that what becomes of it is told to `take`.
        """
        await asyncio.sleep(start)
        for _ in range(self._faults.crashes):
            await self._start(register)
            await self._ask(api)
            await asyncio.sleep(_jittered(self._faults.crash_pause))
            self._begin_anew()
        if self._pace.request < 0:
            register(self)
            await self._ask(api)
            await asyncio.sleep(-self._pace.request)
        await self._start(register)
        for pause in self._pauses():
            if not self.course.created:
                await self._ask(api)
            await self._answered.wait()
            if self.course.issued:
                break
            await asyncio.sleep(pause)  # denied: the next attempt is with another key
            self._begin_anew()
            register(self)

    async def _start(self, register: Callable[[Kubelet], None]) -> None:
        if self._knocking:
            self._knocking.cancel()
        register(self)
        await self._knock_once()
        self._knocking = asyncio.create_task(self._knock_again())
        await asyncio.sleep(_jittered(max(self._pace.request, 0)))

    def take(self, request: dict) -> None:
        """Takes note of what became of its request."""
        now, course = time.time(), self.course
        self._note(request["metadata"]["name"], now)
        status = request.get("status") or {}
        conditions = {one["type"]: one.get("message", "") for one in status.get("conditions") or ()}
        if "Approved" in conditions and not course.approved:
            course.approved = now
        if "Denied" in conditions:
            course.denied = conditions["Denied"]
            self._answered.set()
        if status.get("certificate") and not course.issued:
            course.issued = now
            self._usable = not self._faults.skew or _valid(status["certificate"], now + self._faults.skew)
            self._answered.set()

    def _begin_anew(self) -> None:
        self._asked = self._new_request()
        self._answered.clear()
        self._usable = False
        self.course.created = self.course.approved = self.course.issued = 0.0

    async def _ask(self, api: Api) -> None:
        body = _body(self._asked, self._signer)
        for pause in self._pauses():
            try:
                self._note(await api.post(body, self.course.minion, self.token), time.time())
                return
            except Refused:
                self.course.refused += 1
            await asyncio.sleep(pause)

    def _note(self, name: str, now: float) -> None:
        if name not in self.course.requests:
            self.course.requests.append(name)
        self.course.created = self.course.created or now

    async def _knock_once(self, beacon: bool = False) -> None:
        lacks = "serving" if self._signer == SERVING_SIGNER else "client"
        fired = await self._knock(self._is_due, self.course.minion, self.token, lacks, beacon)
        self.course.knocks += bool(fired)
        self.course.knocked = self.course.knocked or fired

    def _is_due(self) -> bool:
        return not self._faults.silent and not self._usable

    async def _knock_again(self) -> None:
        pause = self._pace.again
        while pause:
            await asyncio.sleep(pause * random.uniform(0.75, 1))  # as _utils/kube_node_backoff.py
            if self._usable:
                return
            await self._knock_once(beacon=True)
            pause = min(2 * pause, self._pace.longest_again)

    def _pauses(self) -> Iterator[float]:
        pause = self._pace.pause
        while True:
            yield _jittered(pause)
            pause = min(2 * pause, self._pace.longest_pause)

    def _new_request(self) -> str:
        """Returns the field `spec.request` of a request by a new key."""
        subject = [
            (NameOID.ORGANIZATION_NAME, "system:nodes"),
            (NameOID.COMMON_NAME, f"system:node:{self.course.minion}"),
        ]
        name = x509.Name([x509.NameAttribute(*attribute) for attribute in subject])
        key = ec.generate_private_key(ec.SECP256R1())
        builder = x509.CertificateSigningRequestBuilder().subject_name(name)
        if self._signer == SERVING_SIGNER:
            names = x509.SubjectAlternativeName([x509.DNSName(self.course.minion)])
            builder = builder.add_extension(names, critical=False)
        request = builder.sign(key, hashes.SHA256())
        return base64.b64encode(request.public_bytes(serialization.Encoding.PEM)).decode()


def _body(request: str, signer: str) -> bytes:
    purpose = "client auth" if signer == CLIENT_SIGNER else "server auth"
    spec = {"request": request, "signerName": signer, "usages": ["digital signature", purpose]}
    body = {"apiVersion": "certificates.k8s.io/v1", "kind": "CertificateSigningRequest", "spec": spec}
    return json.dumps(body | {"metadata": {"generateName": "csr-"}}).encode()


def _valid(certificate: str, now: float) -> bool:
    found = x509.load_pem_x509_certificate(base64.b64decode(certificate))
    moment = datetime.fromtimestamp(now, timezone.utc)
    return found.not_valid_before_utc <= moment <= found.not_valid_after_utc


def _jittered(seconds: float) -> float:
    return seconds * random.uniform(1, 1.1)
