"""Salt's loaders on the checkout; all that they write lies in a folder of the test's own. No daemon."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import kube_node_kept
import pytest
import salt.config
import yaml
from saltfactories.utils.functional import Loaders
from unit.nodes import pillar

from functional.binaries import Binary, binary

MINION = "Worker-1"


@pytest.fixture(scope="session")
def minion_opts(formula: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return the configuration of a masterless minion that serves itself the checkout."""
    root = tmp_path_factory.mktemp("minion")
    folders = {name: str(root / name) for name in ("cachedir", "pki_dir", "sock_dir", "config_dir", "pillar")}
    for folder in folders.values():
        Path(folder).mkdir()
    pillar_root = folders.pop("pillar")
    return salt.config.DEFAULT_MINION_OPTS.copy() | {
        **folders,
        "id": MINION,
        "root_dir": str(root),
        "conf_file": str(root / "config_dir" / "minion"),
        "extension_modules": str(root / "cachedir" / "extmods"),
        "log_file": str(root / "minion.log"),
        "file_client": "local",
        "file_roots": {"base": [str(formula)]},
        "pillar_roots": {"base": [pillar_root]},
        # Or the pillar of the test before would be laid below that of the next.
        "ssh_merge_pillar": False,
        "module_dirs": [str(formula / "_modules")],
        "states_dirs": [str(formula / "_states")],
        "beacons_dirs": [str(formula / "_beacons")],
        "utils_dirs": [str(formula / "_utils")],
    }


@pytest.fixture(scope="session")
def loaders(minion_opts: dict[str, Any]) -> Loaders:
    """Return Salt's loaders of that minion."""
    return Loaders(minion_opts)


@pytest.fixture(autouse=True)
def forgetful(loaders: Loaders):
    """Leave nothing in what Salt's modules remember for the next test."""
    yield
    loaders.context.clear()


@pytest.fixture(autouse=True)
def _kept_elsewhere(tmp_path: Path, monkeypatch):
    """Keep what the formula keeps for its next run out of the machine that tests."""
    monkeypatch.setattr(kube_node_kept, "FOLDER", f"{tmp_path}/kept")


@pytest.fixture
def modules(loaders: Loaders) -> Any:
    """Return the execution modules."""
    return loaders.modules


@pytest.fixture
def stand_in(modules, monkeypatch) -> Callable[[str, Callable], None]:
    """Return a function that has another one stand in for one of Salt's, where modules call each other."""
    called = modules.pack["__salt__"]

    def replace(name: str, function: Callable) -> None:
        assert name in called  # loaded, or the loader would put its own over ours
        monkeypatch.setitem(called._dict, name, function)

    return replace


@pytest.fixture
def states(loaders: Loaders) -> Any:
    """Return the state functions."""
    return loaders.states


@pytest.fixture
def node(loaders: Loaders, tmp_path: Path) -> Callable[[Any], None]:
    """Return a function that gives the minion another pillar than the smallest, which it has already."""
    [pillar_root] = map(Path, loaders.opts["pillar_roots"]["base"])
    (pillar_root / "top.sls").write_text(yaml.safe_dump({"base": {MINION: ["node"]}}))

    def given(tree: Any) -> None:
        (pillar_root / "node.sls").write_text(yaml.safe_dump({"kube_node": tree}, sort_keys=False))
        loaders.opts["pillar"] = {}
        loaders.refresh_pillar()
        # Salt's loader took the pillar when it was made; so did the one that modules call each other by.
        for loader in (loaders.modules, loaders.modules.pack["__salt__"]):
            loader.pack["__pillar__"] = loaders.opts["pillar"]

    given(pillar({"paths": {"kubelet": str(tmp_path / "kubelet")}}))
    return given


@pytest.fixture
def old(tmp_path: Path) -> Binary:
    """Return a program of one release, which lies at its source alone."""
    return binary(tmp_path, "v1.36.1")


@pytest.fixture
def new(tmp_path: Path) -> Binary:
    """Return the same program of the next release."""
    return binary(tmp_path, "v1.36.2")


@pytest.fixture
def installed(states, old: Binary) -> Binary:
    """Return a program that is in use."""
    assert states.kube_node.binary_installed(**old.arguments()).result is True
    return old
