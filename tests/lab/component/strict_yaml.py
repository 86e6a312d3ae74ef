"""YAML as sigs.k8s.io/yaml turns it into JSON: string keys, no dates, and every duplicate key noticed."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import yaml

_BOOL = re.compile(r"y|Y|yes|Yes|YES|n|N|no|No|NO|true|True|TRUE|false|False|FALSE|on|On|ON|off|Off|OFF")
_TRUE = re.compile(r"y|Y|yes|Yes|YES|true|True|TRUE|on|On|ON")
_INT = re.compile(r"[-+]?(?:0b[01_]+|0o?[0-7_]+|0x[0-9a-fA-F_]+|0|[1-9][0-9_]*)")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_NULL = ("", "~", "null", "Null", "NULL")


class NotYaml(ValueError):
    """Text that is no YAML; the message is go-yaml's."""


@dataclass
class Document:
    """A parsed document; ``duplicates`` says for each repeated key where, in go-yaml's words."""

    value: Any
    duplicates: list[str] = field(default_factory=list)


def load(text: str) -> Document:
    """Parse the first document of ``text``. Raises NotYaml."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        node = next(iter(yaml.compose_all(text, loader)), None)
    except yaml.MarkedYAMLError as fault:
        raise NotYaml(f"yaml: {_place(fault)}{fault.problem}") from None
    except yaml.YAMLError as fault:
        raise NotYaml(f"yaml: {fault}") from None
    document = Document(None)
    document.value = None if node is None else _value(node, document.duplicates)
    return document


def _place(fault: yaml.MarkedYAMLError) -> str:
    """Where a fault is, in go-yaml's way: its line, counted from 1 for scanners alone."""
    marks = (mark.line for mark in (fault.problem_mark, fault.context_mark) if mark and mark.line)
    line = next(marks, 0)
    number = line + 1 if line and isinstance(fault, yaml.scanner.ScannerError) else line
    return f"line {number}: " if number else ""


def _value(node: yaml.Node, duplicates: list[str]) -> Any:
    if isinstance(node, yaml.SequenceNode):
        return [_value(item, duplicates) for item in node.value]
    if isinstance(node, yaml.MappingNode):
        return _mapping(node, duplicates)
    return _scalar(node)


def _mapping(node: yaml.MappingNode, duplicates: list[str]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key_node, value_node in node.value:
        key = _scalar(key_node) if isinstance(key_node, yaml.ScalarNode) else str(key_node.value)
        name = str(key).lower() if isinstance(key, bool) else str(key)
        if name in result:
            duplicates.append(f'line {key_node.start_mark.line + 1}: key "{name}" already set in map')
        result[name] = _value(value_node, duplicates)
    return result


def _scalar(node: yaml.ScalarNode) -> Any:
    text = node.value
    if node.style or node.tag == "!":
        return text
    if text in _NULL:
        return None
    if _BOOL.fullmatch(text):
        return bool(_TRUE.fullmatch(text))
    if _INT.fullmatch(text):
        return _integer(text)
    return float(text) if _FLOAT.fullmatch(text) else text


def _integer(text: str) -> int:
    digits = text.replace("_", "")
    bare = digits.lstrip("+-")
    if len(bare) > 1 and bare[0] == "0" and bare[1].isdigit():
        return int(digits, 8)
    return int(digits, 0)
