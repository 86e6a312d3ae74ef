"""The certificate manager: asks for a certificate, keeps it, and renews it in time.

Source: client-go util/certificate/certificate_manager.go.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from datetime import datetime, timedelta, timezone

from cryptography import x509

from lab.component import clock, klog
from lab.component.api import ApiError, Client
from lab.component.claim import Claim

from .certificate_request import CLIENT_SIGNER, GROUP, Template, key_pem, new_key, usages
from .csr_api import RequestFailed, post, wait
from .store import Pair, Store

#: Seconds between attempts: five of an exponential backoff, then always the last.
BACKOFF = (2, 4, 8, 16)
LATER = 32
#: Seconds to wait for one request to be approved and issued.
PATIENCE = 15 * 60


class CertificateManager:
    """Keeps one certificate fresh.

    Args:
        claim: whose behaviour it has.
        store: where certificates are kept.
        template: what to ask for; None while that is not known.
        client: the client to ask with, given whether there is a valid certificate.
        initial: a pair to begin with that is to be replaced at once.
    """

    def __init__(
        self,
        claim: Claim,
        store: Store,
        template: Callable[[], Template | None],
        client: Callable[[bool], Client],
        initial: Pair | None = None,
    ) -> None:
        self._claim, self._store, self._template, self._client = claim, store, template, client
        self._changed = threading.Condition()
        pair = store.current()
        self._pair = initial if pair is None or pair.expired else pair
        self._replace_now = self._pair is None or self._pair is initial
        #: Whether the API server seemed to be alive when it was last asked.
        self.server_healthy = False

    def current(self) -> Pair | None:
        """The certificate in use, None when there is none or it has expired."""
        pair = self._pair
        return None if pair is None or pair.expired else pair

    def start(self) -> None:
        """Renew from now on, in a thread."""
        klog.info("certificate_manager.go:422", "Certificate rotation is enabled", 2)
        clock.start("certificate-manager", self._run)

    def template_changed(self) -> None:
        """Look at the template again: the node's addresses may be others now."""
        with self._changed:
            self._changed.notify_all()

    def _run(self) -> None:
        while True:
            if self._wait_for_deadline():
                self._rotate()
            clock.sleep(1)

    def _wait_for_deadline(self) -> bool:
        """Sleep until it is time to renew; False when there is nothing to ask for yet."""
        with self._changed:
            while (seconds := self._seconds_left()) > 0:
                klog.info(
                    "certificate_manager.go:431",
                    "Waiting for next certificate rotation",
                    2,
                    sleep=f"{seconds}s",
                )
                self._changed.wait(seconds)
            if self._template() is None:
                self._changed.wait()
            return self._template() is not None

    def _seconds_left(self) -> float:
        if self._replace_now:
            return 0
        pair, template = self._pair, self._template()
        if pair is None or (template and not satisfies(pair.leaf, template)):
            return 0
        return (self._deadline(pair) - datetime.now(timezone.utc)).total_seconds()

    def _deadline(self, pair: Pair) -> datetime:
        """70 to 90 % of the lifetime, another for each certificate but the same whenever it is asked."""
        begin, end = pair.leaf.not_valid_before_utc, pair.leaf.not_valid_after_utc
        part = 0.7 + 0.2 * random.Random(pair.leaf.serial_number).random()
        return begin + timedelta(seconds=(end - begin).total_seconds() * part)

    def _rotate(self) -> None:
        attempt = 0
        while not self._attempt():
            base = BACKOFF[attempt] if attempt < len(BACKOFF) else LATER
            if attempt == len(BACKOFF):
                self._complain(
                    "timed out waiting for the condition",
                    "Reached backoff limit, still unable to rotate certs",
                )
            clock.sleep(base if attempt >= len(BACKOFF) else clock.jittered(base, 0.1))
            attempt += 1
        self._replace_now = False

    def _attempt(self) -> bool:
        """Make one request with a new key and wait for its certificate; whether there is one now."""
        klog.info("certificate_manager.go:558", "Rotating certificates", 2)
        template = self._template()
        if template is None:
            self._complain(
                "unable to create a csr, no template available",
                "Unable to generate a certificate signing request",
            )
            return False
        key, client = new_key(), self._client(self.current() is not None)
        asked = usages(self._claim, template.signer, key)
        try:
            posted = post(client, self._claim, template, key, "", asked)
        except RequestFailed as fault:
            self._complain(fault, "Failed while requesting a signed certificate from the control plane")
            self.server_healthy = _alive(fault)
            return False
        try:
            certificate = wait(client, posted, clock.scaled(PATIENCE))
        except RequestFailed as fault:
            self._complain(fault, "Certificate request was not signed")
            return False
        self._pair, self.server_healthy = self._store.update(certificate, key_pem(key)), True
        return True

    def _complain(self, fault: object, message: str) -> None:
        template = self._template()
        signer = template.signer if template else CLIENT_SIGNER
        klog.error("certificate_manager.go:596", fault, message, logger=f"{signer}.UnhandledError")


def satisfies(leaf: x509.Certificate, template: Template) -> bool:
    """Whether a certificate has all that is wanted; more does no harm."""
    names = {attribute.value for attribute in leaf.subject}
    if not {template.common_name, GROUP} <= names:
        return False
    try:
        held = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return not (template.dns_names or template.ips)
    ips = {str(ip) for ip in held.get_values_for_type(x509.IPAddress)}
    return set(template.dns_names) <= set(held.get_values_for_type(x509.DNSName)) and set(template.ips) <= ips


def _alive(fault: RequestFailed) -> bool:
    """Whether a failed request shows that the API server itself answered."""
    cause = fault.__cause__
    return isinstance(cause, ApiError) and cause.code in (401, 403, 404)
