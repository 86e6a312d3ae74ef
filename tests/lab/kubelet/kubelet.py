"""A kubelet running: its credentials, its place in the API, its servers.

Source: cmd/kubelet/app/server.go, run; pkg/kubelet/kubelet.go, NewMainKubelet and Run.
"""

from __future__ import annotations

import ipaddress
import os
import sys
from pathlib import Path

from lab.component import clock, host, klog, process
from lab.component.api import Client
from lab.component.flag_values import is_ip
from lab.component.kubeconfig import KubeconfigError

from . import credentials, lease, machine, self_signed, servers
from .bootstrap import BootstrapFailed
from .certificate_request import SERVING_SIGNER, Template
from .csr_api import RequestFailed
from .manager import CertificateManager
from .runtime import Runtime
from .settings import Settings
from .status import NodeStatus
from .store import BadPair, Store, joined


class KubeletFailed(Exception):
    """The kubelet ends; the message says why, as the real one's does after "failed to run Kubelet:"."""


class Kubelet:
    """One kubelet: what it holds is made by `run`, in the real one's order."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._name = ""
        self._client: Client | None = None
        self._runtime = Runtime(settings, self._runtime_changed)
        self._status: NodeStatus | None = None
        self._serving: CertificateManager | None = None

    def run(self) -> None:
        """Come up; what goes on from then on goes on in threads. Raises KubeletFailed when it cannot."""
        self._announce()
        try:
            self._prepare()
            self._serve()
        except (KubeconfigError, BootstrapFailed, RequestFailed, BadPair, ValueError, OSError) as fault:
            raise KubeletFailed(str(fault)) from fault
        clock.start("runtime", self._runtime.follow)
        if self._status:
            self._status.start()
        if self._client and self._settings.claim.since("1.14"):
            lease.keep(self._client, self._name, self._settings["nodeLeaseDurationSeconds"])
        servers.serve_health(self._settings)
        process.notify_ready()

    def _announce(self) -> None:
        klog.info("server.go:525", "Kubelet version", kubeletVersion=f"v{self._settings.claim.version}")
        klog.info(
            "kubelet.py:1",
            "This is a lab double of the kubelet: it runs no pods",
            python=sys.version.split()[0],
        )
        if os.geteuid() != 0:
            fault = f"kubelet needs to run as uid `0`. It is being run as {os.geteuid()}"
            klog.error("server.go:268", fault, "Kubelet running with insufficient permissions")

    def _prepare(self) -> None:
        """Get credentials, and find what of the settings this machine cannot do."""
        settings = self._settings
        self._name = host.hostname(settings.flags.text("hostname-override"))
        self._make_self_signed()
        if settings.flags.values.get("exit-on-lock-contention") and not settings.flags.text("lock-file"):
            raise ValueError("cannot exit on lock file contention: no lock file specified")
        if settings.flags.text("kubeconfig"):
            self._client = credentials.node_client(settings, self._name)
        else:
            klog.info("server.go:664", "Standalone mode, no API client")
        servers.check_client_ca(settings)
        self._runtime.check_start()
        if fault := machine.fault(settings):
            raise ValueError(fault)
        _check_node_ip(settings.flags.text("node-ip"))
        Path(settings.root_dir).mkdir(mode=0o750, parents=True, exist_ok=True)

    def _make_self_signed(self) -> None:
        """Without a serving certificate from anywhere the kubelet makes one for itself: InitializeTLS."""
        settings = self._settings
        if settings["serverTLSBootstrap"] or settings["tlsCertFile"] or settings["tlsPrivateKeyFile"]:
            return
        made = self_signed.ensure(Path(settings.cert_dir), self._name)
        settings.values["tlsCertFile"], settings.values["tlsPrivateKeyFile"] = map(str, made)

    def _serve(self) -> None:
        settings = self._settings
        if self._client:
            self._status = NodeStatus(
                settings, self._name, self._client, self._runtime, self._addresses_looked_up
            )
        if settings.requests_serving_certificate:
            self._manage_serving_certificate()
        elif settings["tlsCertFile"] and settings["tlsPrivateKeyFile"]:
            self._check_pair(Path(settings["tlsCertFile"]), Path(settings["tlsPrivateKeyFile"]))
        if settings["enableServer"]:
            servers.serve_tls(settings, self._serving_pair)
        servers.serve_read_only(settings)
        pods = settings["staticPodPath"]
        if pods and not Path(pods).exists():
            klog.error(
                "file.go:104", "path does not exist, ignoring", "Unable to read config path", path=pods
            )
        klog.info("server.go:1276", "Started kubelet")

    def _manage_serving_certificate(self) -> None:
        settings = self._settings
        files = (settings["tlsCertFile"] or "", settings["tlsPrivateKeyFile"] or "")
        store = Store("kubelet-server", Path(settings.cert_dir), *files)
        self._serving = CertificateManager(
            settings.claim, store, self._serving_template, lambda _: self._client
        )
        if self._client:
            self._serving.start()
        else:
            klog.info(
                "certificate_manager.go:419",
                "Certificate rotation is not enabled, no connection to the apiserver",
                2,
            )

    def _check_pair(self, certificate: Path, key: Path) -> None:
        try:
            joined(certificate, key)
        except OSError as fault:
            reason = (fault.strerror or str(fault)).lower()
            raise ValueError(
                f"failed to create kubelet: failed to load certificate: open {fault.filename}: {reason}"
            ) from None

    def _serving_pair(self) -> Path | None:
        """The PEM file of the serving certificate in use; an operator's own files are read anew each time."""
        if self._serving:
            pair = self._serving.current()
            return pair.path if pair else None
        return joined(Path(self._settings["tlsCertFile"]), Path(self._settings["tlsPrivateKeyFile"])).path

    def _serving_template(self) -> Template | None:
        """The serving certificate for the node's addresses; None while this minor needs more of them."""
        addresses = self._status.addresses if self._status else []
        ips = {entry["address"] for entry in addresses if is_ip(entry["address"])}
        names = {entry["address"] for entry in addresses} - ips
        if not ips and (self._settings.claim.holds("serving_csr_waits_for_address") or not names):
            return None
        return Template(self._name, SERVING_SIGNER, tuple(sorted(names)), tuple(sorted(ips)))

    def _addresses_looked_up(self) -> None:
        if self._serving:
            self._serving.template_changed()

    def _runtime_changed(self) -> None:
        if self._runtime.is_up and (fault := machine.missing_cgroups(self._settings)):
            klog.error("kubelet.go:1839", fault, "Failed to start ContainerManager")
            klog.leave(1)
        if self._status:
            self._status.changed()


def _check_node_ip(text: str) -> None:
    ips = [ip.strip() for ip in text.split(",") if ip.strip()]
    parsed = [ipaddress.ip_address(ip) for ip in ips if is_ip(ip)]
    if len(parsed) > 2 or (len(parsed) == 2 and parsed[0].version == parsed[1].version):
        fault = "must contain either a single IP or a dual-stack pair of IPs"
        raise ValueError(f'bad --node-ip "{text}": {fault}')
