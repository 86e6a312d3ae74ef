"""A kube-proxy running: it looks for its node, follows services and their endpoints, and says how it is.

Sources: cmd/kube-proxy/app/server.go, pkg/util/node (GetNodeIP, up to 1.34), pkg/proxy/node.go (from 1.35),
pkg/proxy/healthcheck/proxy_health.go, client-go tools/cache/reflector.go.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any

from lab.component import clock, host, http_server, klog, kubeconfig
from lab.component.api import ApiError, Client, Unreachable
from lab.component.http_server import Answer
from lab.component.klog import quote
from lab.component.kubeconfig import ClientConfig, KubeconfigError

from . import rules
from .settings import Settings

#: Seconds for which a node is waited for, and with how many tries in minors that ask again and again.
NODE_PATIENCE = 30
TRIES = 6
#: Seconds between attempts to list, growing from the first to the last, and for which a watch is asked.
FIRST, LAST = 0.8, 30
WATCH = 300
_JSON = "application/json"
_TO_BE_DELETED = "ToBeDeletedByClusterAutoscaler"


class Proxy:
    """One kube-proxy."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._name = host.hostname(settings["hostnameOverride"] or "")
        self._client = Client(_config(settings), f"kube-proxy/v{settings.claim.version} (lab double)")
        self._node: dict[str, Any] | None = None
        self._node_seen = threading.Event()
        self._synced: set[str] = set()
        self._kinds = _kinds(settings)

    def run(self) -> None:
        """Find the node, then serve and follow from threads."""
        claim = self._settings.claim
        self._follow("nodes", "/api/v1/nodes", self._node_event, fieldSelector=f"metadata.name={self._name}")
        self._find_node()
        address = self._address()
        if address in (None, "127.0.0.1"):
            words = ("Can't", "loopback") if claim.since("1.29") else ("can't", "127.0.0.1")
            klog.info(
                "server.go:700",
                f"{words[0]} determine this node's IP, assuming {words[1]}; if this is incorrect, please set "
                "the --bind-address flag",
            )
        klog.info("server_linux.go:132", f"Using {self._settings.mode} Proxier")
        rules.lay_down(self._settings.mode)
        self._serve()
        klog.info("server.go:544", "Version info", version=f"v{claim.version}")
        for kind, path in self._kinds.items():
            self._follow(kind, path, _ignore)

    def _find_node(self) -> None:
        claim = self._settings.claim
        if claim.since("1.35"):
            if not self._node_seen.wait(clock.scaled(NODE_PATIENCE)):
                klog.error("node.go:121", None, "Timed out waiting for node to exist", node=self._name)
            return
        for attempt in range(TRIES if claim.since("1.16") else 1):
            if attempt:
                clock.sleep(clock.jittered(2 ** (attempt - 1), 0.2))
            fault = self._get_node()
            if fault is None:
                return
            if claim.since("1.31"):
                klog.error("server.go:666", fault, "Failed to retrieve node info")
            elif claim.since("1.16"):
                klog.plain_error("node.go:152", f"Failed to retrieve node info: {fault}")
            else:
                klog.warning("server.go:605", f"Failed to retrieve node info: {fault}")

    def _get_node(self) -> str | None:
        """Why the node cannot be had, None when it can."""
        try:
            self._node = self._client.get(f"/api/v1/nodes/{self._name}")
        except (ApiError, Unreachable) as fault:
            return str(fault)
        return None

    def _address(self) -> str | None:
        """The address that traffic is meant for: bindAddress, else the node's own."""
        if self._settings["bindAddress"] not in ("0.0.0.0", "::"):
            return self._settings["bindAddress"]
        found = (self._node or {}).get("status", {}).get("addresses") or ()
        return next((entry["address"] for entry in found if entry["type"] == "InternalIP"), None)

    def _node_event(self, kind: str, node: dict[str, Any]) -> None:
        self._node = None if kind == "DELETED" else node
        if self._node:
            self._node_seen.set()
        else:
            klog.info("node.go:175", "Node is being deleted", node=self._name)

    def _follow(
        self, kind: str, path: str, on_event: Callable[[str, dict[str, Any]], None], **query: str
    ) -> None:
        clock.start(kind, self._reflect, kind, path, on_event, query)

    def _reflect(self, kind: str, path: str, on_event, query: dict[str, str]) -> None:
        """List and watch, again and again: client-go's reflector."""
        seconds = FIRST
        while True:
            try:
                held = self._client.get(path, **query)
                for item in held.get("items") or ():
                    on_event("ADDED", item)
                self._synced.add(kind)
                seconds = FIRST
                version = held["metadata"].get("resourceVersion", "")
                for event in self._client.watch(path, WATCH, resourceVersion=version, **query):
                    on_event(event["type"], event["object"])
            except (ApiError, Unreachable) as fault:
                klog.error(
                    "reflector.go:200",
                    f"failed to list *v1.{kind}: {fault}",
                    "Failed to watch",
                    type=f"*v1.{kind}",
                )
                clock.sleep(seconds)
                seconds = min(seconds * 2, LAST)

    def _serve(self) -> None:
        """Serve health and metrics; a port that is taken is tried again, as the real one does."""
        health = {"/healthz": self._healthz}
        if self._settings.claim.since("1.28"):
            health["/livez"] = self._livez
        metrics = {
            "/healthz": lambda: Answer(200, "ok"),
            "/metrics": lambda: Answer(200, self._metrics()),
            "/proxyMode": lambda: Answer(200, self._settings.mode),
        }
        for field, answers in (("healthzBindAddress", health), ("metricsBindAddress", metrics)):
            address = self._settings[field]
            if address:
                where, _, port = address.rpartition(":")
                clock.start(field, _serve, where.strip("[]"), int(port), http_server.paths(answers))

    def _healthz(self) -> Answer:
        eligible = self._eligible()
        extra = {"nodeEligible": eligible} if self._settings.claim.since("1.29") else {}
        return self._health(self._is_synced() and eligible, extra)

    def _livez(self) -> Answer:
        return self._health(self._is_synced(), {})

    def _health(self, healthy: bool, extra: dict[str, bool]) -> Answer:
        now = datetime.now(timezone.utc).isoformat()
        return Answer(
            200 if healthy else 503, json.dumps({"lastUpdated": now, "currentTime": now, **extra}), _JSON
        )

    def _is_synced(self) -> bool:
        return set(self._kinds) <= self._synced

    def _eligible(self) -> bool:
        """Whether the node is there and is to stay."""
        if not self._node or self._node["metadata"].get("deletionTimestamp"):
            return False
        taints = self._node.get("spec", {}).get("taints") or ()
        return all(taint["key"] != _TO_BE_DELETED for taint in taints)

    def _metrics(self) -> str:
        name, now = "kubeproxy_sync_proxy_rules_last_timestamp_seconds", time.time()
        return f"# TYPE {name} gauge\n{name} {now if self._is_synced() else 0}\n"


