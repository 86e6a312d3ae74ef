"""What Salt asks of every file in `_utils`."""

from __future__ import annotations

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


@pytest.mark.parametrize("name", UTILS)
def test_it_is_pure(formula: Path, name: str):
    assert "import salt" not in (formula / "_utils" / name).read_text()
