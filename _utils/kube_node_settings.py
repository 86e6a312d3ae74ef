"""Turns a component's settings into its command line and its configuration file, whichever its minor accepts.

Pure: no Salt, no I/O. An operator writes KubeletConfiguration's and KubeProxyConfiguration's own field names
for every minor; the facts say which are fields there and which are flags.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import kube_node_types as types
import kube_node_values as values
import kube_node_versions as versions
import yaml
from kube_node_merge import Path
from kube_node_schema import Fault, nearest
from kube_node_units import word

COMPONENTS = ("kubelet", "kube_proxy")
KINDS = {"kubelet": "KubeletConfiguration", "kube_proxy": "KubeProxyConfiguration"}


@dataclass
class Placement:
    """Where a component's settings went, and what could not go anywhere."""

    flags: dict[str, str] = field(default_factory=dict)
    config: dict[str, Any] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    api_version: str | None = None
    kind: str = ""

    @property
    def arguments(self) -> list[str]:
        """The command line's options, one a word, as a systemd unit has them."""
        return [word(f"--{name}={value}") for name, value in sorted(self.flags.items())]

    @property
    def config_yaml(self) -> str:
        """The configuration file, or nothing where the minor has none."""
        if self.api_version is None:
            return ""
        head = {"apiVersion": self.api_version, "kind": self.kind}
        return yaml.safe_dump(head | self.config, default_flow_style=False, sort_keys=False, width=1000)


@dataclass(frozen=True)
class _Accepted:
    """What a component of one minor accepts, and what any minor does."""

    facts: dict[str, Any]
    component: str
    minor: str
    flags: dict[str, versions.Flag]
    fields: dict[str, versions.Field]
    setters: dict[str, versions.Flag]


def place(component: str, tree: dict[str, Any], origins: dict[Path, str], facts: dict[str, Any]) -> Placement:
    """Place each setting of a component where its minor accepts it.

    What the pillar asks for and the minor lacks is a fault; what only defaults ask for is left out.

    Args:
        component: `kubelet` or `kube_proxy`.
        tree: the merged parameters.
        origins: the layer that set each value, by its path.
        facts: the content of versions/*.yaml by name.
    """
    minor = versions.minor(tree["version"])
    placement = Placement(api_version=versions.api_version(facts, component, minor), kind=KINDS[component])
    flags = versions.flags(facts, component, minor)
    fields = versions.fields(facts, component, minor)
    setters = {path: flags[entry.flag] for path, entry in fields.items() if entry.flag} | {
        flag.field: flag for flag in reversed(flags.values()) if flag.field and flag.field not in fields
    }
    accepted = _Accepted(facts, component, minor, flags, fields, setters)
    for path, value in _settings(tree[component]["config"], facts[component]["fields"]):
        asked = _asked(origins, (component, "config", *path))
        _place_setting(placement, accepted, path, value, asked)
    for name, value in tree[component]["extra_args"].items():
        asked = _asked(origins, (component, "extra_args", name))
        _place_flag(placement, accepted, name, value, asked)
    return placement


def _place_setting(placement: Placement, accepted: _Accepted, path: Path, value: Any, asked: bool) -> None:
    dotted = ".".join(map(types.shown_key, path))
    known, flag = accepted.fields.get(dotted), accepted.setters.get(dotted)
    if dotted not in accepted.facts[accepted.component]["fields"]:
        names = [name for name in accepted.facts[accepted.component]["fields"] if "[]" not in name]
        message = f"is not a field of {placement.kind}, {nearest(dotted, names)}"
    elif dotted.count(".") >= len(path):
        message = "has a dot in a key, write each part below the one before"
    elif known is None and flag is None:
        message = _lacking(accepted, "field", dotted)
    else:
        kind, choices = (known.type, known.values) if known else (flag.type, ())
        message = values.fault(kind, choices, value) or _items_fault(accepted, dotted, kind, value)
    if message:
        if asked:
            placement.faults.append(Fault(f"{accepted.component}.config.{dotted}", message))
    elif known and placement.api_version:
        _put(placement.config, path, versions.in_file(known, value))
    else:
        placement.flags[flag.name] = versions.as_flag(flag, value)


def _items_fault(accepted: _Accepted, dotted: str, kind: str, items: Any) -> str | None:
    """Return what is wrong within a list of objects; all their keys are wanted, and no other."""
    if kind not in values.OBJECT_LISTS:
        return None
    newest = versions.minors(accepted.facts)[-1]
    # A minor that sets the list by a flag has no fields for what is in it.
    known = _item_fields(accepted.fields, dotted) or _item_fields(
        versions.fields(accepted.facts, accepted.component, newest), dotted
    )
    for item in items:
        if set(item) != set(known):
            wanted = ", ".join(f"{key}: …" for key in known)
            return f"{types.shown(item)} is not an item of this list, write {{{wanted}}}"
        for key, entry in known.items():
            if fault := values.fault(entry.type, entry.values, item[key]):
                return f"{key}: {fault}"
    return None


def _item_fields(fields: dict[str, versions.Field], dotted: str) -> dict[str, versions.Field]:
    head = f"{dotted}[]."
    return {path.removeprefix(head): entry for path, entry in fields.items() if path.startswith(head)}


def _place_flag(placement: Placement, accepted: _Accepted, name: Any, value: Any, asked: bool) -> None:
    if name not in accepted.facts[accepted.component]["flags"]:
        program = accepted.component.replace("_", "-")
        message = f"is not a flag of {program}, {nearest(name, list(accepted.flags))}"
    elif name not in accepted.flags:
        message = _lacking(accepted, "flag", name)
    else:
        message = values.argument(value)
    if not message:
        placement.flags[name] = str(value).lower() if isinstance(value, bool) else str(value)
    elif asked:
        placement.faults.append(Fault(f"{accepted.component}.extra_args.{types.shown_key(name)}", message))


def _lacking(accepted: _Accepted, kind: str, name: str) -> str:
    span = versions.lifetime(accepted.facts, accepted.component, kind, name)
    return f"is a {kind} of {span}, which {accepted.minor} does not have: remove it or choose another version"


def _settings(config: dict[str, Any], known: dict[str, Any], at: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Yield each setting: what is an object in the facts is walked, anything else is one value."""
    for key, value in config.items():
        path = (*at, key)
        line = known.get(".".join(map(types.shown_key, path)))
        if isinstance(line, dict) and line["type"] == "object" and isinstance(value, dict):
            yield from _settings(value, known, path)
        else:
            yield path, value


def _asked(origins: dict[Path, str], path: Path) -> bool:
    return any(layer == "pillar" for leaf, layer in origins.items() if leaf[: len(path)] == path)


def _put(config: dict[str, Any], path: Path, value: Any) -> None:
    for key in path[:-1]:
        config = config.setdefault(key, {})
    config[path[-1]] = value
