"""kubeconfig files as client-go's clientcmd loads them: the current context's cluster and user."""

from __future__ import annotations

import base64
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from . import strict_yaml

_EMPTY = (
    "invalid configuration: no configuration has been provided, "
    "try setting KUBERNETES_MASTER environment variable"
)


class KubeconfigError(ValueError):
    """A kubeconfig that cannot be used; the message is client-go's."""


@dataclass(frozen=True)
class ClientConfig:
    """Where the API server is and who talks to it: rest.Config, as far as a node needs it."""

    server: str
    ca_file: str = ""
    ca_data: bytes = b""
    insecure: bool = False
    server_name: str = ""
    token: str = ""
    token_file: str = ""
    cert_file: str = ""
    key_file: str = ""
    cert_data: bytes = b""
    key_data: bytes = b""

    def anonymous(self, cert_file: str = "") -> ClientConfig:
        """The same server with no credentials but a certificate and key in ``cert_file``, if given."""
        return ClientConfig(
            self.server,
            self.ca_file,
            self.ca_data,
            self.insecure,
            self.server_name,
            cert_file=cert_file,
            key_file=cert_file,
        )

    def certificate_pem(self) -> bytes:
        """The client certificate, from its data or file; empty without one. Raises OSError."""
        return self.cert_data or (Path(self.cert_file).read_bytes() if self.cert_file else b"")

    def key_pem(self) -> bytes:
        """The client key, from its data or file; empty without one. Raises OSError."""
        return self.key_data or (Path(self.key_file).read_bytes() if self.key_file else b"")


def load(path: str, server: str = "") -> ClientConfig:
    """Load the kubeconfig at ``path``; ``server``, if given, replaces the cluster's.

    Raises:
        KubeconfigError: with client-go's message.
    """
    content = _read(path)
    context = _named(content, "contexts", "context", content.get("current-context"))
    if context is None:
        return _without_context(content, server)
    user_name, cluster_name = context.get("user", ""), context.get("cluster", "")
    cluster = _named(content, "clusters", "cluster", cluster_name) or {}
    user = _named(content, "users", "user", user_name) or {}
    folder = Path(path).resolve().parent
    config = _config({**cluster, "server": server or cluster.get("server", "")}, user, folder)
    faults = _faults(config, user, user_name, cluster_name)
    if faults:
        joined = ", ".join(faults)
        raise KubeconfigError(f"invalid configuration: {joined if len(faults) == 1 else f'[{joined}]'}")
    return config


def write(config: ClientConfig, path: str, cert_path: str, key_path: str = "") -> None:
    """Write the kubeconfig that the kubelet makes of its bootstrap one, mode 0600.

    Without ``key_path`` the certificate's file holds the key too.

    Source: pkg/kubelet/certificate/bootstrap/bootstrap.go, writeKubeconfigFromBootstrapping.
    """
    cluster: dict[str, Any] = {}
    if config.ca_file:
        cluster["certificate-authority"] = config.ca_file
    elif config.ca_data:
        cluster["certificate-authority-data"] = base64.b64encode(config.ca_data).decode()
    if config.insecure:
        cluster["insecure-skip-tls-verify"] = True
    cluster["server"] = config.server
    context = {"cluster": "default-cluster", "namespace": "default", "user": "default-auth"}
    user = {"client-certificate": cert_path, "client-key": key_path or cert_path}
    content = {
        "apiVersion": "v1",
        "clusters": [{"cluster": cluster, "name": "default-cluster"}],
        "contexts": [{"context": context, "name": "default-context"}],
        "current-context": "default-context",
        "kind": "Config",
        "users": [{"name": "default-auth", "user": user}],
    }
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        yaml.safe_dump(content, file, sort_keys=False)


def _read(path: str) -> dict[str, Any]:
    try:
        text = Path(path).read_text()
    except FileNotFoundError:
        raise KubeconfigError(f"stat {path}: no such file or directory") from None
    except OSError as fault:
        raise KubeconfigError(f'error loading config file "{path}": open {path}: {fault.strerror}') from None
    try:
        content = strict_yaml.load(text).value
    except strict_yaml.NotYaml as fault:
        raise KubeconfigError(f'error loading config file "{path}": {fault}') from None
    return content if isinstance(content, dict) else {}


def _named(content: dict[str, Any], group: str, kind: str, name: Any) -> dict[str, Any] | None:
    entries = content.get(group) or []
    found = (entry.get(kind) or {} for entry in entries if entry.get("name") == name)
    return next(found, None)


def _without_context(content: dict[str, Any], server: str) -> ClientConfig:
    name = content.get("current-context")
    if name:
        raise KubeconfigError(f"invalid configuration: context was not found for specified context: {name}")
    if not server:
        raise KubeconfigError(_EMPTY)
    return ClientConfig(server)


def _config(cluster: dict[str, Any], user: dict[str, Any], folder: Path) -> ClientConfig:
    def place(value: str | None) -> str:
        return str(folder / value) if value else ""

    def data(value: str | None) -> bytes:
        return base64.b64decode(value) if value else b""

    return ClientConfig(
        server=cluster["server"].rstrip("/"),
        ca_file=place(cluster.get("certificate-authority")),
        ca_data=data(cluster.get("certificate-authority-data")),
        insecure=bool(cluster.get("insecure-skip-tls-verify")),
        server_name=cluster.get("tls-server-name", ""),
        token=user.get("token", ""),
        token_file=place(user.get("tokenFile")),
        cert_file=place(user.get("client-certificate")),
        key_file=place(user.get("client-key")),
        cert_data=data(user.get("client-certificate-data")),
        key_data=data(user.get("client-key-data")),
    )


def _faults(config: ClientConfig, user: dict[str, Any], user_name: str, cluster_name: str) -> list[str]:
    """What clientcmd's validation finds, in its order: the user's files, then the cluster's."""
    files = [
        ("client-cert", config.cert_file, config.cert_data, user_name),
        ("client-key", config.key_file, config.key_data, user_name),
        ("certificate-authority", config.ca_file, config.ca_data, cluster_name),
    ]
    faults = [f"exec credentials of user {user_name} are beyond this double"] if user.get("exec") else []
    if not config.server:
        faults.append(f"no server found for cluster {cluster_name!r}".replace("'", '"'))
    for what, path, data, name in files:
        if path and not data and (reason := _unreadable(path)):
            faults.append(f"unable to read {what} {path} for {name} due to open {path}: {reason}")
    return faults


def _unreadable(path: str) -> str | None:
    try:
        Path(path).read_bytes()
    except FileNotFoundError:
        return "no such file or directory"
    except OSError as fault:
        return (fault.strerror or str(fault)).lower()
    return None
