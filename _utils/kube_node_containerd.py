"""Whether containerd takes its configuration as it is meant: what we write, beside what it would run with.

Pure: no Salt, no I/O. containerd ignores in silence a key that its release does not know or has elsewhere
(lima PR 4185), and what its files import wins: only `containerd config dump` tells.
"""

from __future__ import annotations

import re

Settings = dict[tuple[str, str], str]
_SECTION = re.compile(r"\[(.+)\]")
_SETTING = re.compile(r"([A-Za-z0-9_]+) = (.+)")


def settings(toml: str) -> Settings:
    """Return the settings of a configuration by section and key, as texts.

    Args:
        toml: one setting a line, as our templates and `containerd config dump` are; no more of TOML is read.
            Strings in either quotes are the same.
    """
    section, found = "", {}
    for line in toml.replace("'", '"').splitlines():
        if named := _SECTION.fullmatch(line.strip()):
            section = named[1]
        elif said := _SETTING.fullmatch(line.strip()):
            found[section, said[1]] = said[2]
    return found


def differences(config: str, dump: str) -> list[str]:
    """Return what containerd would not do as the configuration says, a sentence each.

    Args:
        config: the configuration.
        dump: what `containerd config dump` makes of it.
    """
    effective = settings(dump)
    return [
        f"[{section}] {key} is {effective.get((section, key), 'not there')}, not {value}".removeprefix("[] ")
        for (section, key), value in settings(config).items()
        if effective.get((section, key)) != value and not section.endswith(".auth")  # never shown
    ]
