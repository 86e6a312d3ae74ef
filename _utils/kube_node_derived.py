"""Values that follow from others: a layer right above the defaults, below profile, system and pillar.

Pure: no Salt, no I/O. A value that is None stands for nothing and is left out where settings are placed.
"""

from __future__ import annotations

import ipaddress
from typing import Any

import kube_node_milestones as milestones
import kube_node_needs as needs
import kube_node_registries as registries
import kube_node_static as static
import kube_node_versions as versions
from kube_node_identity import node_name

Tree = dict[str, Any]
DOCKER_ENDPOINT = "unix:///var/run/docker.sock"


def basics(tree: Tree, machine: Tree, facts: Tree) -> Tree:
    """Return what follows from a single key: names, addresses, and the defaults of this minor.

    Args:
        tree: the merged layers so far.
        machine: as `kube_node_parameters.compile_node` takes it.
        facts: the content of versions/*.yaml by name.
    """
    minor = versions.minor(tree["version"])
    services = ipaddress.ip_network(tree["cluster"]["service_cidr"])
    addresses = [machine["address"]] if machine["address"] else []
    return {
        "cluster": {"dns_address": str(services[2])},
        "node": {
            "name": node_name(tree, machine["id"]),
            "addresses": addresses,
            "salt_call": machine["salt_call"],
        },
        "os": {
            "swap_off": tree["os"]["swap"] in (False, "off"),
            "network_managers": machine.get("network_managers", []),
        },
        "paths": {"ca": f"{tree['paths']['certificates']}/ca.crt"},
        "runtime": {
            "name": "containerd" if milestones.containerd_possible(facts, minor) else "docker",
            "sandbox_image": milestones.pause_image(facts, minor, tree["node"]["architecture"]),
        },
    }


def settings(tree: Tree, machine: Tree, facts: Tree) -> Tree:
    """Return the settings of runtime, kubelet and kube-proxy that follow from the other keys; as `basics`."""
    minor = versions.minor(tree["version"])
    runtime, certificates = _runtime(tree, facts, minor), _certificates(tree, facts, minor)
    return {
        "os": {"modules": needs.modules(tree, machine, facts), "sysctl": needs.sysctl(tree, facts)},
        "runtime": runtime,
        "kubelet": {
            **certificates,
            "config": _kubelet_config(tree, machine, runtime, facts, minor),
            "extra_args": _kubelet_flags(tree, runtime),
        },
        "kube_proxy": _kube_proxy(tree, facts, minor) | _proxy_certificate(tree, certificates),
    }


def _runtime(tree: Tree, facts: Tree, minor: str) -> Tree:
    """The kubelet speaks the CRI; only up to 1.23 it has a shim for Docker in itself."""
    runtime = tree["runtime"]
    common = {"systemd_cgroup": runtime["cgroup_driver"] == "systemd"}
    if runtime["name"] == "containerd":
        release = runtime["containerd"]["version"]
        tables = ("containerd_schema", "containerd_hosts_toml")
        schema, hosts = (release and milestones.step(facts["milestones"][table], release) for table in tables)
        return {
            **common,
            "unit": "containerd.service",
            "kubelet_endpoint": runtime["containerd"]["endpoint"],
            "schema": schema,
            "registries_folder": registries.FOLDER if hosts else None,
        }
    if milestones.dockershim(facts, minor):
        return {**common, "unit": "docker.service", "kubelet_endpoint": None}
    return {
        **common,
        "unit": "cri-docker.service",
        "kubelet_endpoint": runtime["cri_dockerd"]["endpoint"],
        "docker_endpoint": DOCKER_ENDPOINT,
        "streams_on_loopback": milestones.holds(facts, "cri_dockerd_streaming_bind_addr", minor),
    }


def _certificates(tree: Tree, facts: Tree, minor: str) -> Tree:
    """Where the node's certificate is, which ones are waited for, and where a key lies that waits for one."""
    folder = tree["paths"]["certificates"]
    if tree["certificates"]["mode"] == "static":
        pair = {"client_certificate": f"{folder}/kubelet.pem", "client_key": f"{folder}/kubelet-key.pem"}
        waiting = {"key": pair["client_key"], "certificate": None}
        return {**pair, "certificates": [pair["client_certificate"]], "waiting_key": waiting}
    pki = f"{tree['paths']['kubelet']}/pki"
    client = f"{pki}/kubelet-client-current.pem"
    serving = [f"{pki}/kubelet-server-current.pem"] if _asks_for_serving(tree) else []
    issued = [client, *serving]
    rotates = tree["kubelet"]["config"].get("rotateCertificates") is not False
    waiting = milestones.waiting_key(facts, minor, rotates)
    return {
        "client_certificate": client,
        "client_key": client,
        "certificates": issued,
        "waiting_key": waiting and {what: f"{pki}/{name}" for what, name in waiting.items()},
    }


