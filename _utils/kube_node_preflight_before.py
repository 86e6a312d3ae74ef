"""Of the preflight: what was there before us, ports, programs and settings that are not ours.

Pure: no Salt, no I/O; what `machine` is says `kube_node_preflight`.
"""

from __future__ import annotations

from typing import Any

from kube_node_findings import ERROR, INFO, WARNING, Finding
from kube_node_kept import REPLACED, place
from kube_node_needs import NETWORK_FILES

Facts = dict[str, Any]
RUNTIMES = {"docker.service": "docker", "containerd.service": "containerd", "crio.service": "cri-o"}
KUBELETS = (
    "k3s.service",
    "k3s-agent.service",
    "rke2-agent.service",
    "rke2-server.service",
    "k0sworker.service",
    "k0scontroller.service",
    "snap.microk8s.daemon-kubelite.service",
    "snap.kubelet.daemon.service",
)
FIREWALLS = ("firewalld.service", "ufw.service")
UNITS = (*RUNTIMES, *KUBELETS, *FIREWALLS)
# kubeadm's package changes the command of every kubelet.service by it.
DROP_INS = tuple(
    f"{folder}/systemd/system/kubelet.service.d/10-kubeadm.conf" for folder in ("/etc", "/usr/lib", "/lib")
)


def ports(node: Facts, machine: Facts) -> list[Finding]:
    """Ports of the kubelet and kube-proxy that somebody else has."""
    found = []
    for need in node["preflight"]["needs"]["ports"]:
        holder = machine["ports"].get(need["port"])
        if holder is None or holder["unit"] == need["unit"]:
            continue
        of = f" of {holder['unit']}" if holder["unit"] else ""
        told = f"port {need['port']} is taken by {holder['program']}{of}"
        found.append(Finding("ports", ERROR, told, f"stop that, or choose another {need['key']}"))
    return found


def node_name(node: Facts, machine: Facts) -> list[Finding]:
    """A joined node has its name in its certificate, and the API server knows it by that."""
    name, has = node["node"]["name"], machine["client_name"]
    if has in (None, f"system:node:{name}"):
        return []
    before = has.removeprefix("system:node:")
    found = f"the node is to be {name}, and its client certificate is that of {before}"
    folder, config = f"{node['paths']['kubelet']}/pki", f"{node['paths']['kubernetes']}/kubelet.kubeconfig"
    remedy = f"set node.name to {before}, or delete that Node and here {folder} and {config}"
    if node["certificates"]["mode"] == "static":
        remedy = f"set node.name to {before}, or put a certificate of system:node:{name} there"
    return [Finding("node_name", ERROR, found, remedy)]


def node_name_unknown(node: Facts, machine: Facts) -> list[Finding]:
    """An API server may call the kubelet by its name first (--kubelet-preferred-address-types)."""
    if machine["name_known"] is not False:
        return []
    remedy = "name it in DNS or /etc/hosts"
    return [Finding("node_name_unknown", WARNING, f"{node['node']['name']} resolves to no address", remedy)]


def root_dir(node: Facts, machine: Facts) -> list[Finding]:
    """A joined node's pods, volumes and certificates stay in the folder where they were made."""
    wanted, before = node["paths"]["kubelet"], machine["root_dir"]
    if machine["client_name"] is None or before in (None, wanted):
        return []
    found = f"the kubelet's folder is to be {wanted}, and this node has joined with {before}"
    config = f"{node['paths']['kubernetes']}/kubelet.kubeconfig"
    remedy = (
        f"set paths.kubelet to {before}, or drain the node, delete it, stop the kubelet and remove {config}"
    )
    return [Finding("root_dir", ERROR, found, remedy)]


def cgroup_driver(node: Facts, machine: Facts) -> list[Finding]:
    """Containers that run stay in the cgroups of the other driver, and the kubelet no longer finds them."""
    wanted, has = node["runtime"]["cgroup_driver"], machine["cgroup_driver"]
    if machine["client_name"] is None or has in (None, wanted):
        return []
    found = f"the node has joined with the driver {has}, and runtime.cgroup_driver is {wanted}"
    remedy = f"set it to {has}, or change it on a drained node as docs/runtime.md says"
    return [Finding("cgroup_driver", ERROR, found, remedy)]


