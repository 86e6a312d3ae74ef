"""From a bootstrap kubeconfig to a kubeconfig of the node's own.

Sources: pkg/kubelet/certificate/bootstrap/bootstrap.go of 1.9 to 1.36.
"""

from __future__ import annotations

import os
import time
from datetime import datetime, timezone
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from lab.component import clock, klog, kubeconfig
from lab.component.api import ApiError, Client, Unreachable
from lab.component.kubeconfig import ClientConfig, KubeconfigError

from .certificate_request import CLIENT_SIGNER, Key, Template, digested_name, key_pem, new_key, usages
from .csr_api import post, wait
from .settings import Settings
from .store import BadPair, Store

_SOURCE = "bootstrap.go"
#: Seconds to wait for a certificate, and before that for the API server's health.
PATIENCE = 3600
HEALTH_PATIENCE = 60


class BootstrapFailed(Exception):
    """The kubelet cannot go on; the message is its own."""


def load_client_config(settings: Settings) -> tuple[ClientConfig, ClientConfig]:
    """Give what to ask for certificates with and what to work with: LoadClientConfig, rotation on, from 1.13.

    Without a valid kubeconfig the one that points at the certificate to come is written at once.

    Raises:
        KubeconfigError: with the kubelet's message.
    """
    path = settings.flags.text("kubeconfig")
    if not settings.bootstrap_kubeconfig:
        config = _loaded(path, "unable to load kubeconfig")
        klog.info(f"{_SOURCE}:63", "No bootstrapping requested, will use kubeconfig", 2)
        return config, config
    if still_valid(path):
        config = _loaded(path, "unable to load kubeconfig")
        klog.info(
            f"{_SOURCE}:83", "Current kubeconfig file contents are still valid, no bootstrap necessary", 2
        )
        return config, config
    bootstrap = _loaded(settings.bootstrap_kubeconfig, "unable to load bootstrap kubeconfig")
    pem = str(_store(settings).current_path)
    kubeconfig.write(bootstrap, path, pem)
    klog.info(
        f"{_SOURCE}:99",
        "Use the bootstrap credentials to request a cert, and set kubeconfig to point to the certificate dir",
        2,
    )
    return bootstrap, bootstrap.anonymous(pem)


def load_client_cert(settings: Settings, node: str, user_agent: str) -> None:
    """Ask for a client certificate with a key file and write the kubeconfig: LoadClientCert.

    Returns at once when the kubeconfig is valid.

    Raises:
        BootstrapFailed, KubeconfigError, csr_api.RequestFailed: with the kubelet's message.
    """
    path = settings.flags.text("kubeconfig")
    if still_valid(path):
        klog.info(f"{_SOURCE}:111", "Kubeconfig exists and is valid, skipping bootstrap", 2, path=path)
        return
    klog.info(
        f"{_SOURCE}:115", "Using bootstrap kubeconfig to generate TLS client cert, key and kubeconfig file", 2
    )
    bootstrap = _loaded(settings.bootstrap_kubeconfig, "unable to load bootstrap kubeconfig")
    client = Client(bootstrap, user_agent)
    if settings.claim.since("1.11"):
        _with_temporary_key(settings, client, node, path)
    else:
        _with_plain_files(settings, client, node, path)


def still_valid(path: str) -> bool:
    """Whether a kubeconfig is there with no expired client certificate: isClientConfigStillValid."""
    if not Path(path).exists():
        return False
    try:
        config = kubeconfig.load(path)
        certificates = x509.load_pem_x509_certificates(config.certificate_pem())
    except KubeconfigError as fault:
        _handle(f"unable to read existing bootstrap client config from {path}: {fault}")
        return False
    except (OSError, ValueError) as fault:
        _handle(
            f"unable to load TLS certificates from existing bootstrap client config read from {path}: {fault}"
        )
        return False
    now = datetime.now(timezone.utc)
    for certificate in certificates:
        end = certificate.not_valid_after_utc
        if now > end:
            _handle(
                f"part of the existing bootstrap client certificate in {path} is expired: "
                f"{end:%Y-%m-%d %H:%M:%S} +0000 UTC"
            )
            return False
    return True


def _with_temporary_key(settings: Settings, client: Client, node: str, path: str) -> None:
    """From 1.11: the key waits in kubelet-client.key.tmp, and is used again until a certificate is there."""
    store = _store(settings)
    temporary = store.directory / "kubelet-client.key.tmp"
    key = _current_key(store)
    if key is None:
        klog.info(
            f"{_SOURCE}:146",
            "No valid private key and/or certificate found, reusing existing private key or creating a new "
            "one",
            2,
        )
        key = _key_file(temporary)
    if settings.claim.since("1.13"):
        _wait_for_server(client)
    store.update(_request(settings, client, node, key), key_pem(key))
    temporary.unlink(missing_ok=True)
    kubeconfig.write(client.config, path, str(store.current_path))


def _with_plain_files(settings: Settings, client: Client, node: str, path: str) -> None:
    """1.9 and 1.10: kubelet-client.key and kubelet-client.crt; a key made for a failed request goes again."""
    folder = Path(settings.cert_dir)
    key_path, cert_path = folder / "kubelet-client.key", folder / "kubelet-client.crt"
    made = not key_path.exists()
    key = _key_file(key_path)
    try:
        cert_path.write_bytes(_request(settings, client, node, key))
    except BaseException:
        if made:
            key_path.unlink(missing_ok=True)
        raise
    kubeconfig.write(client.config, path, str(cert_path), str(key_path))


def _request(settings: Settings, client: Client, node: str, key: Key) -> bytes:
    template = Template(node, CLIENT_SIGNER)
    asked = usages(settings.claim, CLIENT_SIGNER, key, appended=True)
    name = digested_name(settings.claim, template, key, asked)
    posted = post(client, settings.claim, template, key, name, asked)
    klog.info(f"{_SOURCE}:374", "Waiting for client certificate to be issued", 2)
    return wait(client, posted, clock.scaled(PATIENCE))


def _wait_for_server(client: Client) -> None:
    """Wait a minute at most for the API server's health, then go on all the same."""
    deadline = time.monotonic() + clock.scaled(HEALTH_PATIENCE)
    while time.monotonic() < deadline:
        try:
            client.text("/healthz", timeout=1)
            return
        except (ApiError, Unreachable) as fault:
            klog.info(f"{_SOURCE}:319", "Failed to connect to apiserver", err=str(fault))
        clock.sleep(clock.jittered(2, 0.2))
    klog.info(
        f"{_SOURCE}:155",
        "Error waiting for apiserver to come up",
        err="timed out waiting to connect to apiserver",
    )


def _current_key(store: Store) -> Key | None:
    try:
        pair = store.current()
    except BadPair:
        return None
    return pair.key() if pair else None


def _key_file(path: Path) -> Key:
    """The key in ``path``; made when there is no file. A file that holds something else is an error."""
    if path.exists():
        try:
            return serialization.load_pem_private_key(path.read_bytes(), password=None)
        except ValueError:
            raise BootstrapFailed(
                f"error loading key from {path}: data does not contain a valid RSA or ECDSA private key"
            ) from None
    key = new_key()
    path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    with open(path, "wb", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        file.write(key_pem(key))
    return key


def _store(settings: Settings) -> Store:
    return Store("kubelet-client", Path(settings.cert_dir))


def _loaded(path: str, failure: str) -> ClientConfig:
    try:
        return kubeconfig.load(path)
    except KubeconfigError as fault:
        raise KubeconfigError(f"{failure}: {fault}") from None


def _handle(fault: str) -> None:
    klog.error(f"{_SOURCE}:248", fault, "Unhandled Error")
