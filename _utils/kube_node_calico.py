"""Calico's own manifest, changed object by object to what the pillar says; and the operator's Installation.

A release whose manifest lacks what is to be changed is refused with the name of that: a setting that goes
nowhere would show only when packets do. Pure: no Salt, no I/O.
"""

from __future__ import annotations

from typing import Any

import kube_node_manifest as manifest
import kube_node_network as network
from kube_node_manifest import ManifestError, Object

Tree = dict[str, Any]
BY_MANIFEST = [
    ("DaemonSet", "kube-system", "calico-node"),
    ("Deployment", "kube-system", "calico-kube-controllers"),
]
BY_OPERATOR = [
    ("Deployment", "tigera-operator", "tigera-operator"),
    ("DaemonSet", "calico-system", "calico-node"),
]
SECRETS = "/calico-secrets"
ETCD_FILES = {"etcd_ca": "etcd-ca", "etcd_cert": "etcd-cert", "etcd_key": "etcd-key"}
# What keeps probes from waiting for BIRD, by release.
BIRD_PROBES = ("-bird-live", "-bird-ready", "--bird-live", "--bird-ready")


def objects(tree: Tree, found: list[Object], source: str) -> tuple[list[Object], list[tuple[str, str, str]]]:
    """Return the manifest as the pillar wants it, and the workloads that it sets up.

    Args:
        tree: the parameters of one of the cluster's nodes.
        found: the objects of the manifest; they are changed in place.
        source: what to call it in an error.

    Raises:
        ManifestError: it is neither calico's nor the operator's, or lacks something that is to be changed.
    """
    manifest.with_images(found, tree["network"]["registry"], tree["network"]["calico"]["images"])
    if any((one["kind"], one["metadata"]["name"]) == ("Deployment", "tigera-operator") for one in found):
        return [*found, installation(tree)], BY_OPERATOR
    return _changed(tree, found, source), BY_MANIFEST


def installation(tree: Tree) -> Object:
    """Return the operator's Installation.

    Raises:
        ManifestError: the pillar has a setting that Installation has not.
    """
    calico, mtu, registry = tree["network"]["calico"], tree["network"]["mtu"], tree["network"]["registry"]
    for key in ("log_level", "node_port_ranges", "images"):
        if calico[key]:
            raise ManifestError(f"network.calico.{key}: goes with calico's own manifest, not the operator's")
    if calico["datastore"] == "etcd":
        raise ManifestError(
            "network.calico.datastore: etcd goes with calico's own manifest, not the operator's"
        )
    pool = {
        "cidr": tree["cluster"]["pod_cidr"],
        "encapsulation": calico["encapsulation"],
        "natOutgoing": "Enabled",
        "nodeSelector": "all()",
    }
    family = "V6" if ":" in pool["cidr"] else "V4"
    spec = {
        "variant": "Calico",
        "cni": {"type": "Calico"},
        "calicoNetwork": {
            "bgp": "Enabled" if calico["bgp"] else "Disabled",
            "ipPools": [pool],
            f"nodeAddressAutodetection{family}": _operators_autodetection(_autodetection(tree)),
            **({"mtu": mtu} if mtu else {}),
        },
        **({"registry": f"{registry.rstrip('/')}/"} if registry else {}),
    }
    return {
        "apiVersion": "operator.tigera.io/v1",
        "kind": "Installation",
        "metadata": {"name": "default"},
        "spec": spec,
    }