def _config(settings: Settings) -> ClientConfig:
    """How the API server is reached. Raises KubeconfigError."""
    path, server = settings["clientConnection.kubeconfig"], settings.flags.text("master")
    if path:
        return kubeconfig.load(path, server)
    if server:
        return ClientConfig(server)
    klog.info(
        "server.go:420",
        "Neither kubeconfig file nor master URL was specified, falling back to in-cluster config",
    )
    raise KubeconfigError(
        "unable to load in-cluster configuration, KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT must "
        "be defined"
    )


def _ignore(_kind: str, _item: dict[str, Any]) -> None:
    """Services and endpoints are followed, but nothing is made of them."""


def _kinds(settings: Settings) -> dict[str, str]:
    """What is followed besides the node: services, and their endpoints by the API of the minor."""
    claim = settings.claim
    if claim.since("1.19"):
        version = "v1" if claim.since("1.21") else "v1beta1"
        endpoints = {"EndpointSlice": f"/apis/discovery.k8s.io/{version}/endpointslices"}
    else:
        endpoints = {"Endpoints": "/api/v1/endpoints"}
    return {"Service": "/api/v1/services", **endpoints}


def _serve(where: str, port: int, respond: http_server.Responder) -> None:
    while True:
        try:
            http_server.Server(where, port, respond).serve_forever()
        except OSError as fault:
            reason = f"listen tcp {where}:{port}: bind: {(fault.strerror or str(fault)).lower()}"
            klog.error(
                "server.go:452",
                f"failed to start proxy healthz on {quote(where)}: {reason}",
                "Healthz server failed",
            )
        clock.sleep(5)
