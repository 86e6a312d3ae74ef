"""Layers of parameters: mappings merge, lists and scalars replace, and each value remembers its layer.

Pure: no Salt, no I/O.
"""

from __future__ import annotations

from typing import Any

Path = tuple[str, ...]


def merge(layers: list[tuple[str, dict[str, Any]]]) -> tuple[dict[str, Any], dict[Path, str]]:
    """Lay `layers` over one another, the later one wins.

    Args:
        layers: pairs of a layer's name and its tree.

    Returns:
        The merged tree, and the name of the layer that set each leaf, by the leaf's path.
    """
    tree: dict[str, Any] = {}
    origins: dict[Path, str] = {}
    for layer, values in layers:
        _lay(tree, values, layer, origins, ())
    return tree, origins


def _lay(
    below: dict[str, Any], above: dict[str, Any], layer: str, origins: dict[Path, str], at: Path
) -> None:
    for key, value in above.items():
        here = (*at, key)
        if isinstance(value, dict) and value:
            origins.pop(here, None)
            if not isinstance(below.get(key), dict):
                below[key] = {}
            _lay(below[key], value, layer, origins, here)
        elif isinstance(value, dict) and isinstance(below.get(key), dict):
            continue
        else:
            if isinstance(below.get(key), dict):
                for leaf in [path for path in origins if path[: len(here)] == here]:
                    del origins[leaf]
            below[key] = _copy(value)
            origins[here] = layer


def _copy(value: Any) -> Any:
    """Copy into plain types: a masterless minion's pillar has OrderedDicts, which YAML would not write."""
    if isinstance(value, dict):
        return {key: _copy(item) for key, item in value.items()}
    return [_copy(item) for item in value] if isinstance(value, list) else value


def get(tree: dict[str, Any], path: Path) -> Any:
    """Return what stands at `path`, or None where there is nothing."""
    for key in path:
        if not isinstance(tree, dict) or key not in tree:
            return None
        tree = tree[key]
    return tree
