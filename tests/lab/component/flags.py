"""A command line as spf13/pflag parses it, against the flags of one minor."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from kube_node_versions import Flag

from . import flag_values, klog
from .go_values import parse_uint
from .klog import quote

SHORTHANDS = {"h": "help", "v": "v"}
#: Flags that mean "true" when they are given without a value.
_WITHOUT_VALUE = ("bool",)
#: --node-labels takes a key without a value; kubelet's own ConfigurationMap.
_OWN_TYPES = {"node-labels": "labels", "log-json-info-buffer-size": "checked_quantity"}
_OWN_TYPES["log-text-info-buffer-size"] = "checked_quantity"


class FlagError(ValueError):
    """A command line that pflag refuses; the message is pflag's."""


@dataclass
class CommandLine:
    """What a command line says: typed values of the flags given, and the arguments that are no flags."""

    values: dict[str, Any] = field(default_factory=dict)
    arguments: list[str] = field(default_factory=list)

    def text(self, name: str) -> str:
        """A string flag's value, empty when it was not given."""
        return self.values.get(name, "")


def parse(argv: list[str], known: Mapping[str, Flag], deprecation: Mapping[str, str]) -> CommandLine:
    """Parse the arguments after the program's name.

    Args:
        argv: the arguments.
        known: the flags that the component of this minor has.
        deprecation: what to warn with when a flag is used, by its name.

    Raises:
        FlagError: for the first argument that pflag would refuse.
    """
    result = CommandLine()
    words = iter(argv)
    for word in words:
        if word == "--":
            result.arguments += words
        elif word.startswith("--"):
            _long(word, words, known, deprecation, result)
        elif word.startswith("-") and len(word) > 1:
            _short(word, words, known, deprecation, result)
        else:
            result.arguments.append(word)
    return result


def _long(word: str, words: Iterator[str], known, deprecation, result: CommandLine) -> None:
    name, sign, value = word[2:].partition("=")
    if not name or name.startswith("-"):
        raise FlagError(f"bad flag syntax: {word}")
    flag = known.get(name.replace("_", "-"))
    if flag is None:
        raise FlagError(f"unknown flag: --{name}")
    if not sign:
        value = _implied(flag) or next(words, None)
        if value is None:
            raise FlagError(f"flag needs an argument: {word}")
    _set(flag, value, deprecation, result)


def _short(word: str, words: Iterator[str], known, deprecation, result: CommandLine) -> None:
    letter, rest = word[1], word[2:]
    flag = known.get(SHORTHANDS.get(letter, ""))
    if flag is None:
        raise FlagError(f"unknown shorthand flag: {letter!r} in {word}")
    implied = _implied(flag)
    if implied and not rest.startswith("="):
        _set(flag, implied, deprecation, result)
        if rest:
            _short(f"-{rest}", words, known, deprecation, result)
        return
    value = rest.removeprefix("=") if rest else next(words, None)
    if value is None:
        raise FlagError(f"flag needs an argument: {letter!r} in {word}")
    _set(flag, value, deprecation, result)


def _implied(flag: Flag) -> str | None:
    return "true" if flag.type in _WITHOUT_VALUE or flag.name == "version" else None


def _set(flag: Flag, text: str, deprecation: Mapping[str, str], result: CommandLine) -> None:
    kind = _OWN_TYPES.get(flag.name, flag.type)
    try:
        value = parse_uint(text) if flag.name == "v" else flag_values.parse(kind, text)
    except ValueError as reason:
        shown = f"-{flag.name}, --{flag.name}" if flag.name == "v" else f"--{flag.name}"
        raise FlagError(f"invalid argument {quote(text)} for {quote(shown)} flag: {reason}") from None
    if kind in ("ip", "ip_port") and not text:
        return  # as good as not given: pkg/util/flag/flags.go
    if flag.name in deprecation:
        klog.write(f"Flag --{flag.name} has been deprecated, {deprecation[flag.name]}")
    if flag.name in result.values:
        value = flag_values.merge(kind, result.values[flag.name], value)
    result.values[flag.name] = value
