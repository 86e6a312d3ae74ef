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
        """The configuration file, or nothing where there is nothing to write or the minor has none."""
        if not self.config:
            return ""
        head = {"apiVersion": self.api_version, "kind": self.kind}
        return yaml.safe_dump(head | self.config, default_flow_style=False, sort_keys=False, width=1000)


@dataclass(frozen=True)
class _Accepted:
    """What a component of one minor accepts, what any minor does, and whether flags are preferred."""

    facts: dict[str, Any]
    component: str
    minor: str
    flags: dict[str, versions.Flag]
    fields: dict[str, versions.Field]
    setters: dict[str, versions.Flag]
    as_flags: bool

    @property
    def program(self) -> str:
        return self.component.replace("_", "-")

    def field(self, flag: Any) -> str | None:
        """The field that a flag of this minor sets too, None where there is no such flag or field."""
        return self.flags[flag].field if flag in self.flags else None


def place(component: str, tree: dict[str, Any], origins: dict[Path, str], facts: dict[str, Any]) -> Placement:
    """Place each setting of a component where its minor accepts it.

    What the pillar asks for and the minor lacks is a fault; what only defaults ask for is left out.

    Args:
        component: `kubelet` or `kube_proxy`.
        tree: the merged parameters.
        origins: the layer that set each value, by its path.
        facts: the content of versions/*.yaml by name.
    """
    accepted = _accepted(component, tree, facts)
    placement = Placement(
        api_version=versions.api_version(facts, component, accepted.minor), kind=KINDS[component]
    )
    asked = _asked(component, origins)
    fields = facts[component]["fields"]
    order = {name: place for place, name in enumerate(fields)}
    given = sorted(
        ((path, _dotted(path), value) for path, value in _settings(tree[component]["config"], fields)),
        key=lambda setting: order.get(setting[1], len(order)),
    )
    arguments = tree[component]["extra_args"]
    # A setting has two names where it has a field and a flag: what the pillar says by one silences the layers
    # below it that say it by the other.
    by_flag = {accepted.field(name) for name in arguments if ("extra_args", name) in asked}
    by_field = {dotted for path, dotted, _ in given if ("config", *path) in asked}
    for path, dotted, value in given:
        if dotted in by_field or dotted not in by_flag:
            _place_setting(placement, accepted, path, value, dotted in by_field)
    for name, value in arguments.items():
        if ("extra_args", name) in asked:
            _place_flag(placement, accepted, name, value, by_field)
        elif accepted.field(name) not in by_field and not _flag_fault(accepted, name, value):
            placement.flags[name] = _word(value)
    if not placement.config:
        placement.flags.pop("config", None)
    return placement


def _accepted(component: str, tree: dict[str, Any], facts: dict[str, Any]) -> _Accepted:
    minor = versions.minor(tree["version"])
    flags = versions.flags(facts, component, minor)
    fields = versions.fields(facts, component, minor)
    setters = {path: flags[entry.flag] for path, entry in fields.items() if entry.flag} | {
        flag.field: flag for flag in reversed(flags.values()) if flag.field and flag.field not in fields
    }
    as_flags = tree[component]["settings_as"] == "flags"
    return _Accepted(facts, component, minor, flags, fields, setters, as_flags)


def _asked(component: str, origins: dict[Path, str]) -> set[Path]:
    """Return the paths below `component` at or below which the pillar says something."""
    leaves = [path[1:] for path, layer in origins.items() if layer == "pillar" and path[:1] == (component,)]
    return {path[:length] for path in leaves for length in range(1, len(path) + 1)}


def _dotted(path: Path) -> str:
    return ".".join(map(types.shown_key, path))


def _word(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _place_setting(placement: Placement, accepted: _Accepted, path: Path, value: Any, asked: bool) -> None:
    dotted = _dotted(path)
    known, flag = accepted.fields.get(dotted), accepted.setters.get(dotted)
    if dotted not in accepted.facts[accepted.component]["fields"]:
        names = [name for name in accepted.facts[accepted.component]["fields"] if "[]" not in name]
        message = f"is not a field of {placement.kind}, {nearest(dotted, names)}"
    elif dotted.count(".") >= len(path):
        message = "has a dot in a key, write each part below the one before"
    elif known is None and flag is None:
        message = _lacking(accepted, "field", dotted)
    elif flag is None and accepted.as_flags and accepted.component == "kube_proxy":
        # With a file kube-proxy ignores the flags beside it (kube_proxy.yaml, config_file).
        message = "has no flag, and kube-proxy takes none beside a file: set kube_proxy.settings_as to file"
    else:
        kind, choices = (known.type, known.values) if known else (flag.type, ())
        message = values.fault(kind, choices, value, dotted) or _items_fault(accepted, dotted, kind, value)
    if message:
        if asked:
            placement.faults.append(Fault(f"{accepted.component}.config.{dotted}", message))
    elif known and placement.api_version and not (flag and accepted.as_flags):
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


def _place_flag(placement: Placement, accepted: _Accepted, name: Any, value: Any, by_field: set[str]) -> None:
    message = _flag_fault(accepted, name, value)
    if not message and accepted.field(name) in by_field:
        message = f"says what {accepted.component}.config.{accepted.field(name)} says, keep that one"
    if not message:
        placement.flags[name] = _word(value)
    else:
        placement.faults.append(Fault(f"{accepted.component}.extra_args.{types.shown_key(name)}", message))


def _flag_fault(accepted: _Accepted, name: Any, value: Any) -> str | None:
    flag = accepted.flags.get(name)
    if name not in accepted.facts[accepted.component]["flags"]:
        return f"is not a flag of {accepted.program}, {nearest(name, list(accepted.flags))}"
    if flag is None:
        return _lacking(accepted, "flag", name)
    if _overlooked(accepted, flag):
        field = f"{accepted.component}.config.{flag.field}"
        return f"is overlooked beside a configuration file, write {field} instead"
    return values.argument(flag.type, value)


def _overlooked(accepted: _Accepted, flag: versions.Flag) -> bool:
    """Tell whether kube-proxy, which has a file in every minor, would ignore a flag without a word."""
    if accepted.component != "kube_proxy" or accepted.as_flags or flag.field not in accepted.fields:
        return False
    return not flag.field.startswith("logging.") and flag.name not in ("hostname-override", "v", "vmodule")


def _lacking(accepted: _Accepted, kind: str, name: str) -> str:
    span = versions.lifetime(accepted.facts, accepted.component, kind, name)
    return f"is a {kind} of {span}, which {accepted.minor} does not have: remove it or choose another version"


def _settings(config: dict[str, Any], known: dict[str, Any], at: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Yield each setting: what is an object in the facts is walked, anything else is one value."""
    for key, value in config.items():
        path = (*at, key)
        line = known.get(_dotted(path))
        if isinstance(line, dict) and line["type"] == "object" and isinstance(value, dict):
            yield from _settings(value, known, path)
        else:
            yield path, value


def _put(config: dict[str, Any], path: Path, value: Any) -> None:
    for key in path[:-1]:
        config = config.setdefault(key, {})
    config[path[-1]] = value
