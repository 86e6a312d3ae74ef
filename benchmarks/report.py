"""How a benchmark's figures are shown."""

from __future__ import annotations

from typing import Any


def table(numbers: dict[str, Any]) -> int:
    """Print figures for a person, a line each; return how wide their names are."""
    width = max(map(len, numbers))
    for name, value in numbers.items():
        print(f"{name:{width}}  {value}")
    return width
