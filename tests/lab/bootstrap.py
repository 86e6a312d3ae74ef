"""Makes the virtual environment that tests and demo run in, and prints the path of its Python.

`make` runs this first, with whatever Python the machine has, so it needs the standard library alone:
`PYTHONPATH=tests python3 -m lab.bootstrap`. What it makes lies in the cache, outside the checkout.
"""

from __future__ import annotations

import fcntl
import importlib.util
import os
import shutil
import subprocess
import sys
import sysconfig
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

from lab import host

PROJECT = Path(__file__).resolve().parents[2]

# Run by the new environment's Python: 3.10 has no tomllib, but its pip carries a TOML parser.
READ_DEPENDENCIES = """
import sys
try:
    import tomllib
except ModuleNotFoundError:
    from pip._vendor import tomli as tomllib
with open(sys.argv[1], "rb") as file:
    project = tomllib.load(file)["project"]
print("\\n".join(sum(project["optional-dependencies"].values(), project["dependencies"])))
"""


def environment(cache: Path, pyproject: bytes, tag: str) -> Path:
    """The folder of the virtual environment for this interpreter and these dependencies."""
    return cache / f"venv-{tag}-{sha256(pyproject).hexdigest()[:12]}"


def missing_packages() -> list[str]:
    """Debian packages without which the environment can't be made: Salt's timelib is compiled from C."""
    packages = [] if shutil.which("gcc") else ["gcc", "libc6-dev"]
    if sys.base_prefix != "/usr":
        return packages
    if importlib.util.find_spec("ensurepip") is None:
        packages.append("python3-venv")
    if not Path(sysconfig.get_path("include"), "Python.h").exists():
        packages.append("python3-dev")
    return packages


@contextmanager
def locked(path: Path):
    """Holds an exclusive lock on `path`, which is made when it is missing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def make(folder: Path, pyproject: Path) -> Path:
    """Makes the environment unless it is complete, and returns its Python."""
    python = folder / "bin" / "python"
    complete = folder / ".complete"
    if complete.exists() and python.exists():
        return python
    print(f"making the virtual environment {folder}", file=sys.stderr)
    subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True, stdout=sys.stderr)
    read = subprocess.run(
        [python, "-c", READ_DEPENDENCIES, pyproject], check=True, stdout=subprocess.PIPE, text=True
    )
    install = [python, "-m", "pip", "install", "-qq", *read.stdout.splitlines()]
    subprocess.run(install, check=True, stdout=sys.stderr)
    complete.touch()
    return python


def main(arguments: list[str]) -> int:
    """Prints the environment's Python.

    Args:
        arguments: `--machines` to install what the lab's machines need, and to end with a sentence where they
            can't run all the same; `--try-machines` to install it where that is possible.
    """
    if sys.version_info < (3, 10):  # noqa: UP036 (it runs on whatever there is)
        print(f"Python 3.10 or later is needed, this is {sys.version.split()[0]}", file=sys.stderr)
        return 2
    if arguments:
        host.install_tools()
    reason = host.unable() if "--machines" in arguments else None
    if reason:
        print(reason, file=sys.stderr)
        return 2
    pyproject = PROJECT / "pyproject.toml"
    tag = f"{sys.implementation.cache_tag}-{os.uname().machine}"
    try:
        host.install(missing_packages())
        with locked(host.cache() / "venv.lock"):
            print(make(environment(host.cache(), pyproject.read_bytes(), tag), pyproject))
    except (host.MissingPackages, subprocess.CalledProcessError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
