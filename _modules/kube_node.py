"""
The minion's side of the kube_node formula: the parameters of this node, and what of them is true.
"""

from __future__ import annotations

import difflib
import logging
import shutil
import sys
import tempfile
import time
from datetime import datetime, timezone
from pathlib import Path

import kube_node_beacon
import kube_node_bootstrap
import kube_node_certificates
import kube_node_files
import kube_node_merge
import kube_node_parameters
import kube_node_proc
import kube_node_proxy
import kube_node_sources
import kube_node_systemd
import kube_node_units
import salt.utils.files
import salt.utils.secret
from salt.exceptions import CommandExecutionError

log = logging.getLogger(__name__)

__virtualname__ = "kube_node"

SECRET = "(a secret, not shown)"
NETWORK_MANAGERS = ("NetworkManager", "systemd-networkd")
KNOCK = "kube_node/kubelet/start"
ATTESTATION = "kube_node.attestation"
ROUTES = Path("/proc/net/route")


def parameters(layers=False):
    """
    Return the parameters of this node, all layers laid over one another, checked and final.

    This is the one door through which states and templates get at them (``kube_node/map.jinja``).

    layers
        True to get each value with the layer that set it, by its dotted key.

    Returns the tree of ``kube_node/defaults.yaml`` with what the states and templates need beside it. The
    bootstrap token, the passwords of registries, and a proxy's URL with credentials, are shown to templates
    alone, as Salt does with all of the pillar.

    Raises a CommandExecutionError that lists every fault of the pillar, one a line, as
    ``key.path: what is wrong, what to do``.

    CLI Example:

    .. code-block:: bash

        salt '*' kube_node.parameters
        salt '*' kube_node.parameters layers=True
    """
    compiled = _parameters()
    if layers or salt.utils.secret.mask_pillar.get():
        compiled = _without_secrets(compiled)
    if not layers:
        return compiled
    origins = __context__["kube_node.parameters"][2]
    return {
        ".".join(path): {"value": kube_node_merge.get(compiled, path), "layer": layer}
        for path, layer in sorted(origins.items())
    }


def _without_secrets(compiled):
    hidden, runtime = salt.utils.secret.REDACT_PLACEHOLDER, compiled["runtime"]
    logins = {
        host: login | {"password": hidden} for host, login in runtime["containerd"]["credentials"].items()
    }
    containerd = runtime["containerd"] | {"credentials": logins}
    certificates = compiled["certificates"]
    keys = {
        name: certificates[name] | {"private_key": hidden}
        for name in ("kubelet", "kube_proxy")
        if certificates[name]["private_key"]
    }
    return compiled | {
        "certificates": certificates | {"bootstrap_token": hidden} | keys,
        "proxy": kube_node_proxy.shown(compiled["proxy"]),
        "runtime": runtime | {"containerd": containerd},
    }


def render(diff=False):
    """
    Return the files that the states would put on this node, and change nothing.

    The bootstrap kubeconfig is none of them while the kubelet has its client certificate.

    diff
        True to get, of those that are otherwise on the machine now, what would be changed in each.

    Returns the content, or the difference, of each file by its path. A file that holds a secret is named and
    not shown.

    CLI Example:

    .. code-block:: bash

        salt '*' kube_node.render
        salt-call kube_node.render diff=True
    """
    node = _parameters()
    moving = __salt__["kube_node_certificate.moves"]()
    files = kube_node_files.kept(node, _has_client_certificate(node), moving)
    wanted = _rendered(node, files)
    if not diff:
        return {
            file["path"]: SECRET if file["secret"] else wanted[file["path"]]
            for file in files
            if file["wanted"]
        }
    changes = {file["path"]: _difference(file, wanted.get(file["path"])) for file in files}
    return {path: change for path, change in changes.items() if change}


def _difference(file, wanted):
    """Return what would be changed in a file, as `diff -u` shows it; nothing where it is as wanted."""
    path = Path(file["path"])
    present = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else None
    if present == wanted:
        return ""
    if file["secret"]:
        return SECRET
    before, after = (text.splitlines() if text is not None else [] for text in (present, wanted))
    names = ("/dev/null" if text is None else str(path) for text in (present, wanted))
    return "\n".join(difflib.unified_diff(before, after, *names, lineterm=""))


