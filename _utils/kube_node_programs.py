"""Which programs a node gets, from where, and into which folder: the pillar's `binaries`, made a list.

Pure: no Salt, no I/O. Each entry of the list is for one state, `kube_node_binaries` does the work.
"""

from __future__ import annotations

import re
from typing import Any

import kube_node_types as types
from kube_node_schema import PROGRAMS, Fault

Tree = dict[str, Any]
REQUIRED = ("kubelet", "kube-proxy")
KUBERNETES = (*REQUIRED, "kubectl")
RUNTIMES = ("containerd", "docker")
# Of these every program of their archive is put to use, of the others the one of their name.
WHOLE = ("cni-plugins", *RUNTIMES)
ARCHIVES = (".tar.gz", ".tgz")
_RELEASE = re.compile(rf"(?:(?P<name>{'|'.join(PROGRAMS)})-)?v?[0-9][A-Za-z0-9.+~_-]*")


def layer(tree: Tree) -> Tree:
    """Return what follows for a runtime that comes from an archive: a layer below the pillar."""
    found: Tree = {}
    if release := containerd_release(tree):
        found["containerd"] = {"version": release}
    if tree["binaries"]["docker"] is not None:
        found["docker"] = {"dockerd": f"{tree['paths']['bin']}/dockerd"}
    return {"runtime": found}


def containerd_release(tree: Tree) -> str | None:
    """Return the release X.Y.Z of a containerd that is not the distribution's."""
    found = re.match(r"v?(\d+\.\d+\.\d+)", (tree["binaries"]["containerd"] or {}).get("version", ""))
    return found and found[1]


def rooms(tree: Tree) -> Tree:
    """Return what the states walk.

    Returns:
        `files`, an entry for each program that is fetched, but for the runtime's own, `runtime` (None where a
        package brings it); `packages`, those that bring programs, as `pkg.installed` takes them; `releases`,
        the folders that are in use, by their names. An entry is `{name, link, path, source, sha256, whole,
        keys}`: `link` points to `path`, which are folders of links and of programs where the entry is
        `whole`, all that its archive has; `keys` are the pillar's, `{source, sha256}`.
    """
    runtime, name = None, tree["runtime"]["name"]
    if tree["binaries"][name] is not None:
        runtime = _entry(tree, name)
    files = [_entry(tree, name) for name in _fetched(tree)]
    start = len(tree["paths"]["versions"]) + 1
    return {
        "files": files,
        "runtime": runtime,
        "packages": _packages(tree),
        "releases": sorted({entry["path"][start:].split("/")[0] for entry in (*files, runtime) if entry}),
    }


def faults(tree: Tree, known: list[Fault]) -> list[Fault]:
    """Return what is missing of the programs' keys, and what does not fit together.

    Args:
        tree: the merged parameters, perhaps of a pillar with faults.
        known: those; what lies at the same place is not told again.
    """
    wrong = {fault.path for fault in known}
    if wrong & {"kube_node", "binaries"}:
        return []
    named = [
        name
        for name in PROGRAMS
        if (name in REQUIRED or is_told(tree, name)) and not _touched(f"binaries.{name}", wrong)
    ]
    found = {fault for name in named for fault in _faults(tree, name)}
    return sorted(one for one in found if not _touched(one.path, wrong))


def _touched(place: str, wrong: set[str]) -> bool:
    """Tell whether something is wrong at a place, above it or below it."""
    return any(f"{path}.".startswith(f"{place}.") or place.startswith(f"{path}.") for path in wrong)


def _faults(tree: Tree, name: str) -> list[Fault]:
    own, at, origin = tree["binaries"][name] or {}, f"binaries.{name}", _origin(tree, name)
    if "package" in own:
        both = [key for key in ("source", "sha256") if key in own]
        return [Fault(f"{at}.{key}", "does not go with a package, keep one of the two") for key in both]
    source, digest, place = origin["source"], origin["sha256"], origin["keys"]["sha256"]
    found = []
    if source is None:
        remedy = f"write where {name} comes from, such as salt://{name}/FILE"
        if name in REQUIRED:
            remedy = "write the folder that holds kubelet and kube-proxy, salt://kubernetes for instance"
        found.append(Fault(origin["keys"]["source"], f"is missing, {remedy}"))
    elif name in WHOLE and not is_archive(source):
        told = f"{types.shown(source)} is no archive, write the .tar.gz or .tgz that its project releases"
        found.append(Fault(f"{at}.source", told))
    elif (
        place == "binaries.sha256"
        and isinstance(digest, str)
        and "://" not in digest
        and not is_archive(source)
    ):
        found.append(Fault(place, "is one digest for a folder of files, write 'NAME: DIGEST' lines below it"))
    if "source" in own and "version" not in own and name not in KUBERNETES:
        found.append(Fault(f"{at}.version", "is missing, write the release, which names its folder"))
    if digest is None and isinstance(origin["said"], dict):
        architecture = tree["node"]["architecture"]
        told = f"has no digest for {architecture}, add what sha256sum prints for its file"
        found.append(Fault(place, told))
    elif digest is None:
        found.append(Fault(place, "is missing, write the digest that sha256sum prints for the file"))
    return found


