"""Text as Go reads it: numbers, booleans, durations and Kubernetes quantities, with Go's error messages."""

from __future__ import annotations

import re
from decimal import Decimal

from .klog import quote

_TRUE, _FALSE = {"1", "t", "T", "TRUE", "true", "True"}, {"0", "f", "F", "FALSE", "false", "False"}
_UNITS = {"ns": 1, "us": 10**3, "µs": 10**3, "μs": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9}
_UNITS["h"] = 3600 * 10**9
_DURATION = re.compile(r"(\d*\.?\d*)([^\d.]*)")
_QUANTITY = re.compile(r"([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)")
_SUFFIXES = {"n": Decimal("1e-9"), "u": Decimal("1e-6"), "m": Decimal("1e-3"), "": Decimal(1)}
_SUFFIXES |= {suffix: Decimal(1000) ** power for power, suffix in enumerate("kMGTPE", 1)}
_SUFFIXES |= {f"{suffix}i": Decimal(1024) ** power for power, suffix in enumerate("KMGTPE", 1)}
_BAD_QUANTITY = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"


def parse_bool(text: str) -> bool:
    """strconv.ParseBool. Raises ValueError with its message."""
    if text not in _TRUE | _FALSE:
        raise ValueError(f"strconv.ParseBool: parsing {quote(text)}: invalid syntax")
    return text in _TRUE


def parse_int(text: str, bits: int = 32) -> int:
    """strconv.ParseInt with base 0. Raises ValueError with its message."""
    value = _integer(text)
    if value is None:
        raise ValueError(f"strconv.ParseInt: parsing {quote(text)}: invalid syntax")
    if not -(2 ** (bits - 1)) <= value < 2 ** (bits - 1):
        raise ValueError(f"strconv.ParseInt: parsing {quote(text)}: value out of range")
    return value


def parse_uint(text: str, bits: int = 32) -> int:
    """strconv.ParseUint with base 0. Raises ValueError with its message."""
    value = None if text[:1] in ("+", "-") else _integer(text)
    if value is None:
        raise ValueError(f"strconv.ParseUint: parsing {quote(text)}: invalid syntax")
    if value >= 2**bits:
        raise ValueError(f"strconv.ParseUint: parsing {quote(text)}: value out of range")
    return value


def parse_float(text: str) -> float:
    """strconv.ParseFloat. Raises ValueError with its message."""
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"strconv.ParseFloat: parsing {quote(text)}: invalid syntax") from None


def parse_duration(text: str) -> int:
    """time.ParseDuration, in nanoseconds. Raises ValueError with its message."""
    sign, rest = (-1, text[1:]) if text[:1] == "-" else (1, text.removeprefix("+"))
    if rest == "0":
        return 0
    total = Decimal(0)
    if not rest:
        raise ValueError(f"time: invalid duration {quote(text)}")
    while rest:
        number, unit = _DURATION.match(rest).groups()
        if number in ("", "."):
            raise ValueError(f"time: invalid duration {quote(text)}")
        if not unit:
            raise ValueError(f"time: missing unit in duration {quote(text)}")
        if unit not in _UNITS:
            raise ValueError(f"time: unknown unit {quote(unit)} in duration {quote(text)}")
        total += Decimal(number) * _UNITS[unit]
        rest = rest[len(number) + len(unit) :]
    return sign * int(total)


def duration_text(nanoseconds: int) -> str:
    """A duration as Go's Duration.String writes it: ``1h0m0s``, ``1.5s``, ``100ms``."""
    if nanoseconds < 0:
        return f"-{duration_text(-nanoseconds)}"
    if nanoseconds < _UNITS["s"]:
        unit = next((unit for unit in ("ms", "µs") if nanoseconds >= _UNITS[unit]), "ns")
        return f"{_decimal(nanoseconds, _UNITS[unit])}{unit}" if nanoseconds else "0s"
    minutes, rest = divmod(nanoseconds, _UNITS["m"])
    hours, minutes = divmod(minutes, 60)
    head = f"{hours}h{minutes}m" if hours else f"{minutes}m" if minutes else ""
    return f"{head}{_decimal(rest, _UNITS['s'])}s"


def parse_quantity(text: str) -> Decimal:
    """A resource quantity such as ``200m`` or ``1Gi``. Raises ValueError with ParseQuantity's message."""
    found = _QUANTITY.fullmatch(text)
    if not found:
        raise ValueError(_BAD_QUANTITY)
    number, suffix = found.groups()
    try:
        if suffix in _SUFFIXES:
            return Decimal(number) * _SUFFIXES[suffix]
        return Decimal(number + suffix)
    except ArithmeticError:
        raise ValueError(_BAD_QUANTITY) from None


def _integer(text: str) -> int | None:
    digits = text.lstrip("+-")
    octal = re.fullmatch(r"0[0-7]+", digits)
    try:
        return int(text, 8 if octal else 0) if digits and not digits[0].isspace() else None
    except ValueError:
        return None


def _decimal(value: int, unit: int) -> str:
    whole, rest = divmod(value, unit)
    fraction = f"{rest:0{len(str(unit)) - 1}d}".rstrip("0")
    return f"{whole}.{fraction}" if fraction else str(whole)
