"""Every file the formula keeps on a node: where it goes, which template makes it, who may read it.

Pure: no Salt, no I/O. The states walk this table room by room, `kube_node.render` walks all of it.
"""

from dataclasses import asdict, dataclass
from typing import Any

import jinja2


@dataclass(frozen=True)
class File:
    """A managed file; one that is not `wanted` is kept absent."""

    id: str
    path: str
    template: str
    mode: str = "0644"
    secret: bool = False
    wanted: bool = True


def by_room(node: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Return the files of each room.

    Args:
        node: the parameters as `kube_node_parameters.compile` returns them.

    Returns:
        For each room (`kubelet`, `cni`, …) a list of `{id, path, template, mode, secret, wanted}`.
    """
    paths = node["paths"]
    systemd = "/etc/systemd/system"
    rooms = {
        "os": [
            File("kernel-parameters", "/etc/sysctl.d/95-kube-node.conf", "os/files/sysctl.conf.jinja"),
        ],
        "containerd": [
            File(
                "containerd-config",
                "/etc/containerd/config.toml",
                "runtime/containerd/files/config.toml.jinja",
            ),
        ],
        "cni": [
            File(
                "cni-default-network",
                f"{paths['cni_config']}/10-default.conf",
                "cni/files/10-default.conf.jinja",
                wanted=node["network"]["plugin"] == "none",
            ),
        ],
        "certificates": [
            File("cluster-ca", f"{paths['certificates']}/ca.crt", "certificates/files/ca.crt.jinja"),
            File(
                "bootstrap-kubeconfig",
                f"{paths['kubernetes']}/bootstrap.kubeconfig",
                "certificates/files/bootstrap.kubeconfig.jinja",
                mode="0600",
                secret=True,
            ),
        ],
        "kubelet": [
            File("kubelet-config", f"{paths['kubelet']}/config.yaml", "kubelet/files/config.yaml.jinja"),
            File(
                "kubelet-knock-unit",
                f"{systemd}/kube-node-knock.service",
                "kubelet/files/kube-node-knock.service.jinja",
            ),
            File("kubelet-unit", f"{systemd}/kubelet.service", "kubelet/files/kubelet.service.jinja"),
        ],
        "kube_proxy": [
            File(
                "kube-proxy-kubeconfig",
                f"{paths['kubernetes']}/kube-proxy.kubeconfig",
                "kube_proxy/files/kube-proxy.kubeconfig.jinja",
                mode="0600",
            ),
            File(
                "kube-proxy-config",
                f"{paths['kube_proxy']}/config.yaml",
                "kube_proxy/files/config.yaml.jinja",
            ),
            File(
                "kube-proxy-unit",
                f"{systemd}/kube-proxy.service",
                "kube_proxy/files/kube-proxy.service.jinja",
            ),
        ],
    }
    return {room: [asdict(file) for file in files] for room, files in rooms.items()}


def render(node: dict[str, Any], templates: dict[str, str]) -> dict[str, str]:
    """Render the content of every wanted file as Salt would.

    Args:
        node: the parameters as `kube_node_parameters.compile` returns them.
        templates: the text of each template, and of `kube_node/map.jinja`, by its path in the state tree.

    Returns:
        The content of each file by its path on the node.
    """
    environment = jinja2.Environment(
        loader=jinja2.DictLoader(templates), undefined=jinja2.StrictUndefined, keep_trailing_newline=True
    )
    environment.globals["salt"] = {"kube_node.parameters": lambda: node}
    return {
        file["path"]: environment.get_template(f"kube_node/{file['template']}").render()
        for files in node["files"].values()
        for file in files
        if file["wanted"]
    }