def is_archive(source: str) -> bool:
    """Tell whether a source is an archive, by its name."""
    return source.endswith(ARCHIVES)


def is_told(tree: Tree, name: str) -> bool:
    """Tell whether the pillar says anything of a program: under its name, or by a digest."""
    digests = tree["binaries"]["sha256"]
    return tree["binaries"][name] is not None or (isinstance(digests, dict) and name in digests)


def family(release: str) -> str | None:
    """Return whose release a folder is by its name, such as cni-plugins; None of what is not ours."""
    found = _RELEASE.fullmatch(release)
    return (found["name"] or "kubernetes") if found else None


def _fetched(tree: Tree) -> list[str]:
    """Return the programs that are fetched, without the runtime's own; docker brings a runc."""
    left_out = {*RUNTIMES, *(name for name in PROGRAMS if "package" in (tree["binaries"][name] or {}))}
    if tree["runtime"]["unit"] != "cri-docker.service":
        left_out.add("cri-dockerd")
    if tree["runtime"]["name"] == "docker":
        left_out.add("runc")
    return sorted(
        name for name in PROGRAMS if name in REQUIRED or (is_told(tree, name) and name not in left_out)
    )


def _entry(tree: Tree, name: str) -> Tree:
    origin, paths = _origin(tree, name), tree["paths"]
    own = (tree["binaries"][name] or {}).get("version")
    version = (own or tree["version"]).removeprefix("v")
    folder = f"{name}-{own}" if own and name not in KUBERNETES else f"v{version}"
    path, link = f"{paths['versions']}/{folder}", paths["cni_bin"] if name == "cni-plugins" else paths["bin"]
    whole = name in WHOLE
    return {
        "name": name,
        "link": link if whole else f"{link}/{name}",
        "path": path if whole else f"{path}/{name}",
        "whole": whole,
        **{key: origin[key] for key in ("source", "sha256", "keys")},
    }


def _packages(tree: Tree) -> list[Any]:
    own = [tree["binaries"][name] or {} for name in sorted(PROGRAMS)]
    return [
        {one["package"]: one["version"]} if "version" in one else one["package"]
        for one in own
        if "package" in one
    ]


def _origin(tree: Tree, name: str) -> Tree:
    """Return a program's source and digest, final or None, their keys, and what was said of the digest."""
    source_key, source = _source(tree, name)
    digest_key, said = _said(tree, name, source_key, source)
    version = (tree["binaries"][name] or {}).get("version") or tree["version"] or ""
    words = {"{architecture}": tree["node"]["architecture"], "{version}": version}
    digest = said.get(words["{architecture}"]) if isinstance(said, dict) else said
    keys = {"source": source_key, "sha256": digest_key}
    return {"source": _filled(source, words), "sha256": _filled(digest, words), "keys": keys, "said": said}


def _source(tree: Tree, name: str) -> tuple[str, str | None]:
    """Return the key that says where a program comes from, and what it says: its own, or the common one."""
    own, common = tree["binaries"][name] or {}, tree["binaries"]["source"]
    in_folder = not is_archive(common or "")
    shared = name in KUBERNETES or (in_folder and name not in WHOLE)
    if "source" in own or not shared:
        return f"binaries.{name}.source", own.get("source")
    return "binaries.source", f"{common.rstrip('/')}/{name}" if common and in_folder else common


def _said(tree: Tree, name: str, source_key: str, source: str | None) -> tuple[str, Any]:
    """Return the key that says a program's digest, and what it says."""
    own, common = tree["binaries"][name] or {}, tree["binaries"]["sha256"]
    listed = isinstance(common, dict) and name in common
    if "sha256" in own or (source_key != "binaries.source" and not listed):
        return f"binaries.{name}.sha256", own.get("sha256")
    if listed or not (isinstance(common, str) or is_archive(source or "")):
        return f"binaries.sha256.{name}", (common or {}).get(name)
    return "binaries.sha256", common


def _filled(text: str | None, words: dict[str, str]) -> str | None:
    for word, meaning in words.items():
        text = text and text.replace(word, meaning)
    return text
