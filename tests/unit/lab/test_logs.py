"""The logs of a lab, saved before it goes."""

from __future__ import annotations

import pytest
from lab import logs


@pytest.fixture
def lab(monkeypatch, tmp_path):
    monkeypatch.setenv("KUBE_NODE_LAB", str(tmp_path / "labs"))
    monkeypatch.setenv("KUBE_NODE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "labs/demo"


def write(path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_each_log_is_named_after_whose_it_is(lab):
    write(lab / "control-plane/apiserver.log", "a")
    write(lab / "master/var/log/salt/master", "m")
    write(lab / "nodes/worker-1/console.log", "c")
    write(lab / "nodes/worker-1/upper/var/log/salt/minion", "s")
    assert sorted(path.name for path in logs.save("demo").iterdir()) == [
        *("control-plane-apiserver.log", "master-salt-master", "worker-1-console.log", "worker-1-salt-minion")
    ]


@pytest.mark.usefixtures("lab")
def test_they_are_kept_in_the_cache(tmp_path):
    assert logs.save("demo") == tmp_path / "cache/logs/demo"


@pytest.mark.usefixtures("lab")
def test_those_of_the_run_before_are_gone(tmp_path):
    write(tmp_path / "cache/logs/demo/old", "old")
    assert list(logs.save("demo").iterdir()) == []