def _proxy_certificate(tree: Tree, kubelet: Tree) -> Tree:
    """Where the certificate is that kube-proxy speaks with: its node's, or one of its own."""
    if tree["certificates"]["kube_proxy"]["from"] == static.NODE:
        return {key: kubelet[key] for key in ("client_certificate", "client_key")}
    folder = tree["paths"]["certificates"]
    return {"client_certificate": f"{folder}/kube-proxy.pem", "client_key": f"{folder}/kube-proxy-key.pem"}


def _asks_for_serving(tree: Tree) -> bool:
    """In 1.9 and 1.10 the feature gate alone decides, later the field; the gate must be on all the same."""
    config = tree["kubelet"]["config"]
    gates = config.get("featureGates")
    gate = gates.get("RotateKubeletServerCertificate") if isinstance(gates, dict) else None
    return config.get("serverTLSBootstrap") is not False and gate is not False


def _kubelet_config(tree: Tree, machine: Tree, runtime: Tree, facts: Tree, minor: str) -> Tree:
    cluster, paths, bootstrap = tree["cluster"], tree["paths"], tree["certificates"]["mode"] == "bootstrap"
    return {
        "authentication": {"x509": {"clientCAFile": paths["ca"]}},
        "cgroupDriver": tree["runtime"]["cgroup_driver"],
        "clusterDNS": [cluster["dns_address"]],
        "clusterDomain": cluster["dns_domain"],
        "containerRuntimeEndpoint": runtime["kubelet_endpoint"],
        "featureGates": _kubelet_gates(tree, runtime, facts, minor) or None,
        "registerWithTaints": tree["node"]["taints"] or None,
        "resolvConf": machine.get("resolv_conf"),
        "rotateCertificates": True if bootstrap else None,
        "serverTLSBootstrap": True if bootstrap else None,
        "staticPodPath": paths["static_pods"],
        "tlsCertFile": None if bootstrap else f"{paths['certificates']}/kubelet.pem",
        "tlsPrivateKeyFile": None if bootstrap else f"{paths['certificates']}/kubelet-key.pem",
    }


def _kubelet_gates(tree: Tree, runtime: Tree, facts: Tree, minor: str) -> dict[str, bool]:
    """Return the feature gates whose default is not what the rest asks for."""
    gates = {}
    serving = tree["certificates"]["mode"] == "bootstrap" and _asks_for_serving(tree)
    if serving and milestones.feature_gate(facts, "RotateKubeletServerCertificate", minor) is False:
        gates["RotateKubeletServerCertificate"] = True
    adapter = runtime["unit"] == "cri-docker.service"
    if adapter and milestones.feature_gate(facts, "ExtendWebSocketsToKubelet", minor):
        # Or kubectl exec fails: cri-dockerd issue 560.
        gates["ExtendWebSocketsToKubelet"] = False
    return gates


def _kubelet_flags(tree: Tree, runtime: Tree) -> Tree:
    paths, addresses, labels = tree["paths"], tree["node"]["addresses"], tree["node"]["labels"]
    bootstrap = tree["certificates"]["mode"] == "bootstrap"
    shim = runtime["kubelet_endpoint"] is None
    return {
        "bootstrap-kubeconfig": f"{paths['kubernetes']}/bootstrap.kubeconfig" if bootstrap else None,
        "cert-dir": f"{paths['kubelet']}/pki" if bootstrap else None,
        "cni-bin-dir": paths["cni_bin"] if shim else None,
        "cni-conf-dir": paths["cni_config"] if shim else None,
        "config": f"{paths['kubelet']}/config.yaml",
        "container-runtime": None if shim else "remote",
        "hostname-override": tree["node"]["name"],
        "kubeconfig": f"{paths['kubernetes']}/kubelet.kubeconfig",
        "network-plugin": "cni" if shim else None,
        "node-ip": addresses[0] if addresses else None,
        "node-labels": ",".join(f"{key}={value}" for key, value in sorted(labels.items())) or None,
        "pod-infra-container-image": tree["runtime"]["sandbox_image"],
        "root-dir": paths["kubelet"],
    }


def _kube_proxy(tree: Tree, facts: Tree, minor: str) -> Tree:
    name = tree["kube_proxy"]["config"].get("mode")
    mode = milestones.kube_proxy_modes(facts, minor).get(name) if isinstance(name, str) else None
    return {
        "config": {
            "clientConnection": {"kubeconfig": f"{tree['paths']['kubernetes']}/kube-proxy.kubeconfig"},
            "clusterCIDR": tree["cluster"]["pod_cidr"],
            "featureGates": {mode.gate: True} if mode and mode.gate else None,
            "hostnameOverride": tree["node"]["name"],
        },
        "extra_args": {"config": f"{tree['paths']['kube_proxy']}/config.yaml"},
    }
