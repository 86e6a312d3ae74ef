"""Every file the formula keeps on a node: where it goes, which template makes it, who may read it.

Pure: no Salt, no I/O. The states walk this table room by room, `kube_node.render` walks all of it.
"""

from dataclasses import asdict, dataclass, field, replace
from typing import Any

import jinja2
import kube_node_registries as registries
from kube_node_static import FILES, KUBE_PROXY


@dataclass(frozen=True)
class File:
    """A managed file; one that is not `wanted` is kept absent.

    One that the operator brings is only looked for; `brought` is the fault to tell where it is not there.
    One that is for `joining` is left alone on a node that has its client certificate, one with an `unless`
    where that function of Salt's is true; one for `moving` is written only on a node that moves from mode
    static to bootstrap. What one template says of several files differs by their `context`.
    """

    id: str
    path: str
    template: str
    mode: str = "0644"
    secret: bool = False
    wanted: bool = True
    brought: str = ""
    joining: bool = False
    moving: bool = False
    context: dict[str, Any] = field(default_factory=dict)
    unless: str = ""


SYSTEMD = "/etc/systemd/system"
# Of each service: its room, where that has another name; what the ids of its own files begin with; and what
# it shares with others.
ROOMS = {"cri-docker": "docker", "kube-proxy": "kube_proxy"}
OWN = {
    "containerd": "containerd-",
    "docker": "docker-",
    "cri-docker": "cri-docker-unit",
    "kubelet": ("kubelet-", "slice-"),
    "kube-proxy": "kube-proxy-",
}
SHARED = {
    "containerd": ("proxy-environment",),
    "docker": ("proxy-environment",),
    "kubelet": ("cluster-ca", "bootstrap-kubeconfig", "kubelet-kubeconfig", "proxy-environment"),
    "kube-proxy": ("cluster-ca",),
}

# Those that read a certificate of their own when they start.
SPEAKING = ("kubelet", "kube-proxy")


