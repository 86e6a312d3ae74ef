"""What Salt asks of every file in `_utils`."""

from __future__ import annotations

import ast
import importlib.util
from pathlib import Path

import pytest

from unit.nodes import ROOT

UTILS = sorted(path.name for path in ROOT.glob("_utils/*.py"))


@pytest.mark.parametrize("name", UTILS)
def test_salts_loader_can_load_it(formula: Path, name: str):
    """Salt runs a module before sys.modules knows it: dataclasses with deferred annotations fail then.

    Each Salt command that looks for a function would log a traceback. So a module with dataclasses has no
    `from __future__ import annotations`.
    """
    spec = importlib.util.spec_from_file_location(f"loaded.utils.{name}", formula / "_utils" / name)
    spec.loader.exec_module(importlib.util.module_from_spec(spec))


# What the beacon has loaded into the running minion.
LONG_LIVED = ("backoff", "beacon", "bootstrap", "certificates", "systemd")


@pytest.mark.parametrize("name", LONG_LIVED)
def test_what_a_running_minion_keeps_imports_nothing_of_the_formula(formula: Path, name: str):
    """Else each job that it forks would have that module as it was, whatever was synced since."""
    tree = ast.parse((formula / f"_utils/kube_node_{name}.py").read_text())
    imports = [node for node in ast.walk(tree) if isinstance(node, (ast.Import, ast.ImportFrom))]
    names = [alias.name for node in imports for alias in node.names] + [
        node.module for node in imports if isinstance(node, ast.ImportFrom)
    ]
    assert [found for found in names if found.startswith(("kube_", "kubelet_"))] == []


@pytest.mark.parametrize("name", UTILS)
def test_it_is_pure(formula: Path, name: str):
    assert "import salt" not in (formula / "_utils" / name).read_text()