def _parameters():
    pillar = __salt__["pillar.get"]("kube_node", None, unmask=True)
    # Every SLS and template asks: compiled once, but anew where the pillar is another (a refresh, pillar=…).
    known, compiled, _ = __context__.get("kube_node.parameters", (None, None, None))
    if compiled is None or known != pillar:
        sources = kube_node_sources.load(_read)
        try:
            placed = kube_node_sources.with_contents(pillar, _content)
            compiled, origins = kube_node_parameters.explain_node(placed, _machine(), sources)
        except kube_node_parameters.ParameterError as error:
            raise CommandExecutionError(
                f"The kube_node pillar of {__opts__['id']} cannot be used:\n{error}"
            ) from None
        __context__["kube_node.parameters"] = (pillar, compiled, origins)
    return compiled


def _rendered(node, files):
    templates = {f"kube_node/{file['template']}" for file in files if file["wanted"]}
    texts = {name: _read(name) for name in (*templates, "kube_node/map.jinja")}
    return kube_node_files.render(node, texts, files)


def certificates():
    """
    Return the kubelet's certificates, the client one first, and what is true of each.

    Returns a list of ``{name, path, state, usable, until, ends, issuer}``, and last kube-proxy's where it has
    one of its own. The state is ``missing``, ``unreadable``, ``not yet valid``, ``good``, ``within its
    renewal window`` or ``expired``; time alone changes it at ``until``, or never. The certificate is valid
    until it ``ends``.

    CLI Example:

    .. code-block:: bash

        salt '*' kube_node.certificates
    """
    node = _parameters()
    return [
        {
            "name": name,
            "path": found.path,
            "state": found.state,
            "usable": found.usable,
            "until": _moment(found.until),
            "ends": _moment(found.ends),
            "issuer": found.issuer,
        }
        for name, found in [*_certificates(node), *_proxy_certificate(node)]
    ]


def _moment(seconds):
    return seconds and datetime.fromtimestamp(seconds, timezone.utc).isoformat()


def has_client_certificate():
    """
    Tell whether the kubelet has a client certificate that is valid now, so that it needs no bootstrap token.

    CLI Example:

    .. code-block:: bash

        salt '*' kube_node.has_client_certificate
    """
    return _has_client_certificate(_parameters())


def attestation():
    """
    Return the digests by which the master knows the requests of this machine's kubelet from others.

    Returns ``client_cert_sha256``, of the kubelet's client certificate, and ``spki_sha256``, of the public
    key that waits on disk for its certificate; each in hex, or None where there is none.

    CLI Example:

    .. code-block:: bash

        salt '*' kube_node.attestation
    """
    kubelet = _parameters()["kubelet"]
    client, waiting = kubelet["client_certificate"], kubelet["waiting_key"]
    return kube_node_certificates.attestation(client, time.time(), waiting)


def knock():
    """
    Tell the master that the kubelet may need its approval, and what by.

    The attestation goes to the mine first. Where the kubelet has no valid client certificate, as after a long
    time off, and its bootstrap kubeconfig is not what the pillar now says, that is written and the kubelet
    restarted. Then the event ``kube_node/kubelet/start`` is sent, with the names of the certificates that are
    to be asked for and the id of the bootstrap token.

    Returns ``{lacks, token, kubelet_restarted}``; no secret is in it.

    CLI Example:

    .. code-block:: bash

        salt '*' kube_node.knock
    """
    node = _parameters()
    __salt__["mine.send"](ATTESTATION)
    restarted = _put_new_token(node)
    lacks = [name for name, found in _certificates(node) if found.state != kube_node_certificates.GOOD]
    token = kube_node_bootstrap.token_id(_bootstrap_kubeconfig(node)["path"])
    __salt__["event.send"](KNOCK, {"lacks": lacks, "token": token})
    return {"lacks": lacks, "token": token, "kubelet_restarted": restarted}


