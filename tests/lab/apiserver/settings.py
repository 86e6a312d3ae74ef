"""What the server is started with; named as the flags of kube-apiserver and kube-controller-manager."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path


@dataclass(frozen=True)
class Settings:
    """Where to listen, what to trust, what to sign with, and which Kubernetes to be.

    `watch_history`: events of one kind that are kept; older resourceVersions are answered with 410.
    """

    client_ca_file: Path
    tls_cert_file: Path
    tls_private_key_file: Path
    cluster_signing_cert_file: Path
    cluster_signing_key_file: Path
    bind_address: str = "127.0.0.1"
    secure_port: int = 0
    version: str = "1.36.2"
    cluster_signing_duration: timedelta = timedelta(hours=8760)
    service_cluster_ip_range: str = "10.0.0.0/24"
    allocate_node_cidrs: bool = False
    cluster_cidr: str | None = None
    token_auth_file: Path | None = None
    audit_log_path: Path | None = None
    watch_history: int = 100_000

    @property
    def minor(self) -> int:
        return int(self.version.split(".")[1])