def foreign_runtime(node: Facts, machine: Facts) -> list[Finding]:
    """Two runtimes take each other's socket, configuration and firewall rules; Docker runs a containerd."""
    chosen = node["runtime"]["name"]
    active = [runtime for unit, runtime in RUNTIMES.items() if unit in machine["units"]]
    if chosen == "docker" and "docker" not in active and "containerd" in active:
        remedy = "take it out of use first, or set runtime.name to containerd"
        return [
            Finding("foreign_runtime", WARNING, "containerd runs, and docker is to be the runtime", remedy)
        ]
    others = [runtime for runtime in active if runtime not in (chosen, "containerd")]
    return [
        Finding(
            "foreign_runtime",
            ERROR,
            f"{other} runs, and {chosen} is to be the runtime",
            f"stop and disable {other}" + (f", or set runtime.name to {other}" if other == "docker" else ""),
        )
        for other in others
    ]


def foreign_kubelet(_: Facts, machine: Facts) -> list[Finding]:
    """Another distribution's kubelet, or a drop-in that changes the command of ours."""
    running = [unit for unit in KUBELETS if unit in machine["units"]]
    return [
        *(
            Finding("foreign_kubelet", ERROR, f"{unit} runs a kubelet of its own", "uninstall it first")
            for unit in running
        ),
        *(
            Finding("foreign_kubelet", ERROR, f"{path} changes the command of our kubelet", "remove the file")
            for path in machine["drop_ins"]
        ),
    ]


def foreign_cni(node: Facts, machine: Facts) -> list[Finding]:
    """The runtime takes the first file by name, whoever put it there."""
    plugin, folder = node["network"]["plugin"], node["paths"]["cni_config"]
    # Of the network that this formula set up before, what is left goes by itself (kube_node_cni.only).
    known = {*node["preflight"]["needs"]["cni_files"], NETWORK_FILES.get(machine["network_before"])}
    others = sorted(set(machine["cni_files"]) - known)
    severity, remedy = ERROR, "move it away, set takeover to true, or choose another paths.cni_config"
    if machine["ours"]:
        remedy = "move it away, or choose another paths.cni_config"
    elif node["takeover"]:
        severity, remedy = INFO, f"it is moved below {place(REPLACED)}"
    return [
        Finding(
            "foreign_cni",
            severity,
            f"{folder}/{name} is a network that is not that of network.plugin {plugin}",
            remedy,
        )
        for name in others
    ]


def takeover(node: Facts, machine: Facts) -> list[Finding]:
    """What is replaced would be lost; that is for the pillar to say, once for all files."""
    kept = f"a copy is kept below {place(REPLACED)}"
    if node["takeover"]:
        told = [(path, INFO, "is replaced", kept) for path in machine["foreign_files"]]
    else:
        remedy = f"move it away, or set takeover to true: then {kept}"
        told = [(path, ERROR, "would be replaced", remedy) for path in machine["foreign_files"]]
    return [
        Finding("takeover", severity, f"{path} was there before us and {found}", remedy)
        for path, severity, found, remedy in told
    ]


def firewall(node: Facts, machine: Facts) -> list[Finding]:
    """A manager of firewalls may drop what pods send; ours is not to change it."""
    opened = ", ".join(str(need["port"]) for need in node["preflight"]["needs"]["ports"][:1])
    return [
        Finding(
            "firewall",
            WARNING,
            f"{unit} is active",
            f"let it pass {opened}/tcp, the network plugin's own traffic and what is forwarded for pods",
        )
        for unit in FIREWALLS
        if unit in machine["units"]
    ]


CHECKS = (
    ports,
    node_name,
    node_name_unknown,
    root_dir,
    cgroup_driver,
    foreign_runtime,
    foreign_kubelet,
    foreign_cni,
    takeover,
    firewall,
)
