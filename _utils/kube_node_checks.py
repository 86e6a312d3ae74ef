"""What must fit together in the pillar: a version that is known, and values that speak of one thing.

Pure: no Salt, no I/O. The type of each single value is `kube_node_schema`'s.
"""

from __future__ import annotations

import ipaddress
from typing import Any

import kube_node_cgroups as cgroups
import kube_node_images as images
import kube_node_milestones as milestones
import kube_node_network_checks
import kube_node_programs as programs
import kube_node_types as types
import kube_node_versions as versions
from kube_node_merge import Path, get
from kube_node_schema import Fault


def version(release: str | None, facts: dict[str, Any]) -> list[Fault]:
    """Return a fault for a release whose minor the facts do not know."""
    known = versions.minors(facts)
    if release is None or versions.minor(release) in known:
        return []
    choice = f"choose a release of {known[0]} to {known[-1]}"
    return [Fault("version", f"Kubernetes {versions.minor(release)} is not known, {choice}")]


def contradictions(
    tree: dict[str, Any], origins: dict[Path, str], facts: dict[str, Any], faults: list[Fault]
) -> list[Fault]:
    """Return what in the merged parameters contradicts itself.

    Args:
        tree: the parameters.
        origins: the layer that set each value, by its path.
        facts: the content of versions/*.yaml by name.
        faults: what is wrong already; a check that looks at one of those places is left out.
    """
    wrong = {fault.path for fault in faults}
    return [
        fault
        for reads, check in CHECKS
        if not any(_within(path, place) for path in wrong for place in reads)
        for fault in check(tree, origins, facts)
    ]


def _within(path: str, place: str) -> bool:
    """Tell whether one of two places lies in the other, or they are the same."""
    return path == place or path.startswith(f"{place}.") or place.startswith(f"{path}.")


def _name(tree: dict[str, Any], *_: Any) -> list[Fault]:
    fault = types.name(tree["node"]["name"])
    message = f"is missing, and the minion id cannot stand for it: {fault}"
    return [Fault("node.name", message)] if fault else []


def _said_twice(tree: dict[str, Any], origins: dict[Path, str], _: Any) -> list[Fault]:
    """What several programs must agree on is said once.

    The node's name is that of its certificate, the kubelet and kube-proxy (kubernetes issue 54482), the
    cgroup driver that of runtime and kubelet (issue 43805), kube-proxy reads the kubelet's certificate, and
    the formula writes the files that the flags name.
    """
    found = [
        (place, owner, value, get(tree, tuple(place.split("."))))
        for place, owner, value in _once(tree)
        if origins.get(tuple(place.split("."))) == "pillar"
    ]
    return [
        Fault(place, f"{types.shown(said)} is not the {types.shown(value)} of {owner}, set {owner} alone")
        for place, owner, value, said in found
        if said not in (None, value)
    ]


def _once(tree: dict[str, Any]) -> tuple[tuple[str, str, Any], ...]:
    """Return each place where something is said again: the place, the key that says it, and its value."""
    name, driver, paths = tree["node"]["name"], tree["runtime"]["cgroup_driver"], tree["paths"]
    configs, image = paths["kubernetes"], tree["runtime"]["sandbox_image"]
    containerd = programs.containerd_release(tree)
    return (
        *((("runtime.containerd.version", "binaries.containerd.version", containerd),) if containerd else ()),
        ("kubelet.extra_args.hostname-override", "node.name", name),
        ("kube_proxy.config.hostnameOverride", "node.name", name),
        ("kube_proxy.extra_args.hostname-override", "node.name", name),
        ("kubelet.config.cgroupDriver", "runtime.cgroup_driver", driver),
        ("kubelet.extra_args.cgroup-driver", "runtime.cgroup_driver", driver),
        ("kubelet.extra_args.pod-infra-container-image", "runtime.sandbox_image", image),
        ("kubelet.extra_args.cert-dir", "paths.kubelet", f"{paths['kubelet']}/pki"),
        ("kubelet.extra_args.root-dir", "paths.kubelet", paths["kubelet"]),
        ("kubelet.extra_args.config", "paths.kubelet", f"{paths['kubelet']}/config.yaml"),
        ("kubelet.extra_args.kubeconfig", "paths.kubernetes", f"{configs}/kubelet.kubeconfig"),
        ("kubelet.extra_args.bootstrap-kubeconfig", "paths.kubernetes", f"{configs}/bootstrap.kubeconfig"),
        ("kube_proxy.extra_args.config", "paths.kube_proxy", f"{paths['kube_proxy']}/config.yaml"),
        (
            "kube_proxy.config.clientConnection.kubeconfig",
            "paths.kubernetes",
            f"{configs}/kube-proxy.kubeconfig",
        ),
    )


