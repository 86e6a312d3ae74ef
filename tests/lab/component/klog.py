"""Log lines as klog writes them, to standard error.

Structured from 1.21 on, ``"message" key="value"``; before that ``message: key=value``. Source:
k8s.io/klog/v2, klog.go and internal/serialize/keyvalues.go.
"""

from __future__ import annotations

import json
import os
import threading
from datetime import datetime
from typing import Any, NoReturn

#: ``-v`` and the minor's way of writing; set once when the flags are known.
verbosity = 0
structured = True


def info(source: str, message: str, level: int = 0, /, **values: Any) -> None:
    """Log ``message`` from ``source`` ("server.go:991") when the verbosity is at least ``level``."""
    if level <= verbosity:
        write(_header("I", source) + _body(message, values))


def warning(source: str, message: str) -> None:
    """Log a warning; it is never structured, as klog.Warningf is not."""
    write(_header("W", source) + message)


def plain_error(source: str, message: str) -> None:
    """Log an error that was never made structured: klog.Errorf."""
    write(_header("E", source) + message)


def error(source: str, fault: object, message: str, /, **values: Any) -> None:
    """Log ``message`` as an error, with ``fault`` (None for none) as its cause."""
    cause = {} if fault is None else {"err": str(fault)}
    write(_header("E", source) + _body(message, {**cause, **values}))


def fatal(source: str, message: str) -> NoReturn:
    """Log as klog.Fatal does and end the process with status 255."""
    write(_header("F", source) + message)
    leave(255)


def leave(status: int) -> NoReturn:
    """End the process at once, from whatever thread, as os.Exit does in Go."""
    os._exit(status)


def write(line: str) -> None:
    """Write one line, whole: other threads and processes may share the stream."""
    os.write(2, f"{line}\n".encode())


def _header(severity: str, source: str) -> str:
    now = datetime.now()
    return f"{severity}{now:%m%d %H:%M:%S.%f} {threading.get_native_id():>7} {source}] "


def _body(message: str, values: dict[str, Any]) -> str:
    if structured:
        return quote(message) + "".join(f" {key}={_value(value)}" for key, value in values.items())
    pairs = [str(value) if key == "err" else f"{key}={value}" for key, value in values.items()]
    return ": ".join([message, ", ".join(pairs)]) if pairs else message


def _value(value: Any) -> str:
    if isinstance(value, str):
        return _text(value)
    return json.dumps(value, separators=(",", ":"), default=str)


def _text(value: str) -> str:
    if "\n" not in value:
        return quote(value)
    return "<\n\t" + value.replace("\n", "\n\t") + "\n >"


def quote(text: str) -> str:
    """``text`` as Go's %q writes it."""
    return json.dumps(text, ensure_ascii=False)
