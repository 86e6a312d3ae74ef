"""The formula is an SPM package: built from a checkout, installed where a master serves it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

# What a checkout holds beside the project; a package of a working tree would carry it along.
UNTRACKED = shutil.ignore_patterns(
    ".git", "__pycache__", ".venv", "build", "*.egg-info", ".*_cache", ".hypothesis"
)


@pytest.fixture(scope="module")
def installed(formula: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder below which `spm local install` put the formula."""
    root = tmp_path_factory.mktemp("spm")
    checkout = root / "kube_node"
    shutil.copytree(formula, checkout, ignore=UNTRACKED)
    for folder in ("config", "srv/spm_build", "var/cache/salt/master", "var/cache/salt/spm"):
        (root / folder).mkdir(parents=True)
    settings = {
        "root_dir": str(root),
        "spm_build_dir": str(root / "srv/spm_build"),
        "spm_cache_dir": str(root / "var/cache/salt/spm"),
        "spm_db": str(root / "var/cache/salt/spm/packages.db"),
        "spm_logfile": str(root / "spm.log"),
        "formula_path": str(root / "srv/spm/salt"),
        "pillar_path": str(root / "srv/spm/pillar"),
    }
    for name in ("spm", "master"):
        (root / "config" / name).write_text(yaml.safe_dump(settings))
    _spm(root, "build", str(checkout))
    (package,) = (root / "srv/spm_build").glob("*.spm")
    _spm(root, "--assume-yes", "local", "install", str(package))
    return root / "srv/spm"


@pytest.mark.parametrize("folder", ["kube_node", "_modules", "_states", "_beacons", "_runners", "_utils"])
def test_everything_that_a_master_serves_is_installed_whole(installed, formula, folder):
    ours = {str(path.relative_to(formula)) for path in (formula / folder).rglob("*") if path.is_file()}
    ours = {path for path in ours if "__pycache__" not in path}
    salt = installed / "salt"
    assert ours <= {str(path.relative_to(salt)) for path in (salt / folder).rglob("*") if path.is_file()}


def test_pillar_example_is_installed_beside_the_pillar(installed, formula):
    assert (installed / "pillar/kube_node.sls.orig").read_text() == (formula / "pillar.example").read_text()


def test_tests_are_not_installed(installed):
    assert not (installed / "salt/tests").exists()


def _spm(root: Path, *arguments: str) -> None:
    program = Path(sys.executable).parent / "spm"
    done = subprocess.run(
        [program, f"--config-dir={root / 'config'}", *arguments], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
