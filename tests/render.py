"""Writes the files that the states would put on a node, for `make render PILLAR=FILE OUT=DIR`.

No root, no Salt daemon, no network. When the pillar cannot be used: exit code 2, one fault a line on stderr,
and nothing is written.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import kube_node_files
import kube_node_parameters
import kube_node_sources
import yaml

ROOT = Path(__file__).resolve().parent.parent
# Stands for what a real minion tells of its machine; the address is one of RFC 5737's, for documentation.
MACHINE = {
    "id": "worker-1",
    "address": "192.0.2.1",
    "salt_call": "/usr/bin/salt-call",
    "os_family": "Debian",
    "os_release": "Debian-12",
    "processor": "x86_64",
}


def main(pillar_file: str, out: str) -> int:
    """Render the pillar in `pillar_file` below the folder `out`; return the exit code."""
    try:
        pillar = yaml.safe_load(Path(pillar_file).read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError, RecursionError) as error:
        reason = " ".join(str(error).split())
        print(
            f"{pillar_file}: cannot be read as YAML ({reason}), write it as pillar.example shows",
            file=sys.stderr,
        )
        return 2
    tree = pillar.get("kube_node") if isinstance(pillar, dict) else pillar
    try:
        tree = kube_node_sources.with_contents(tree, _content)
        node = kube_node_parameters.compile_node(tree, MACHINE, kube_node_sources.load(_read))
    except (kube_node_parameters.ParameterError, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    templates = {str(path.relative_to(ROOT)): path.read_text() for path in ROOT.glob("kube_node/**/*.jinja")}
    modes = {file["path"]: int(file["mode"], 8) for files in node["files"].values() for file in files}
    for path, content in kube_node_files.render(node, templates).items():
        target = Path(out, path.lstrip("/"))
        target.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, modes[path])
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(content)
    return 0


def _content(place: str) -> str:
    """Return what lies in a file of this machine; there is no file server here."""
    return Path(place).read_text(encoding="utf-8")


def _read(path: str) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


if __name__ == "__main__":
    if len(sys.argv) != 3 or not all(sys.argv[1:]):
        sys.exit("usage: make render PILLAR=FILE OUT=DIR")
    sys.exit(main(*sys.argv[1:]))