def _labels(tree: dict[str, Any], origins: dict[Path, str], facts: dict[str, Any]) -> list[Fault]:
    """A kubelet may not give its own node any label it likes (NodeRestriction, kubernetes issue 79305)."""
    minor, flag = versions.minor(tree["version"]), ("kubelet", "extra_args", "node-labels")
    labels, place = tree["node"]["labels"], "node.labels"
    if origins.get(flag) == "pillar":
        if labels:
            return [Fault(".".join(flag), "says what node.labels says, keep that one")]
        place = ".".join(flag)
        labels = dict(pair.partition("=")[::2] for pair in str(get(tree, flag)).split(","))
    refused = [key for key in labels if milestones.node_label_verdict(facts, minor, key) == "refused"]
    return [
        Fault(place, f"{types.shown(key)} is none that a kubelet of {minor} may set, set it through the API")
        for key in refused
    ]


def _paths(tree: dict[str, Any], *_: Any) -> list[Fault]:
    """The kubelet and kube-proxy each keep a config.yaml."""
    paths = tree["paths"]
    if paths["kubelet"] != paths["kube_proxy"]:
        return []
    message = f"{paths['kube_proxy']} is paths.kubelet too, choose a folder of its own"
    return [Fault("paths.kube_proxy", message)]


def _networks(tree: dict[str, Any], *_: Any) -> list[Fault]:
    cluster = tree["cluster"]
    services, pods = ipaddress.ip_network(cluster["service_cidr"]), ipaddress.ip_network(cluster["pod_cidr"])
    faults = []
    if services.overlaps(pods):
        message = f"{pods} overlaps cluster.service_cidr {services}, choose one apart"
        faults.append(Fault("cluster.pod_cidr", message))
    if ipaddress.ip_address(cluster["dns_address"]) not in services:
        message = f"{cluster['dns_address']} is outside cluster.service_cidr {services}, choose one inside"
        faults.append(Fault("cluster.dns_address", message))
    for address in tree["node"]["addresses"]:
        for key, network in (("service_cidr", services), ("pod_cidr", pods)):
            if ipaddress.ip_address(address) in network:
                message = (
                    f"{address} is inside cluster.{key} {network}, choose a network apart from the nodes'"
                )
                faults.append(Fault("node.addresses", message))
    return faults


def _network(tree: dict[str, Any], _: Any, facts: dict[str, Any]) -> list[Fault]:
    return kube_node_network_checks.faults(tree, facts)


def _containerd(tree: dict[str, Any], _: Any, facts: dict[str, Any]) -> list[Fault]:
    """kubelet and containerd must speak one version of the CRI; config.toml has the release's schema."""
    runtime, minor = tree["runtime"], versions.minor(tree["version"])
    if runtime["name"] != "containerd":
        return []
    if not milestones.containerd_possible(facts, minor):
        return [Fault("runtime.name", f"no containerd speaks the CRI of Kubernetes {minor}, choose docker")]
    release, place = runtime["containerd"]["version"], "runtime.containerd.version"
    if release is None:
        message = "is missing, write the release that the package installs, for instance 1.7.24"
        return [Fault(place, message)]
    if runtime["schema"] is None:
        oldest = min(facts["milestones"]["containerd_schema"], key=versions.parse)
        return [Fault(place, f"containerd {release} is not known, choose {oldest} or later")]
    if not milestones.containerd_speaks(facts, minor, release):
        message = f"containerd {release} does not speak the CRI of Kubernetes {minor}, choose another release"
        return [Fault(place, message)]
    if runtime["containerd"]["registries"] and not runtime["registries_folder"]:
        message = f"containerd {release} has no folder for them yet, choose 1.5 or later"
        return [Fault("runtime.containerd.registries", message)]
    return []


def _docker(tree: dict[str, Any], *_: Any) -> list[Fault]:
    """From 1.24 on the kubelet has no shim for Docker."""
    if tree["runtime"]["unit"] != "cri-docker.service" or programs.is_told(tree, "cri-dockerd"):
        return []
    minor = versions.minor(tree["version"])
    message = (
        f"is missing, Kubernetes {minor} needs cri-dockerd for docker: put the program beside kubelet in "
        "binaries.source and write its digest here, or set runtime.name to containerd"
    )
    return [Fault("binaries.sha256.cri-dockerd", message)]


