"""Stands for the rules that kube-proxy lays down in the kernel: an empty file, named after the mode."""

from __future__ import annotations

import shutil

from lab.component import host

FOLDER = host.ROOT / "run/kube-proxy-double"


def lay_down(mode: str) -> None:
    """Have the mark of a mode, beside those of others."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / mode).touch()


def clean_up() -> None:
    """Take away the marks of all modes."""
    shutil.rmtree(FOLDER, ignore_errors=True)
