"""Which keys the pillar may have, and the type of each.

Pure: no Salt, no I/O. What concerns more than one key is in `kube_node_checks`.
"""

import difflib
from dataclasses import dataclass
from typing import Any

import kube_node_registries as registries
import kube_node_types as types
import kube_node_types_fetched as fetched
import kube_node_types_pem as pem
from kube_node_findings import NAMES
from kube_node_merge import get
from kube_node_network_schema import NETWORK
from kube_node_ready import WAITS

MAX_DEPTH = 32
PROFILES = ("default", "kubeasz-1.1")
ARCHITECTURES = ("amd64", "arm64", "arm", "ppc64le", "s390x")


@dataclass(frozen=True, order=True)
class Fault:
    """One thing wrong with the pillar: where, what, and what to do."""

    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}"


# Kubernetes' own settings are checked against the facts of the minor, by kube_node_settings.
SETTINGS = object()
COMPONENT: dict[str, Any] = {
    "settings_as": types.one_of("file", "flags"),
    "restart": types.one_of("always", "on-failure"),
    "config": SETTINGS,
    "extra_args": SETTINGS,
}
CERTIFICATE = {"certificate": pem.delivered_certificate, "private_key": pem.private_key}


@dataclass(frozen=True)
class Either:
    """A value of one type, or a mapping with these keys; as a whole it is one of the pillar's keys."""

    value: types.Check | None
    keys: dict[str, Any]


DIGEST = fetched.digest_or_url
BY_PROCESSOR = Either(DIGEST, dict.fromkeys(ARCHITECTURES, DIGEST))
_FETCHED = {"source": types.source, "sha256": BY_PROCESSOR}
_OF_A_RELEASE = {"version": fetched.release, **_FETCHED}
_OR_PACKAGED = {"package": types.package, **_OF_A_RELEASE}
# The programs that `binaries` brings, and the keys of each.
PROGRAMS: dict[str, dict[str, Any]] = {
    "kubelet": _FETCHED,
    "kube-proxy": _FETCHED,
    "kubectl": _OR_PACKAGED,
    "crictl": _OR_PACKAGED,
    "runc": _OR_PACKAGED,
    "cni-plugins": _OR_PACKAGED,
    "containerd": _OF_A_RELEASE | {"version": fetched.full_release},
    "docker": _OF_A_RELEASE,
    "cri-dockerd": _OF_A_RELEASE,
}

SCHEMA: dict[str, Any] = {
    "version": types.release,
    "profile": types.one_of(*PROFILES),
    "takeover": types.boolean,
    "cluster": {
        "name": types.name,
        "api_server": types.api_server,
        "ca": pem.authorities,
        "service_cidr": types.service_cidr,
        "pod_cidr": types.cidr,
        "dns_address": types.address,
        "dns_domain": types.domain,
    },
    "node": {
        "name": types.name,
        "addresses": types.list_of(types.address),
        "dns_names": types.list_of(types.name),
        "labels": types.map_of(types.qualified_name, types.label_value),
        "taints": types.taints,
        "architecture": types.one_of(*ARCHITECTURES),
    },
    "paths": dict.fromkeys(
        (
            "bin",
            "versions",
            "kubernetes",
            "certificates",
            "ca",
            "static_pods",
            "kubelet",
            "kube_proxy",
            "cni_bin",
            "cni_config",
        ),
        types.absolute_path,
    ),
    "preflight": {"accept": types.list_of(types.one_of(*NAMES))},
    "os": {
        "modules": types.list_of(types.kernel_module),
        "sysctl": types.map_of(types.sysctl, types.sysctl_value),
        "sysctl_minimums": types.map_of(types.sysctl, types.integer(0, 2**63 - 1)),
        "swap": types.swap,
        "packages": types.list_of(types.package),
    },
    "proxy": {
        "http": fetched.proxy,
        "https": fetched.proxy,
        "no_proxy": types.list_of(fetched.direct),
    },
    "runtime": {
        "name": types.one_of("containerd", "docker"),
        "cgroup_driver": types.one_of("systemd", "cgroupfs"),
        "sandbox_image": types.image,
        "containerd": {
            "package": types.package,
            "version": types.release,
            "endpoint": types.socket,
            "registries": registries.registries,
            "credentials": registries.credentials,
        },
        "docker": {
            "package": types.package,
            "dockerd": types.absolute_path,
            "data_root": types.absolute_path,
            "registry_mirrors": types.list_of(types.mirror),
            "max_concurrent_downloads": types.integer(1, 100),
            "log_level": types.one_of("debug", "info", "warn", "error", "fatal"),
            "log_max_size": types.log_size,
            "log_max_file": types.integer(1, 1000),
        },
        "cri_dockerd": {"endpoint": types.socket},
    },
    "network": NETWORK,
    "certificates": {
        "mode": types.one_of("bootstrap", "static"),
        "kubelet": CERTIFICATE | {"from": types.one_of("files", "pillar", "master")},
        "kube_proxy": CERTIFICATE | {"from": types.one_of("node", "files", "pillar", "master")},
        "subject": {
            "C": types.country,
            "ST": types.subject_part,
            "L": types.subject_part,
            "OU": types.subject_part,
        },
        "key": types.one_of("rsa-2048", "rsa-3072", "rsa-4096", "ecdsa-256", "ecdsa-384", "ecdsa-521"),
        "days": types.integer(1, 36500),
        "renew_days": types.integer(0, 36500),
        "bootstrap_token": types.bootstrap_token,
        "bootstrap_user": types.name,
        "wait_seconds": types.integer(0, 3600),
        "knock_seconds": types.integer(1, 3600),
    },
    "kubelet": COMPONENT | {"runtime_dependency": types.one_of("Wants", "Requires")},
    "kube_proxy": COMPONENT,
    "binaries": {
        "source": types.source,
        "sha256": Either(DIGEST, dict.fromkeys(PROGRAMS, BY_PROCESSOR) | BY_PROCESSOR.keys),
        "keep": types.integer(1, 100),
        **{name: Either(None, PROGRAMS[name]) for name in PROGRAMS},
    },
    "images": {"archives": types.list_of(types.image_archive)},
    "ready": {"wait_for": types.one_of(*WAITS), "seconds": types.integer(0, 3600)},
}