def _proxy_mode(tree: dict[str, Any], _: Any, facts: dict[str, Any]) -> list[Fault]:
    mode, minor = tree["kube_proxy"]["config"].get("mode"), versions.minor(tree["version"])
    known = milestones.kube_proxy_modes(facts, minor)
    if mode in known or mode is None:
        return []
    message = f"{types.shown(mode)} is not a mode of {minor}, choose one of {', '.join(sorted(known))}"
    return [Fault("kube_proxy.config.mode", message)]


def _gates(tree: dict[str, Any], _: Any, facts: dict[str, Any]) -> list[Fault]:
    """A gate that the minor does not know keeps it from starting; of most gates nothing is known here."""
    minor = versions.minor(tree["version"])
    found = []
    for component in ("kubelet", "kube_proxy"):
        for gate in tree[component]["config"].get("featureGates") or ():
            listed = gate in facts["milestones"]["feature_gates"]
            if listed and milestones.feature_gate(facts, gate, minor) is None:
                message = f"is not a feature gate of {minor}, remove it"
                found.append(Fault(f"{component}.config.featureGates.{gate}", message))
    return found


def _static(tree: dict[str, Any], *_: Any) -> list[Fault]:
    """Certificates that the operator put there are the operator's to renew."""
    if tree["certificates"]["mode"] != "static":
        return []
    return [
        Fault(f"kubelet.config.{field}", "goes with certificates.mode bootstrap alone, remove one of the two")
        for field in ("rotateCertificates", "serverTLSBootstrap")
        if tree["kubelet"]["config"].get(field) is True
    ]


def _archives(tree: dict[str, Any], *_: Any) -> list[Fault]:
    """Of an image that two archives bring, each run would load both."""
    known: set[str] = set()
    faults = []
    for archive in tree["images"]["archives"]:
        for image in map(images.canonical, archive["images"]):
            if image in known:
                message = f"{types.shown(image)} is in two of them, name it in one"
                faults.append(Fault("images.archives", message))
            known.add(image)
    return faults


def _certificates(tree: dict[str, Any], origins: dict[Path, str], _: Any) -> list[Fault]:
    """Each source of a static certificate has what it needs, and what it does not is not there."""
    settings, found = tree["certificates"], []
    for name in ("kubelet", "kube_proxy"):
        source, place = settings[name]["from"], f"certificates.{name}"
        for key in ("certificate", "private_key"):
            there = settings[name][key] is not None
            if source == "pillar" and not there:
                found.append(Fault(f"{place}.{key}", f"is missing, write it or choose another {place}.from"))
            elif there and source != "pillar":
                message = f"goes with {place}.from pillar alone, remove one of the two"
                found.append(Fault(f"{place}.{key}", message))
    if settings["renew_days"] >= settings["days"]:
        message = f"{settings['renew_days']} is not less than certificates.days {settings['days']}, lower it"
        found.append(Fault("certificates.renew_days", message))
    issued = settings["mode"] == "static" and settings["kubelet"]["from"] == "master"
    if issued and (origins.get(("node", "addresses")) != "pillar" or not tree["node"]["addresses"]):
        message = "is missing, and the master signs no address by a machine's own word: write the node's"
        found.append(Fault("node.addresses", message))
    return found


def _cgroups(tree: dict[str, Any], *_: Any) -> list[Fault]:
    return cgroups.faults(tree)


# Each check, and the places that it reads.
CHECKS: tuple[tuple[tuple[str, ...], Any], ...] = (
    (("node.name",), _name),
    (
        ("node.name", "paths", "runtime.cgroup_driver", "runtime.containerd", "runtime.sandbox_image"),
        _said_twice,
    ),
    (("node.labels", "kubelet.extra_args.node-labels"), _labels),
    (("paths.kubelet", "paths.kube_proxy"), _paths),
    (("cluster.service_cidr", "cluster.pod_cidr", "cluster.dns_address", "node.addresses"), _networks),
    (("network", "cluster.pod_cidr"), _network),
    (("runtime.name", "runtime.containerd"), _containerd),
    (("runtime.name", "binaries.sha256", "binaries.cri-dockerd"), _docker),
    (("kube_proxy.config.mode",), _proxy_mode),
    (("kubelet.config.featureGates", "kube_proxy.config.featureGates"), _gates),
    (("certificates.mode", "kubelet.config"), _static),
    (("images.archives",), _archives),
    (("certificates", "node.addresses"), _certificates),
    (
        (
            "kubelet.config.enforceNodeAllocatable",
            "kubelet.config.kubeReservedCgroup",
            "kubelet.config.systemReservedCgroup",
            "runtime.cgroup_driver",
        ),
        _cgroups,
    ),
)
