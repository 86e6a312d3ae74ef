"""What the tests of pure Python share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

FACTS = ("kubelet", "kube_proxy", "milestones")


@pytest.fixture(scope="session")
def facts(formula: Path) -> dict[str, Any]:
    """Return the facts about Kubernetes, as the formula reads them."""
    folder = formula / "kube_node" / "versions"
    return {name: yaml.safe_load((folder / f"{name}.yaml").read_text()) for name in FACTS}
