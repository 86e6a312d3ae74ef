"""What simulated minions leave with the master: keys, mine records, and events on its bus."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable

import salt.cache
import salt.config
import salt.utils.event
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from lab.master import Master

ATTESTATION = "kube_node.attestation"
START = "kube_node/kubelet/start"
BEACON = "salt/beacon/{minion}/kube_node/knock"


def accept(master: Master, minions: Iterable[str]) -> None:
    """Puts a public key of each minion's own among those that the master has accepted.

    To make key pairs takes a second for twenty. Nobody needs the private halves, for these minions never
    open a channel to the master: so a key is a random modulus, in the real encoding.
    """
    folder = master.directory / "etc/salt/pki/master/minions"
    folder.mkdir(parents=True, exist_ok=True)
    for minion in minions:
        (folder / minion).write_bytes(_public_key())


def certificate(node: str) -> str:
    """Returns the digest that stands for the client certificate which a node has already; there is none."""
    return hashlib.sha256(node.encode()).hexdigest()


def attest(master: Master, found: dict[str, dict[str, str | None]]) -> None:
    """Stores these minions' mine records as the master does when they send them: each under its id."""
    cache = salt.cache.factory(salt.config.master_config(str(master.config / "master")))
    for minion, attested in found.items():
        cache.store("mine", minion, {ATTESTATION: attested})


class Bus:
    """The master's event bus, as its workers fire minions' events onto it.

    Args:
        sockets: The folder with its sockets.
    """

    def __init__(self, sockets: str) -> None:
        options = {"transport": "zeromq", "sock_dir": sockets}
        self._event = salt.utils.event.get_event("master", sock_dir=sockets, opts=options, listen=False)

    def knock(self, minion: str, token: str | None, lacks: str, beacon: bool) -> None:
        """Fires what a minion fires whose kubelet started without a certificate, or its beacon's event."""
        data = {"id": minion, "lacks": [lacks], "token": token and token.split(".")[0]}
        self._event.fire_event(data, BEACON.format(minion=minion) if beacon else START)

    def fire(self, tag: str) -> None:
        """Fires an event that is no minion's."""
        self._event.fire_event({}, tag)

    def close(self) -> None:
        """Lets the bus go."""
        self._event.destroy()


def _public_key() -> bytes:
    modulus = 1 << 2047 | secrets.randbits(2047) | 1
    return (
        rsa.RSAPublicNumbers(65537, modulus)
        .public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
