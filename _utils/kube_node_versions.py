"""The flags and configuration fields of the kubelet and kube-proxy of each Kubernetes minor.

Pure functions of ``facts``, the files under ``kube_node/versions`` as ``yaml.safe_load`` gives them:
``{"kubelet": ..., "kube_proxy": ..., "milestones": ...}``. kubelet.yaml's head explains their form; a new
minor is a change of data alone. What else differs between minors is in `kube_node_milestones`.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

Facts = Mapping[str, Any]

_VERSION = re.compile(r"v?(0|[1-9]\d*)\.(0|[1-9]\d*)(?:\.(?:0|[1-9]\d*)(?:[-+].*)?)?")


@dataclass(frozen=True, slots=True)
class Span:
    """The minors in which something is there, both ends included; ``until`` is None while it still is."""

    since: str
    until: str | None = None

    def __contains__(self, minor: str) -> bool:
        return parse(self.since) <= parse(minor) and (self.until is None or parse(minor) <= parse(self.until))

    def __str__(self) -> str:
        if self.until is None:
            return f"{self.since} and later"
        return self.since if self.since == self.until else f"{self.since} to {self.until}"


@dataclass(frozen=True, slots=True)
class Flag:
    """A command line flag as one minor has it.

    ``type`` says how its value is written (`as_flag` writes it), ``since`` and ``until`` are its lifetime,
    ``field`` is the dotted path of the setting that it sets, ``deprecated`` the minor from which it warns,
    None while it does not.
    """

    name: str
    type: str
    since: str
    until: str | None
    field: str | None
    deprecated: str | None


@dataclass(frozen=True, slots=True)
class Field:
    """A field of the configuration file as one minor has it.

    ``flag`` is the name of the flag that sets the same in that minor; ``values`` lists what a string, or each
    item of a list, may be, and is empty where anything goes.
    """

    path: str
    type: str
    since: str
    until: str | None
    flag: str | None
    values: tuple[str, ...] = ()


class UnknownMinor(ValueError):
    """A minor that the facts do not cover."""


@lru_cache(maxsize=256)
def parse(version: str) -> tuple[int, int]:
    """Major and minor of a version such as ``1.36.2``, ``v1.36.2-rc.1`` or ``1.36``, as numbers to compare.

    Raises:
        ValueError: for a text that is no version.
    """
    found = _VERSION.fullmatch(version)
    if not found:
        raise ValueError(f"{version!r} is not a version: write X.Y.Z, like 1.36.2")
    return int(found[1]), int(found[2])


def minor(version: str) -> str:
    """The minor of a version: ``1.36`` for ``1.36.2``. Raises ValueError as `parse` does."""
    return "{}.{}".format(*parse(version))


def minors(facts: Facts) -> list[str]:
    """Every minor that the facts cover, oldest first."""
    known = facts["milestones"]["minors"]
    major, oldest = parse(known["oldest"])
    return [f"{major}.{number}" for number in range(oldest, parse(known["newest"])[1] + 1)]


def known_minor(facts: Facts, version: str) -> str:
    """The minor of ``version`` (a release or a minor) that the facts cover.

    Raises:
        UnknownMinor: when they do not; the message names the range that they do.
    """
    oldest, newest = (facts["milestones"]["minors"][end] for end in ("oldest", "newest"))
    if not parse(oldest) <= parse(version) <= parse(newest):
        raise UnknownMinor(
            f"Kubernetes {minor(version)} is not known: choose a release of {oldest} to {newest}"
        )
    return minor(version)


def span(facts: Facts, line: Mapping[str, Any]) -> Span:
    """The span of a line of the facts: without ``since`` it was there in the oldest minor."""
    return Span(line.get("since", facts["milestones"]["minors"]["oldest"]), line.get("until"))


def api_version(facts: Facts, component: str, minor: str) -> str | None:
    """The ``apiVersion`` of the component's configuration file, None for a minor that has no such file."""
    file = facts[component]["config_file"]
    return file["api_version"] if minor in span(facts, file) else None


def flags(facts: Facts, component: str, minor: str) -> dict[str, Flag]:
    """The flags that ``component`` ("kubelet" or "kube_proxy") of ``minor`` accepts, by name.

    A flag that is not among them keeps the component from starting. Raises UnknownMinor as `known_minor`.
    """
    minor = known_minor(facts, minor)
    found = ((name, _line(facts, lines, minor)) for name, lines in facts[component]["flags"].items())
    return {name: _flag(facts, component, name, line, minor) for name, line in found if line}


