"""What the preflight may find on a machine: the findings by name, and what one looks like.

Pure: no Salt, no I/O. What finds them is in `kube_node_preflight`; docs/preflight.md has them as a table.
"""

from dataclasses import dataclass

ERROR, WARNING, INFO = SEVERITIES = ("error", "warning", "info")

# Each may be accepted by the pillar (preflight.accept), since somebody may know better.
NAMES = (
    "addresses",
    "api_server",
    "api_server_certificate",
    "architecture",
    "cgroup_driver",
    "cgroup_v1",
    "cgroup_v2",
    "clock",
    "clock_unsynchronised",
    "disk",
    "firewall",
    "foreign_cni",
    "foreign_kubelet",
    "foreign_runtime",
    "kernel",
    "kernel_config",
    "kernel_modules",
    "masquerade",
    "memory",
    "mtu",
    "node_name",
    "node_name_unknown",
    "os_family",
    "ports",
    "proxy_kernel",
    "resolv_conf",
    "root_dir",
    "routes",
    "swap",
)


@dataclass(frozen=True)
class Finding:
    """One thing on the machine that stands in the way, or may: its name, what was found, what to do."""

    name: str
    severity: str
    found: str
    fix: str

    def __str__(self) -> str:
        return f"{self.name}: {self.found}, {self.fix}"
