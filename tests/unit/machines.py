"""A machine on which nothing stands in the way of the smallest pillar's node; a test changes one thing."""

from __future__ import annotations

from typing import Any

GOOD: dict[str, Any] = {
    "processor": "x86_64",
    "os_family": "Debian",
    "kernel": "6.1.0-18-amd64",
    "container": False,
    "cgroups": 2,
    "modules": {
        "br_netfilter": "loaded",
        "ipip": "loadable",
        "nf_conntrack": "loadable",
        "overlay": "built in",
        "xt_set": "loadable",
    },
    "options": {},
    "memory_mib": 3906,
    "disks": {"/var/lib/kubelet": {"free_mib": 20480, "free_percent": 50}},
    "now": 1795000000.0,
    "synchronised": True,
    "swaps": [],
    "ports": {},
    "client_name": None,
    "name_known": True,
    "root_dir": None,
    "cgroup_driver": None,
    "foreign_files": [],
    "ours": False,
    "units": [],
    "drop_ins": [],
    "cni_files": [],
    "network_before": None,
    "mtus": {"eth0": 1500, "lo": 65536},
    "addresses": ["127.0.0.1", "192.168.1.42"],
    "routes": [
        {"network": "0.0.0.0/0", "interface": "eth0", "gateway": True},
        {"network": "192.168.1.0/24", "interface": "eth0", "gateway": False},
    ],
    "resolvers": ["192.168.1.1"],
    "api_server": {"reached": True, "trusted": True, "why": "", "ahead": 0},
}
