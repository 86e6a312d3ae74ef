"""What a Kubernetes minor does beside its flags and fields: runtimes, API versions, images, modes, labels.

Pure functions of ``facts`` (see `kube_node_versions`); the data and their sources are in
``kube_node/versions/milestones.yaml``.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kube_node_versions import Facts, lifetime, parse, span


@dataclass(frozen=True, slots=True)
class ProxyMode:
    """A mode of kube-proxy in one minor.

    ``gate`` is the feature gate to switch on for it, None when none is needed; ``kernel`` the oldest kernel
    that it runs on, None when any does.
    """

    name: str
    gate: str | None
    kernel: str | None
    kernel_modules: tuple[str, ...]
    deprecated: bool


def holds(facts: Facts, milestone: str, minor: str) -> bool:
    """Whether one of milestones.yaml's ``spans`` covers ``minor``."""
    return minor in span(facts, facts["milestones"]["spans"][milestone])


def dockershim(facts: Facts, minor: str) -> bool:
    """Whether the kubelet talks to Docker itself; in later minors Docker needs cri-dockerd."""
    return holds(facts, "dockershim", minor)


def container_runtime_flag(facts: Facts, minor: str) -> bool:
    """Whether a CRI runtime must be announced by ``--container-runtime=remote``."""
    return minor in lifetime(facts, "kubelet", "flag", "container-runtime")


def pod_infra_container_image_flag(facts: Facts, minor: str) -> bool:
    """Whether the kubelet is told the sandbox image too; in later minors only the runtime is."""
    return minor in lifetime(facts, "kubelet", "flag", "pod-infra-container-image")


def cgroup_v1_refused(facts: Facts, minor: str) -> bool:
    """Whether the kubelet refuses to start on cgroup v1 unless ``failCgroupV1`` is false."""
    return holds(facts, "cgroup_v1_refused", minor)


def csr_api(facts: Facts, minor: str) -> str:
    """The newest ``apiVersion`` of CertificateSigningRequest that the minor's API server serves."""
    return step(facts["milestones"]["csr_api"], minor)


def feature_gate(facts: Facts, gate: str, minor: str) -> bool | None:
    """A feature gate's default in ``minor``, None where that minor does not know the gate."""
    return step(facts["milestones"]["feature_gates"].get(gate, {}), minor)


def pause_image(facts: Facts, minor: str, architecture: str = "amd64") -> str:
    """The sandbox image that the minor's kubelet names by itself."""
    return step(facts["milestones"]["pause_image"], minor).format(architecture=architecture)


def kernel_minimum(facts: Facts, minor: str) -> str:
    """The oldest kernel that the minor is meant for."""
    return step(facts["milestones"]["kernel"], minor)


def waiting_key(facts: Facts, minor: str, rotates: bool) -> dict[str, str] | None:
    """Where a kubelet's key waits for its first certificate: `{key, certificate}`, files of ``--cert-dir``.

    ``certificate`` is the one that ends the wait. None where the key is in memory alone, as with rotation it
    is from 1.13 on.
    """
    if rotates and holds(facts, "client_bootstrap_in_background", minor):
        return None
    return dict(step(facts["milestones"]["waiting_key"], minor))


def kube_proxy_modes(facts: Facts, minor: str) -> dict[str, ProxyMode]:
    """The modes that kube-proxy of ``minor`` has on Linux, by name."""
    result = {}
    for name, line in facts["milestones"]["kube_proxy_modes"].items():
        if minor in span(facts, line):
            gated = "gate" in line and parse(minor) <= parse(line["gate_until"])
            old = "deprecated" in line and parse(minor) >= parse(line["deprecated"])
            modules = tuple(line.get("kernel_modules", ()))
            result[name] = ProxyMode(name, line["gate"] if gated else None, line.get("kernel"), modules, old)
    return result


def containerd_schema(facts: Facts, containerd_version: str) -> int:
    """The ``version`` of config.toml that a containerd release reads without conversion.

    Raises:
        ValueError: for a containerd older than the table.
    """
    table = facts["milestones"]["containerd_schema"]
    schema = step(table, containerd_version)
    if schema is None:
        raise ValueError(
            f"containerd {containerd_version} is not known: choose {min(table, key=parse)} or later"
        )
    return schema


def containerd_minimum(facts: Facts, minor: str) -> dict[str, str]:
    """The oldest release of each containerd line that goes with ``minor``; empty where none does."""
    lines = facts["milestones"]["containerd"].items()
    found = ((line, step(entry["minimum"], minor)) for line, entry in lines if minor in span(facts, entry))
    return {line: release for line, release in found if release}


def containerd_possible(facts: Facts, minor: str) -> bool:
    """Whether any containerd release speaks the CRI of the minor's kubelet."""
    served = {cri for spoken in facts["milestones"]["containerd_cri"].values() for cri in spoken}
    return bool(served & set(step(facts["milestones"]["kubelet_cri"], minor)))


def containerd_speaks(facts: Facts, minor: str, containerd_version: str) -> bool:
    """Whether a containerd release speaks the CRI of the minor's kubelet."""
    tables = facts["milestones"]
    spoken = step(tables["containerd_cri"], containerd_version) or ()
    return bool(set(spoken) & set(step(tables["kubelet_cri"], minor)))


def node_label_verdict(facts: Facts, minor: str, key: str) -> str:
    """What becomes of a label that a kubelet gives its own node: "free", "warned" or "refused"."""
    rules = facts["milestones"]["node_labels"]
    domain = key.rpartition("/")[0]
    if _below(domain, rules["reserved"]["domain"]) and minor in span(facts, rules["reserved"]):
        return "refused"
    if not (_below(domain, "kubernetes.io") or _below(domain, "k8s.io")):
        return "free"
    if key in rules["allowed"] or any(_below(domain, allowed) for allowed in rules["allowed_domains"]):
        return "free"
    return step(rules["verdict"], minor)


def tested(facts: Facts, minor: str) -> dict[str, str]:
    """Versions of runtime and CNI plugins that a distribution shipped with ``minor``; empty if unknown."""
    return dict(facts["milestones"]["tested"].get(minor, {}))


def step(table: Mapping[str, Any], minor: str) -> Any:
    """The value of a step table's last line that is not later than ``minor``, None before its first."""
    reached = [start for start in table if parse(start) <= parse(minor)]
    return table[max(reached, key=parse)] if reached else None


def _below(domain: str, parent: str) -> bool:
    return domain == parent or domain.endswith(f".{parent}")
