"""The proxy by which runtime and kubelet reach the world, and what they reach without it.

Pure: no Salt, no I/O.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

HIDDEN = "(credentials, not shown)"


def environment(tree: dict[str, Any]) -> dict[str, str]:
    """Return the variables that programs read; none without a proxy.

    What is of the cluster goes without it: Go's programs read networks in CIDR form too, and a name with a
    dot in front as all those below it (golang.org/x/net/http/httpproxy).

    Args:
        tree: the final parameters.
    """
    proxy, cluster = tree["proxy"], tree["cluster"]
    found = {f"{scheme.upper()}_PROXY": proxy[scheme] for scheme in ("http", "https") if proxy[scheme]}
    if not found:
        return {}
    direct = [
        "localhost",
        "127.0.0.0/8",
        "::1",
        urlsplit(cluster["api_server"]).hostname,
        *tree["node"]["addresses"],
        cluster["service_cidr"],
        cluster["pod_cidr"],
        ".svc",
        f".{cluster['dns_domain'].rstrip('.')}",
        *proxy["no_proxy"],
    ]
    return found | {"NO_PROXY": ",".join(dict.fromkeys(direct))}


def shown(proxy: dict[str, Any]) -> dict[str, Any]:
    """Return the proxy's parameters without what nobody but root may read."""
    hidden = {key: HIDDEN if "@" in (proxy[key] or "") else proxy[key] for key in ("http", "https")}
    environment = {key: HIDDEN if "@" in value else value for key, value in proxy["environment"].items()}
    return proxy | hidden | {"environment": environment}