def by_room(node: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Return the files of each room.

    Args:
        node: the parameters as `kube_node_parameters.compile_node` returns them.

    Returns:
        For each room (`kubelet`, `cni`, …) a list of the fields of each `File`.
    """
    rooms = {
        "modules": [
            File("kernel-modules", "/etc/modules-load.d/kube-node.conf", "os/files/modules.conf.jinja")
        ],
        "sysctl": [
            File("kernel-parameters", "/etc/sysctl.d/95-kube-node.conf", "os/files/sysctl.conf.jinja")
        ],
        "proxy": _proxy(node),
        "network": _network_managers(node),
        node["runtime"]["name"]: _containerd(node)
        if node["runtime"]["name"] == "containerd"
        else _docker(node),
        "registries": _registries(node),
        "cni": [
            File(
                "cni-default-network",
                f"{node['paths']['cni_config']}/10-default.conf",
                "cni/files/10-default.conf.jinja",
                wanted=node["network"]["plugin"] == "none",
                unless="kube_node_cni.has_others",
            ),
        ],
        "links": [
            File(
                "tunnels-left-alone-by-udev",
                "/etc/systemd/network/10-kube-node.link",
                "network/files/kube-node.link.jinja",
            ),
        ],
        "certificates": _certificates(node),
        "knock": [
            File(
                "kubelet-knock-unit",
                f"{SYSTEMD}/kube-node-knock.service",
                "kubelet/files/kube-node-knock.service.jinja",
                wanted=node["certificates"]["mode"] == "bootstrap",
            ),
        ],
        "kubelet": _kubelet(node),
        "kube_proxy": _kube_proxy(node),
    }
    return {room: [asdict(file) for file in files] for room, files in rooms.items()}


def _network_managers(node: dict[str, Any]) -> list[File]:
    """Of those that run; `10-` comes before what others match the same links by."""
    files, etc = "os/files", "/etc/systemd"
    known = {
        "NetworkManager": [
            ("", "/etc/NetworkManager/conf.d/kube-node.conf", "NetworkManager.conf"),
        ],
        "systemd-networkd": [
            ("-links", f"{etc}/network/10-kube-node.network", "networkd.network"),
            ("-routes", f"{etc}/networkd.conf.d/kube-node.conf", "networkd.conf"),
        ],
    }
    return [
        File(f"{manager}{what}", path, f"{files}/{template}.jinja")
        for manager in node["os"]["network_managers"]
        for what, path, template in known[manager]
    ]


def _containerd(node: dict[str, Any]) -> list[File]:
    secret = bool(node["runtime"]["containerd"]["credentials"])
    config = File(
        "containerd-config",
        "/etc/containerd/config.toml",
        f"runtime/containerd/files/config.v{node['runtime']['schema']}.toml.jinja",
        mode="0600" if secret else "0644",
        secret=secret,
    )
    unit = File(
        "containerd-unit",
        f"{SYSTEMD}/containerd.service",
        "runtime/containerd/files/containerd.service.jinja",
    )
    # The package brings its own.
    return [config, *([unit] if node["binaries"]["runtime"] else [])]


def _proxy(node: dict[str, Any]) -> list[File]:
    """Return the proxy's environment, and the drop-in by which each service reads it."""
    wanted, template = bool(node["proxy"]["environment"]), "os/files/proxy.conf.jinja"
    path = f"{node['paths']['kubernetes']}/proxy.env"
    environment = File(
        "proxy-environment", path, "os/files/proxy.env.jinja", "0600", secret=True, wanted=wanted
    )
    drop_ins = {
        unit: f"{SYSTEMD}/{unit}.service.d/kube-node-proxy.conf"
        for unit in (node["runtime"]["name"], "kubelet")
    }
    return [
        environment,
        *(File(f"{unit}-proxy", path, template, wanted=wanted) for unit, path in drop_ins.items()),
    ]


def _registries(node: dict[str, Any]) -> list[File]:
    """What containerd reads at every pull; not a part of its configuration, it restarts nothing."""
    if node["runtime"]["name"] != "containerd":
        return []
    found, files = [], "runtime/containerd/files"
    for registry in registries.folders(node["runtime"]["containerd"]):
        name = f"registry-{registry['name'].replace(':', '_')}"
        context = {"hosts": registry["hosts"]}
        found.append(
            File(name, f"{registry['folder']}/hosts.toml", f"{files}/hosts.toml.jinja", context=context)
        )
        found += [
            File(f"{name}-ca-{number}", host["ca"], f"{files}/ca.crt.jinja", context=host)
            for number, host in enumerate(registry["hosts"])
            if host["ca"]
        ]
    return found


def _docker(node: dict[str, Any]) -> list[File]:
    files = "runtime/docker/files"
    adapter = node["runtime"]["unit"] == "cri-docker.service"
    return [
        File("docker-config", "/etc/docker/daemon.json", f"{files}/daemon.json.jinja"),
        File("docker-unit", f"{SYSTEMD}/docker.service", f"{files}/docker.service.jinja"),
        *(
            File(id, f"{SYSTEMD}/{unit}", f"{files}/{unit}.jinja", wanted=adapter)
            for id, unit in (
                ("cri-docker-unit", "cri-docker.service"),
                ("cri-docker-socket-unit", "cri-docker.socket"),
            )
        ),
    ]


def _certificates(node: dict[str, Any]) -> list[File]:
    ca, token = node["cluster"]["ca"], node["certificates"]["bootstrap_token"]
    authority = File("cluster-ca", node["paths"]["ca"], "certificates/files/ca.crt.jinja")
    if ca is None:
        remedy = "paste the cluster's CA certificate after 'ca: |' or put it there"
        authority = replace(authority, brought=f"cluster.ca: is missing and so is {authority.path}, {remedy}")
    bootstrap = File(
        "bootstrap-kubeconfig",
        f"{node['paths']['kubernetes']}/bootstrap.kubeconfig",
        "certificates/files/bootstrap.kubeconfig.jinja",
        mode="0600",
        secret=True,
        wanted=node["certificates"]["mode"] == "bootstrap",
        joining=node["certificates"]["mode"] == "bootstrap",
    )
    if not bootstrap.wanted:
        return [authority, bootstrap, _kubelet_kubeconfig(node)]
    if token is None:
        remedy = "give this minion its own, <6 characters>.<16 characters>, or put a kubeconfig there"
        fault = f"certificates.bootstrap_token: is missing and so is {bootstrap.path}, {remedy}"
        bootstrap = replace(bootstrap, brought=fault)
    return [authority, bootstrap, replace(_kubelet_kubeconfig(node), moving=True)]


def _kubelet_kubeconfig(node: dict[str, Any]) -> File:
    """In mode bootstrap it is the kubelet's own, but for one that names the certificate of mode static."""
    path = f"{node['paths']['kubernetes']}/kubelet.kubeconfig"
    return File("kubelet-kubeconfig", path, "certificates/files/kubelet.kubeconfig.jinja", mode="0600")


def brought(node: dict[str, Any]) -> list[dict[str, str]]:
    """Return the files that the operator brings, each with the fault to tell where it is not there."""
    found = {
        file["path"]: file["brought"] for room in node["files"].values() for file in room if file["brought"]
    }
    for one in node["certificates"]["static"]:
        place = (
            "certificates.kube_proxy.from: files"
            if one["name"] == KUBE_PROXY
            else "certificates.mode: static"
        )
        remedy = "put the node's own there or choose who else brings it (docs/certificates.md)"
        if one["from"] == FILES:
            found |= {one[key]: f"{place} needs {one[key]}, {remedy}" for key in ("certificate", "key")}
    return [{"path": path, "fault": fault} for path, fault in found.items()]


def _kubelet(node: dict[str, Any]) -> list[File]:
    cgroups = node["kubelet"]["cgroups"]
    return [
        File(
            "kubelet-config",
            f"{node['paths']['kubelet']}/config.yaml",
            "kubelet/files/config.yaml.jinja",
            wanted=bool(node["kubelet"]["config_yaml"]),
        ),
        *(
            File(f"slice-{slice_['name']}", slice_["path"], "kubelet/files/slice.jinja")
            for slice_ in cgroups["slices"]
        ),
        File(
            "kubelet-cgroups-unit",
            f"{SYSTEMD}/kube-node-cgroups.service",
            "kubelet/files/kube-node-cgroups.service.jinja",
            wanted=cgroups["v1"],
        ),
        File("kubelet-unit", f"{SYSTEMD}/kubelet.service", "kubelet/files/kubelet.service.jinja"),
    ]


def _kube_proxy(node: dict[str, Any]) -> list[File]:
    return [
        File(
            "kube-proxy-kubeconfig",
            f"{node['paths']['kubernetes']}/kube-proxy.kubeconfig",
            "kube_proxy/files/kube-proxy.kubeconfig.jinja",
            mode="0600",
        ),
        File(
            "kube-proxy-config",
            f"{node['paths']['kube_proxy']}/config.yaml",
            "kube_proxy/files/config.yaml.jinja",
            wanted=bool(node["kube_proxy"]["config_yaml"]),
        ),
        File("kube-proxy-unit", f"{SYSTEMD}/kube-proxy.service", "kube_proxy/files/kube-proxy.service.jinja"),
    ]


def started_with(node: dict[str, Any], service: str, joined: bool = False) -> list[str]:
    """Return the paths of all that the formula keeps and a service is started with: its state watches them.

    Args:
        node: the parameters as `kube_node_parameters.compile_node` returns them.
        service: as its state names it, such as `kubelet`.
        joined: whether it has joined: then its kubelet no longer looks at what it joins by.
    """
    files = node["files"]
    own = [file for file in files[ROOMS.get(service, service)] if file["id"].startswith(OWN[service])]
    drop_in = f"{service}-proxy"
    shared = (*SHARED.get(service, ()), drop_in)
    others = [file for room in ("certificates", "proxy") for file in files[room] if file["id"] in shared]
    # Of archives, dockerd is one of several; what comes with a package has no link here.
    links = [f"{node['paths']['bin']}/{program}" for program in (service, f"{service}d")]
    speaks = node[ROOMS.get(service, service)].get("client_certificate") if service in SPEAKING else None
    certificates = [
        one["certificate"] for one in node["certificates"]["static"] if one["certificate"] == speaks
    ]
    ours = [
        file
        for file in (*own, *others)
        if file["wanted"] and not (file["brought"] or file["moving"] or (joined and file["joining"]))
    ]
    # When a drop-in went its folder tells.
    gone = [
        file["path"].rpartition("/")[0] for file in others if file["id"] == drop_in and not file["wanted"]
    ]
    return [*(file["path"] for file in ours), *certificates, *links, *gone]


def kept(node: dict[str, Any], joined: bool = False, moving: bool = False) -> list[dict[str, Any]]:
    """Return the files of all rooms that the formula writes or removes, without those the operator brings.

    Args:
        node: the parameters as `kube_node_parameters.compile_node` returns them.
        joined: whether the node has its client certificate.
        moving: whether the node moves from mode static to bootstrap.
    """
    files = [file for room in node["files"].values() for file in room if not file["brought"]]
    return [file for file in files if not (joined and file["joining"]) and (moving or not file["moving"])]


def render(
    node: dict[str, Any], templates: dict[str, str], files: list[dict[str, Any]] | None = None
) -> dict[str, str]:
    """Render the content of every wanted file as Salt would.

    Args:
        node: the parameters as `kube_node_parameters.compile_node` returns them.
        templates: the text of each template, and of `kube_node/map.jinja`, by its path in the state tree.
        files: some of those that `kept` returns; all of them where it is left out.

    Returns:
        The content of each file by its path on the node.
    """
    environment = jinja2.Environment(
        loader=jinja2.DictLoader(templates), undefined=jinja2.StrictUndefined, keep_trailing_newline=True
    )
    environment.globals["salt"] = {"kube_node.parameters": lambda: node}
    return {
        file["path"]: environment.get_template(f"kube_node/{file['template']}").render(file["context"])
        for file in (kept(node) if files is None else files)
        if file["wanted"]
    }
