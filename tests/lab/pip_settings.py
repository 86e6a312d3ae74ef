"""The machine's own pip settings, carried into a chroot: indexes, certificates and proxies keep working."""

from __future__ import annotations

import configparser
import io
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

PROXIES = ("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")


def files(home: Path, environment: Mapping[str, str]) -> list[Path]:
    """pip's configuration files in the order pip reads them, the later ones winning."""
    found = [Path("/etc/xdg/pip/pip.conf"), Path("/etc/pip.conf")]
    found += [home / ".pip/pip.conf", home / ".config/pip/pip.conf"]
    given = environment.get("PIP_CONFIG_FILE")
    return [path for path in [*found, *([Path(given)] if given else [])] if path.is_file()]


def merged(paths: Iterable[Path]) -> str:
    """One configuration file that says what all of these say together."""
    parser = configparser.RawConfigParser()
    parser.read(paths)
    text = io.StringIO()
    parser.write(text)
    return text.getvalue()


def variables(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment variables that steer pip, without those that name places of this machine's own."""
    own = {"PIP_CONFIG_FILE", "PIP_CACHE_DIR", "PIP_TARGET", "PIP_PREFIX", "PIP_REQUIRE_VIRTUALENV"}
    return {
        key: value
        for key, value in environment.items()
        if (key.startswith("PIP_") and key not in own) or key in PROXIES
    }


def places(texts: Iterable[str]) -> list[Path]:
    """The files and folders of this machine that the settings name, outermost only."""
    words = [word for text in texts for word in re.split(r"[\s=]+", text)]
    paths = {Path(word.removeprefix("file://")) for word in words if re.match(r"(file://)?/", word)}
    real = {path for path in paths if path.exists() and path != Path("/")}
    # An index folder (…/simple) points at its neighbours (…/files): bind what holds both.
    real = {path.parent if path.name == "simple" else path for path in real}
    return sorted(path for path in real if not any(parent in real for parent in path.parents))


def binds(environment: Mapping[str, str] = os.environ, home: Path | None = None) -> list[Path]:
    """All places that pip's settings on this machine name."""
    text = merged(files(home or Path.home(), environment))
    return places([text, *variables(environment).values()])
