"""How systemd reads a unit's command line, from its manuals alone: a second opinion on `kube_node_units`.

systemd.syntax(7) "QUOTING" and continuation lines, systemd.service(5) "COMMAND LINES", systemd.unit(5)
"SPECIFIERS".
"""

from __future__ import annotations

import re

_ESCAPES = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "s": " "}
_ESCAPES |= {char: char for char in "\\\"'"}
_CODES = re.compile(r"x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-7]{3})")
ENVIRONMENT = {"HOME": "/root", "a": "b c"}
SPECIFIERS = {"%": "%", "h": "/root", "n": "kubelet.service", "i": ""}


def sections(unit: str) -> dict[str, list[tuple[str, str]]]:
    """Return the settings of each section, continuation lines joined and comments dropped."""
    found: dict[str, list[tuple[str, str]]] = {}
    lines = [line for line in unit.splitlines() if not line.lstrip().startswith(("#", ";"))]
    for line in re.sub(r"\\\n", " ", "\n".join(lines)).splitlines():
        if section := re.fullmatch(r"\[(.+)\]", line.strip()):
            settings = found.setdefault(section[1], [])
        elif line.strip():
            key, _, value = line.partition("=")
            settings.append((key.strip(), value.strip()))
    return found


def started(unit: str) -> list[str]:
    """Return the words that the one `ExecStart=` of a service starts its program with."""
    [line] = [value for key, value in sections(unit)["Service"] if key == "ExecStart"]
    return command(line)


def command(line: str) -> list[str]:
    """Return the words that the program of an `ExecStart=` line is started with."""
    words = [_specifiers(word) for word in _words(line)]
    return [found for word in words for found in _variables(word)]


def _words(line: str) -> list[str]:
    words: list[str] = []
    rest = line.strip()
    while rest:
        word, rest = _word(rest)
        words.append(word)
    return words


def _word(line: str) -> tuple[str, str]:
    """Return the first word, unquoted and its escapes resolved, and what follows it."""
    word, quote, at = "", "", 0
    while at < len(line):
        char = line[at]
        at += 1
        if char == "\\":
            found, at = _escape(line, at)
            word += found
        elif quote:
            word, quote = (word, "") if char == quote else (word + char, quote)
        elif char in "\"'":
            quote = char
        elif char in " \t":
            break
        else:
            word += char
    if quote:
        raise ValueError(f"unbalanced quotes in {line!r}")
    return word, line[at:].lstrip()


def _escape(line: str, at: int) -> tuple[str, int]:
    if codes := _CODES.match(line, at):
        number = next(group for group in codes.groups() if group)
        return chr(int(number, 8 if codes[4] else 16)), codes.end()
    if line[at : at + 1] not in _ESCAPES:
        raise ValueError(f"unknown escape sequence in {line!r}")
    return _ESCAPES[line[at]], at + 1


def _specifiers(word: str) -> str:
    def resolved(match: re.Match[str]) -> str:
        if match[1] not in SPECIFIERS:
            raise ValueError(f"unknown specifier in {word!r}")
        return SPECIFIERS[match[1]]

    return re.sub(r"(?s)%(.?)", resolved, word)


def _variables(word: str) -> list[str]:
    """Return the words that a word becomes: `$NAME` alone is split, `${NAME}` is put in, `$$` is a dollar."""
    if re.fullmatch(r"\$[^${].*", word, re.DOTALL):
        return ENVIRONMENT.get(word[1:], "").split()
    return [re.sub(r"\$\$|\$\{([^}]*)\}", _variable, word)]


def _variable(match: re.Match[str]) -> str:
    return "$" if match[0] == "$$" else ENVIRONMENT.get(match[1], "")