def _changed(tree: Tree, found: list[Object], source: str) -> list[Object]:
    calico, etcd = tree["network"]["calico"], tree["network"]["calico"]["datastore"] == "etcd"
    if ":" in tree["cluster"]["pod_cidr"]:
        raise ManifestError("cluster.pod_cidr: IPv6 goes with the operator's manifest, not calico's own")
    config = manifest.find(found, "ConfigMap", "calico-config", source)["data"]
    pod = manifest.find(found, "DaemonSet", "calico-node", source)["spec"]["template"]["spec"]
    node = _named(pod["containers"], "calico-node", f"the DaemonSet calico-node of {source}", "container")
    environment = node.setdefault("env", [])
    if ("etcd_endpoints" in config) != etcd:
        other = "Kubernetes" if etcd else "etcd"
        raise ManifestError(
            f"{source} is for the datastore {other}: take the other one, or change the datastore"
        )
    if etcd:
        found = _with_etcd(calico["etcd_endpoints"], found, config)
    _replace(
        config, "calico_backend", "bird" if calico["bgp"] else "vxlan", f"ConfigMap calico-config of {source}"
    )
    if tree["network"]["mtu"]:
        _replace(config, "veth_mtu", str(tree["network"]["mtu"]), f"ConfigMap calico-config of {source}")
    way, when = _pool(calico["encapsulation"])
    for name in ("IPIP", "VXLAN"):
        _set(environment, f"CALICO_IPV4POOL_{name}", when if way == name else "Never", source)
    _set(environment, "CALICO_IPV4POOL_CIDR", tree["cluster"]["pod_cidr"])
    _set(environment, "IP_AUTODETECTION_METHOD", _autodetection(tree))
    if calico["log_level"]:
        _set(environment, "FELIX_LOGSEVERITYSCREEN", calico["log_level"])
    if calico["node_port_ranges"]:
        _set(environment, "FELIX_KUBENODEPORTRANGES", ",".join(calico["node_port_ranges"]))
    if not calico["bgp"]:
        _without_bird(node)
    paths = {"cni-bin-dir": tree["paths"]["cni_bin"], "cni-net-dir": tree["paths"]["cni_config"]}
    for name, path in paths.items():
        _named(pod["volumes"], name, f"the DaemonSet calico-node of {source}", "volume")["hostPath"][
            "path"
        ] = path
    return found


def _pool(encapsulation: str) -> tuple[str, str]:
    """Return the name of an encapsulation's variable, and its value there."""
    crossing = encapsulation.endswith("CrossSubnet")
    return encapsulation.removesuffix("CrossSubnet"), "CrossSubnet" if crossing else "Always"


def _autodetection(tree: Tree) -> str:
    return tree["network"]["calico"]["ip_autodetection"] or f"can-reach={network.api_host(tree)}"


def _operators_autodetection(method: str) -> Tree:
    """Return a way of calico-node's environment in the words of Installation."""
    name, _, value = method.partition("=")
    return {
        "can-reach": {"canReach": value},
        "cidr": {"cidrs": value.split(",")},
        "first-found": {"firstFound": True},
        "interface": {"interface": value},
        "kubernetes-internal-ip": {"kubernetes": "NodeInternalIP"},
        "skip-interface": {"skipInterface": value},
    }[name]


def _with_etcd(endpoints: list[str], found: list[Object], config: Tree) -> list[Object]:
    """Point at etcd. The Secret with its certificates is the operator's own, and never in our hands."""
    config["etcd_endpoints"] = ",".join(endpoints)
    tls = endpoints[0].startswith("https://")
    config |= {key: f"{SECRETS}/{name}" if tls else "" for key, name in ETCD_FILES.items()}
    return [
        one for one in found if (one["kind"], one["metadata"]["name"]) != ("Secret", "calico-etcd-secrets")
    ]


def _named(items: list[Tree], name: str, where: str, what: str) -> Tree:
    for one in items:
        if one["name"] == name:
            return one
    raise ManifestError(f"{where} has no {what} {name}: take the manifest of a release that has one")


def _replace(data: Tree, key: str, value: str, where: str) -> None:
    if key not in data:
        raise ManifestError(f"{where} has no {key}: take the manifest of a release that has one")
    data[key] = value


def _set(environment: list[Tree], name: str, value: str, source: str | None = None) -> None:
    """Set a variable; one that only some releases read must be there already, in the manifest of `source`."""
    there = [one for one in environment if one["name"] == name]
    if not there:
        if source is not None:
            raise ManifestError(
                f"calico-node of {source} has no variable {name}: take the manifest of a release that has one"
            )
        environment.append({"name": name, "value": value})
    for one in there:
        one.clear()
        one |= {"name": name, "value": value}


def _without_bird(node: Tree) -> None:
    for probe in ("livenessProbe", "readinessProbe"):
        command = node.get(probe, {}).get("exec", {}).get("command", [])
        command[:] = [word for word in command if word not in BIRD_PROBES]
