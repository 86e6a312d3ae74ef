"""The registries that containerd pulls from: what the pillar may say of them, and what their hosts.toml says.

Pure: no Salt, no I/O. containerd reads hosts.toml anew at every pull. Credentials are in config.toml: up to
2.0 a header of hosts.toml does not reach the service that gives out a registry's tokens, and Docker Hub and
GitLab have one (containerd's docs/cri/registry.md; WithAuthHeader in core/remotes/docker/config/hosts.go).
"""

from __future__ import annotations

import re
from typing import Any

import kube_node_types as types
import kube_node_types_pem as pem

Tree = dict[str, Any]
FOLDER = "/etc/containerd/certs.d"
# Docker Hub's images are named docker.io/…, and this host has them.
HUB, HUB_HOST = "docker.io", "registry-1.docker.io"
DEFAULT = "_default"
_HOST = re.compile(r"[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?(?::[0-9]{1,5})?")

_host = types.matching(_HOST, 255, "a registry's host, write HOST or HOST:PORT as image names begin")
_capabilities = types.list_of(types.one_of("pull", "resolve", "push"))
_WAY = {
    "capabilities": _capabilities,
    "ca": pem.certificates,
    "skip_verify": types.boolean,
    "override_path": types.boolean,
}
_MIRROR = {"url": types.mirror, **_WAY}


def registries(value: Any) -> str | None:
    """Check the registries, each by what it goes by in certs.d: its host, or `_default` for all others."""
    return _by_name(value, lambda name: None if name == DEFAULT else _host(name), _registry)


def credentials(value: Any) -> str | None:
    """Check the credentials, by the host that they are for; a fault shows none of them."""
    return _by_name(value, _credentials_host, _login)


def folders(containerd: Tree) -> list[Tree]:
    """Return each registry as its hosts.toml has it.

    Args:
        containerd: the parameters `runtime.containerd`.

    Returns:
        A list of `{name, folder, hosts}`, sorted by name; the first of the hosts is the registry itself, the
        others are its mirrors in order. A host is `{url, capabilities, ca, skip_verify, override_path,
        authority}`, with None for what is not said; `ca` is the path of a file, and `authority` its content.
    """
    return [_folder(name, said) for name, said in sorted(containerd["registries"].items())]


def _folder(name: str, said: Tree) -> Tree:
    folder, own = f"{FOLDER}/{name}", f"https://{HUB_HOST if name == HUB else name}"
    server = said.get("server", None if name == DEFAULT else own)
    ways = [{**said, "url": server}, *said.get("mirrors", [])]
    return {
        "name": name,
        "folder": folder,
        "hosts": [_way(one, f"{folder}/ca-{number}.crt") for number, one in enumerate(ways)],
    }


def _way(said: Tree, authority_file: str) -> Tree:
    authority = said.get("ca")
    return {
        **{key: said.get(key) for key in ("url", "capabilities", "skip_verify", "override_path")},
        "ca": authority_file if authority else None,
        "authority": authority,
    }


def _registry(value: Any) -> str | None:
    return _mapping(value, {"server": types.mirror, "mirrors": _mirrors, **_WAY})


def _mirrors(value: Any) -> str | None:
    """Check a registry's mirrors, which are tried in this order before it."""
    if not isinstance(value, list):
        return f"{types.shown(value)} is not a list, write one mirror an item: - url: https://…"
    for entry in value:
        if fault := _mapping(entry, _MIRROR):
            return fault
        if "url" not in entry:
            return "a mirror has no url, write url: https://…"
    if len({entry["url"] for entry in value}) < len(value):
        return "names a mirror twice, keep one of them"
    return None


def _credentials_host(value: Any) -> str | None:
    return f"is asked at {HUB_HOST}, write that" if value == HUB else _host(value)


def _login(value: Any) -> str | None:
    if not isinstance(value, dict) or set(value) != {"username", "password"}:
        return "has not what it takes, write {username: …, password: …}"
    sound = all(isinstance(word, str) and word and word.isprintable() for word in value.values())
    return None if sound else "has a username or password that is not a line of text, write it in quotes"


def _by_name(value: Any, name: types.Check, content: types.Check) -> str | None:
    if not isinstance(value, dict):
        return f"{types.shown(value)} is not a mapping, write a registry's host and what belongs to it"
    for key, entry in value.items():
        if fault := name(key) or content(entry):
            return f"{types.shown_key(key)}: {fault}"
    return None


def _mapping(value: Any, wanted: dict[str, types.Check]) -> str | None:
    if not isinstance(value, dict):
        return f"{types.shown(value)} is not a mapping, write 'key: value' lines"
    for key, content in value.items():
        if key not in wanted:
            return f"{types.shown_key(key)} is not a known key, known here: {', '.join(sorted(wanted))}"
        if fault := wanted[key](content):
            return f"{key}: {fault}"
    return None