def _put_new_token(node):
    """Give a kubelet that needs it the pillar's bootstrap kubeconfig; tell whether it had another."""
    file = _bootstrap_kubeconfig(node)
    if not file["wanted"] or file["brought"] or _has_client_certificate(node):
        return False
    path, [wanted] = Path(file["path"]), _rendered(node, [file]).values()
    if path.is_file() and path.read_text(encoding="utf-8", errors="replace") == wanted:
        return False
    _write_secret(path, wanted)
    log.info("kube_node: %s has a new bootstrap token, the kubelet is restarted", path)
    __salt__["service.restart"]("kubelet")
    return True


def _write_secret(path, text):
    """Put a file there in one step, for its owner alone."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=path.parent, delete=False) as new:
        new.write(text)
    Path(new.name).replace(path)


def _bootstrap_kubeconfig(node):
    return next(file for file in node["files"]["certificates"] if file["id"] == "bootstrap-kubeconfig")


def _certificates(node):
    """Return each of the kubelet's certificates, as they are now, with its name."""
    now, paths = time.time(), node["kubelet"]["certificates"]
    found = (kube_node_certificates.look(path, now) for path in paths)
    return list(zip(kube_node_beacon.CERTIFICATES, found, strict=False))


def _proxy_certificate(node):
    """Return kube-proxy's certificate with its name, where it has one of its own."""
    path = node["kube_proxy"]["client_certificate"]
    own = path != node["kubelet"]["client_certificate"]
    return [("kube-proxy", kube_node_certificates.look(path, time.time()))] if own else []


def _has_client_certificate(node):
    """Tell whether the kubelet has one, or will have it when what is there was carried over."""
    path = node["kubelet"]["client_certificate"]
    if kube_node_certificates.look(path, time.time()).usable:
        return path not in __salt__["kube_node_certificate.leaving"]()
    return __salt__["kube_node_certificate.adoptable"]()


def _machine():
    """What the machine itself tells; grains narrow nothing on the master's side."""
    # Not Salt's network.default_route: it fails where there are blackhole routes, such as calico's.
    routes = kube_node_proc.routes(ROUTES.read_text() if ROUTES.exists() else "", "")
    interface = next((route["interface"] for route in routes if route["network"] == "0.0.0.0/0"), None)
    addresses = __grains__.get("ip4_interfaces", {}).get(interface, [])
    salt_call = shutil.which(
        "salt-call", path=f"{Path(sys.executable).parent}:/usr/bin:/usr/local/bin:/opt/salt/bin"
    )
    config_dir = kube_node_units.word(f"--config-dir={__opts__['config_dir']}")
    resolved = Path("/run/systemd/resolve/resolv.conf")
    return {
        "id": __opts__["id"],
        "address": addresses[0] if addresses else None,
        "os_family": __grains__.get("os_family"),
        "os_release": __grains__.get("osfinger"),
        "processor": __grains__.get("cpuarch"),
        "kernel": __grains__.get("kernelrelease"),
        "resolv_conf": str(resolved) if resolved.exists() else None,
        "network_managers": list(filter(_runs, NETWORK_MANAGERS)),
        "salt_call": f"{salt_call or '/usr/bin/salt-call'} {config_dir}",
    }


def _runs(service):
    return kube_node_systemd.invocation(f"{service}.service") is not None


def _content(place):
    """Return the text of a file that the pillar names, on the file server or on this machine."""
    path = __salt__["cp.cache_file"](place) if place.startswith("salt://") else place
    try:
        with salt.utils.files.fopen(path or place, encoding="utf-8") as file:
            return file.read()
    except (OSError, ValueError) as error:
        raise CommandExecutionError(
            f"{place}, which the kube_node pillar of {__opts__['id']} names, cannot be read: {error}"
        ) from None


def _read(path):
    cached = __salt__["cp.cache_file"](f"salt://{path}", __opts__.get("saltenv") or "base")
    if not cached:
        raise CommandExecutionError(f"salt://{path} is not on the file server: the formula is not whole")
    with salt.utils.files.fopen(cached, encoding="utf-8") as file:
        return file.read()