REQUIRED = {
    ("version",): "write the release to run, for instance 1.36.2",
    ("cluster", "name"): "name the cluster, for instance production",
    ("cluster", "api_server"): "write the API server's URL, https://HOST:PORT",
}


def check(pillar: Any) -> tuple[dict[str, Any], list[Fault]]:
    """Check the operator's own tree: no unknown keys, each value of its type.

    Args:
        pillar: what stands under `kube_node` in the pillar, of any type.

    Returns:
        The part of the tree that is sound, and the faults of the rest.
    """
    if pillar is None or pillar == {}:
        wrong = "the pillar has no such tree"
    elif _deeper_than(pillar, MAX_DEPTH):
        wrong = f"nests deeper than {MAX_DEPTH} levels"
    elif not isinstance(pillar, dict):
        wrong = f"{types.shown(pillar)} is not a mapping"
    else:
        return _check_keys(pillar, SCHEMA, "")
    return {}, [Fault("kube_node", f"{wrong}, write it as pillar.example shows")]


def missing(tree: dict[str, Any], faults: list[Fault]) -> list[Fault]:
    """Return a fault for each required key that the merged `tree` lacks and that has no fault yet."""
    known = [fault.path for fault in faults]
    found = []
    for path, remedy in REQUIRED.items():
        dotted = ".".join(path)
        told = any(
            dotted == fault or dotted.startswith(f"{fault}.") or fault == "kube_node" for fault in known
        )
        if get(tree, path) is None and not told:
            found.append(Fault(dotted, f"is missing, {remedy}"))
    return found


def nearest(name: object, known: list[str]) -> str:
    """Return what to do about an unknown `name`: the nearest known one, or all of a few."""
    close = difflib.get_close_matches(types.shown_key(name), known, n=1, cutoff=0.6)
    if close:
        return f"did you mean {close[0]}?"
    return f"known here: {', '.join(known)}" if len(known) <= 20 else "look it up in Kubernetes' reference"


def _check_keys(tree: dict[Any, Any], schema: dict[str, Any], at: str) -> tuple[dict[str, Any], list[Fault]]:
    sound: dict[str, Any] = {}
    faults: list[Fault] = []
    for key, value in tree.items():
        path = f"{at}{types.shown_key(key)}"
        if not isinstance(key, str) or key not in schema:
            faults.append(Fault(path, f"is not a known key, {nearest(key, sorted(schema))}"))
            continue
        content, found = _check_value(path, value, schema[key])
        faults += found
        if not found or (isinstance(schema[key], (dict, Either)) and isinstance(content, dict)):
            sound[key] = content
    return sound, faults


def _check_value(path: str, value: Any, wanted: Any) -> tuple[Any, list[Fault]]:
    if isinstance(wanted, Either):
        wanted = wanted.value if wanted.value and not isinstance(value, dict) else wanted.keys
    if wanted is not SETTINGS and not isinstance(wanted, dict):
        message = wanted(value) if value is not None else "has no value, write one or leave the key out"
        return value, [Fault(path, message)] if message else []
    if not isinstance(value, dict):
        return {}, [Fault(path, f"{types.shown(value)} is not a mapping, write 'key: value' lines below it")]
    return (value, []) if wanted is SETTINGS else _check_keys(value, wanted, f"{path}.")


def _deeper_than(value: Any, depth: int) -> bool:
    """Tell whether `value` nests deeper than `depth`, without recursion of its own."""
    level = [value]
    for _ in range(depth):
        level = [
            inner
            for outer in level
            if isinstance(outer, (dict, list))
            for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]
        if not level:
            return False
    return True
