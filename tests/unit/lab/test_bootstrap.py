"""The virtual environment's place and what it needs."""

from __future__ import annotations

from pathlib import Path

from lab import bootstrap


def test_other_dependencies_are_another_environment():
    one, other = (bootstrap.environment(Path("/cache"), text, "cpython-311") for text in (b"a", b"b"))
    assert one != other


def test_another_python_is_another_environment():
    one, other = (bootstrap.environment(Path("/cache"), b"a", tag) for tag in ("cpython-311", "cpython-312"))
    assert one != other


def test_a_complete_environment_is_used_as_it_is(tmp_path):
    (tmp_path / "bin").mkdir()
    for name in (".complete", "bin/python"):
        (tmp_path / name).touch()
    assert bootstrap.make(tmp_path, Path("/nonexistent")) == tmp_path / "bin/python"


def test_a_python_of_ones_own_needs_a_compiler_only(monkeypatch):
    monkeypatch.setattr(bootstrap.shutil, "which", lambda _: None)
    monkeypatch.setattr(bootstrap.sys, "base_prefix", "/opt/python")
    assert bootstrap.missing_packages() == ["gcc", "libc6-dev"]


def test_debians_python_may_lack_venv_and_headers(monkeypatch):
    monkeypatch.setattr(bootstrap.shutil, "which", lambda _: "/usr/bin/gcc")
    monkeypatch.setattr(bootstrap.sys, "base_prefix", "/usr")
    monkeypatch.setattr(bootstrap.importlib.util, "find_spec", lambda _: None)
    monkeypatch.setattr(bootstrap.sysconfig, "get_path", lambda _: "/nonexistent")
    assert bootstrap.missing_packages() == ["python3-venv", "python3-dev"]


def test_an_old_python_gets_one_sentence(monkeypatch, capsys):
    monkeypatch.setattr(bootstrap.sys, "version_info", (3, 9, 2))
    monkeypatch.setattr(bootstrap.sys, "version", "3.9.2 (default)")
    assert bootstrap.main([]) == 2
    assert capsys.readouterr().err == "Python 3.10 or later is needed, this is 3.9.2\n"
