"""Which client a kubelet talks to the API server with, and how it keeps its certificate.

Sources: cmd/kubelet/app/server.go, buildKubeletClientConfig (1.13 and later; run() before), and
pkg/kubelet/certificate/transport.go.
"""

from __future__ import annotations

import time
from pathlib import Path

from lab.component import clock, klog, kubeconfig
from lab.component.api import Client
from lab.component.kubeconfig import ClientConfig, KubeconfigError

from . import bootstrap
from .certificate_request import CLIENT_SIGNER, Template
from .manager import CertificateManager
from .settings import Settings
from .store import Store, from_data

#: Seconds without a valid certificate after which a kubelet gives up, and between two looks at it.
EXIT_AFTER = 5 * 60
CHECK_PERIOD = 10


def node_client(settings: Settings, node: str) -> Client:
    """Get credentials as this minor does and return the client that uses them.

    Returns before there is a certificate when a certificate manager asks for it in the background.

    Raises:
        KubeconfigError, bootstrap.BootstrapFailed, csr_api.RequestFailed: with the kubelet's message.
    """
    user_agent = f"kubelet/v{settings.claim.version} (lab double)"
    if settings.rotates_client_certificate and settings.claim.since("1.13"):
        klog.info("server.go:991", "Client rotation is on, will bootstrap in background")
        asking, working = bootstrap.load_client_config(settings)
        return _rotating(settings, node, asking, working, user_agent)
    if settings.bootstrap_kubeconfig:
        bootstrap.load_client_cert(settings, node, user_agent)
    try:
        config = kubeconfig.load(settings.flags.text("kubeconfig"))
    except KubeconfigError as fault:
        raise KubeconfigError(f"invalid kubeconfig: {fault}") from None
    if settings.rotates_client_certificate:
        return _rotating(settings, node, config, config, user_agent)
    return Client(config, user_agent)


def _rotating(
    settings: Settings, node: str, asking: ClientConfig, working: ClientConfig, user_agent: str
) -> Client:
    """A client whose certificate a manager renews: asked for with ``asking`` until there is one."""
    store = Store("kubelet-client", Path(settings.cert_dir), working.cert_file, working.key_file)
    initial = from_data(working.cert_data, working.key_data) if working.cert_data else None

    def certificate() -> Path | None:
        pair = manager.current()
        return pair.path if pair else None

    client = Client(working.anonymous(), user_agent, certificate)
    bootstrapper = Client(asking, user_agent)
    template = Template(node, CLIENT_SIGNER)
    manager = CertificateManager(
        settings.claim, store, lambda: template, lambda valid: client if valid else bootstrapper, initial
    )
    klog.info("server.go:1058", "Starting client certificate rotation", 2)
    manager.start()
    clock.start("certificate-watch", _watch, manager)
    return client


def _watch(manager: CertificateManager) -> None:
    """Notice a new certificate, and end the kubelet when it has had none for too long."""
    available, last = time.monotonic(), manager.current()
    while True:
        clock.sleep(CHECK_PERIOD if last else 1)
        pair = manager.current()
        if pair is None:
            if time.monotonic() > available + clock.scaled(EXIT_AFTER):
                _give_up(manager.server_healthy)
            continue
        available = time.monotonic()
        if pair is not last:
            last = pair
            klog.info(
                "transport.go:143",
                "Certificate rotation detected, shutting down client connections to start using new "
                "credentials",
            )


def _give_up(server_healthy: bool) -> None:
    """End the process when the API server is alive: a restart may bring new credentials."""
    if server_healthy:
        klog.error(
            "transport.go:116",
            None,
            "No valid client certificate is found and the server is responsive, exiting.",
        )
        klog.leave(1)
    klog.error(
        "transport.go:118",
        None,
        "No valid client certificate is found but the server is not responsive. A restart may be necessary "
        "to retrieve new initial credentials.",
    )