def fields(facts: Facts, component: str, minor: str) -> dict[str, Field]:
    """The configuration fields of ``component`` in ``minor`` by dotted path, with ``[]`` after a list.

    For a minor without a configuration file (`api_version` is None) these are the settings that a flag of
    that minor sets, under the names that later files give them. Raises UnknownMinor as `known_minor`.
    """
    minor = known_minor(facts, minor)
    setters = _setters(facts, component, minor)
    has_file = api_version(facts, component, minor) is not None
    result = {}
    for path, lines in facts[component]["fields"].items():
        line = _line(facts, lines, minor) if has_file else path in setters and _lines(lines)[0]
        if line:
            life = _lifetime(facts, component, "fields", lines)
            values = tuple(line.get("values", ()))
            result[path] = Field(path, line["type"], life.since, life.until, setters.get(path), values)
    return result


def flag_for(facts: Facts, component: str, minor: str, path: str) -> Flag | None:
    """The flag of ``minor`` that sets what the field ``path`` sets, even before that field exists."""
    name = _setters(facts, component, known_minor(facts, minor)).get(path)
    return flags(facts, component, minor)[name] if name else None


def lifetime(facts: Facts, component: str, kind: str, name: str) -> Span:
    """The minors that have a flag or field; ``str()`` of it reads "1.9 to 1.14" or "1.23 and later".

    Args:
        facts: the three files.
        component: "kubelet" or "kube_proxy".
        kind: "flag" or "field".
        name: the flag's name or the field's dotted path.

    Raises:
        KeyError: when no minor has it.
    """
    return _lifetime(facts, component, f"{kind}s", facts[component][f"{kind}s"][name])


def as_flag(flag: Flag, value: Any) -> str:
    """A setting's value as text on the command line, in the form of the flag's type."""
    return _ENCODINGS.get(flag.type, _text)(value)


def in_file(field: Field, value: Any) -> Any:
    """A setting's value in the configuration file: itself, but for kube-proxy 1.9's feature gates."""
    return _pairs(value) if field.type == "bool_map_text" else value


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _pairs(value: Mapping[str, Any], sign: str = "=") -> str:
    return ",".join(f"{key}{sign}{_text(item)}" for key, item in value.items())


def _headers(value: Mapping[str, Sequence[str]]) -> str:
    return ",".join(f"{name}:{item}" for name, items in value.items() for item in items)


def _taints(value: Iterable[Mapping[str, str]]) -> str:
    return ",".join(f"{taint['key']}={taint.get('value', '')}:{taint['effect']}" for taint in value)


def _memory(value: Iterable[Mapping[str, Any]]) -> str:
    return ";".join(f"{node['numaNode']}:{_pairs(node['limits'])}" for node in value)


def _vmodule(value: Iterable[Mapping[str, Any]]) -> str:
    return ",".join(f"{entry['filePattern']}={entry['verbosity']}" for entry in value)


# The parsers on the other side: component-base/cli/flag/*_map_string_*.go, pkg/util/flag/flags.go,
# component-base/logs/api/v1/options.go.
_ENCODINGS: dict[str, Callable[[Any], str]] = {
    **dict.fromkeys(("list", "ip_list", "cidr_list", "int_list"), lambda value: ",".join(map(_text, value))),
    **dict.fromkeys(("map", "bool_map", "bool_map_text"), _pairs),
    "threshold_map": lambda value: _pairs(value, "<"),
    "header_map": _headers,
    "taint_list": _taints,
    "memory_list": _memory,
    "vmodule_list": _vmodule,
}


def _lines(lines: Any) -> Sequence[Mapping[str, Any]]:
    """A name's lines, oldest first: most names have one, one whose type or field changed has a list."""
    return lines if isinstance(lines, list) else [lines]


def _line(facts: Facts, lines: Any, minor: str) -> Mapping[str, Any] | None:
    return next((line for line in _lines(lines) if minor in span(facts, line)), None)


def _lifetime(facts: Facts, component: str, section: str, lines: Any) -> Span:
    since = span(facts, _lines(lines)[0]).since
    if section == "fields":
        since = max(since, span(facts, facts[component]["config_file"]).since, key=parse)
    return Span(since, _lines(lines)[-1].get("until"))


def _setters(facts: Facts, component: str, minor: str) -> dict[str, str]:
    """The flag of each field's path; of two for one field the first in the file, as its head says."""
    result: dict[str, str] = {}
    for name, lines in facts[component]["flags"].items():
        line = _line(facts, lines, minor)
        if line and "field" in line:
            result.setdefault(line["field"], name)
    return result


def _flag(facts: Facts, component: str, name: str, line: Mapping[str, Any], minor: str) -> Flag:
    life = _lifetime(facts, component, "flags", facts[component]["flags"][name])
    path, kind, deprecated = line.get("field"), line.get("type"), line.get("deprecated")
    if path:
        lines = facts[component]["fields"][path]
        kind = kind or (_line(facts, lines, minor) or _lines(lines)[0])["type"]
        if facts[component]["config_file"].get("deprecates_flags") and not line.get("keep"):
            deprecated = deprecated or _lifetime(facts, component, "fields", lines).since
    warns = deprecated is not None and parse(deprecated) <= parse(minor)
    return Flag(name, kind, life.since, life.until, path, deprecated if warns else None)
