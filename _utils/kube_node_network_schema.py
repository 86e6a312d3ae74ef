"""Which keys `network` may have in the pillar, and the type of each. Names and values are the plugins' own:
those of calico are Installation's (operator.tigera.io/v1) or of calico-node's environment.

Pure: no Salt, no I/O.
"""

import re
from typing import Any

import kube_node_types as types

_REGISTRY = re.compile(r"[A-Za-z0-9.-]+(?::[0-9]{1,5})?(?:/[a-z0-9._-]+)*")
_INTERFACE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,45}")
_AUTODETECTION = re.compile(
    r"first-found|kubernetes-internal-ip|(?:can-reach|interface|skip-interface|cidr)=[!-~]{1,250}"
)
_PORT_RANGE = re.compile(r"([0-9]{1,5}):([0-9]{1,5})")
ENCAPSULATIONS = ("IPIP", "IPIPCrossSubnet", "VXLAN", "VXLANCrossSubnet", "None")

registry = types.matching(_REGISTRY, 255, "a registry, write HOST, HOST:PORT or HOST:PORT/PATH")
interface = types.matching(_INTERFACE, 46, "an interface, write its name or its address")
ip_autodetection = types.matching(
    _AUTODETECTION, 256, "a way of calico's, write one such as can-reach=10.0.0.10 or interface=eth.*"
)


def port_range(value: Any) -> "str | None":
    """Check a range of ports, FIRST:LAST (calico's numorstring.Port)."""
    found = _PORT_RANGE.fullmatch(value) if isinstance(value, str) else None
    if found and 0 < int(found[1]) <= int(found[2]) < 65536:
        return None
    return f"{types.shown(value)} is not a range of ports, write one such as 30000:32767, in quotes"


NETWORK: dict[str, Any] = {
    "plugin": types.one_of("calico", "flannel", "none"),
    "pod_subnet": types.cidr,
    "mtu": types.integer(576, 65535),
    "registry": registry,
    "flannel": {
        "backend": types.one_of("vxlan", "host-gw", "wireguard"),
        "direct_routing": types.boolean,
        "interface": interface,
        "image": types.image,
        "cni_plugin_image": types.image,
    },
    "calico": {
        "manifest": {"source": types.source, "sha256": types.sha256},
        "datastore": types.one_of("kubernetes", "etcd"),
        "etcd_endpoints": types.list_of(types.mirror),
        "encapsulation": types.one_of(*ENCAPSULATIONS),
        "bgp": types.boolean,
        "ip_autodetection": ip_autodetection,
        "log_level": types.one_of("Debug", "Info", "Warning", "Error", "Fatal"),
        "node_port_ranges": types.list_of(port_range),
        "images": types.map_of(types.text, types.image),
    },
}
