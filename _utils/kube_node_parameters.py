"""From the pillar to the parameters of one node: layers, derived values, checks, and what the templates need.

Pure: no Salt, no I/O. `compile_node` is the one way in.
"""

from __future__ import annotations

from typing import Any

import kube_node_beacon as beacon
import kube_node_cgroups as cgroups
import kube_node_checks as checks
import kube_node_derived as derived
import kube_node_files as files
import kube_node_needs as needs
import kube_node_programs as programs
import kube_node_proxy as proxy
import kube_node_schema as schema
import kube_node_settings as settings
import kube_node_static as static
import kube_node_versions as versions
from kube_node_merge import Path, merge
from kube_node_schema import Fault

Layer = tuple[str, dict[str, Any]]


class ParameterError(ValueError):
    """The pillar cannot be used; `faults` says all that is wrong with it."""

    def __init__(self, faults: list[Fault]) -> None:
        self.faults = sorted(set(faults))
        super().__init__("\n".join(map(str, self.faults)))


def compile_node(pillar: Any, machine: dict[str, Any], sources: dict[str, Any]) -> dict[str, Any]:
    """Return the parameters of one node.

    Args:
        pillar: what stands under `kube_node` in the minion's pillar.
        machine: what the machine itself tells: `{id, address, salt_call}` (minion id, address of the default
            route's interface or None, how to call salt-call), and where it is known `os_family`, `os_release`
            `processor` and `kernel` (Salt's grains os_family, osfinger, cpuarch and kernelrelease) and
            `resolv_conf` (the file that names the real DNS servers, where /etc/resolv.conf does not) and
            `network_managers` (those of NetworkManager and systemd-networkd that run).
        sources: the formula's own data as `kube_node_sources.load` returns it.

    Returns:
        The tree of defaults.yaml with every value final, and beside them what the templates and states need:
        `files`, of `binaries` what `kube_node_programs.rooms` returns, `certificates.static` (as
        `kube_node_static.wanted` returns it), of `kubelet` and `kube_proxy` `arguments`, `config_yaml`,
        `client_certificate` and `client_key`, of `kubelet` `waiting_key`, `certificates` (client, then
        serving where that is asked for), `beacon` and `cgroups`, of `runtime` `unit`, `schema`,
        `kubelet_endpoint` and `systemd_cgroup`, `os.swap_off`, `os.network_managers`, `preflight.needs`,
        `proxy.environment` and `node.salt_call`.

    Raises:
        ParameterError: with all faults of the pillar.
    """
    return explain_node(pillar, machine, sources)[0]


def explain_node(
    pillar: Any, machine: dict[str, Any], sources: dict[str, Any]
) -> tuple[dict[str, Any], dict[Path, str]]:
    """Return what `compile_node` does, and the name of the layer that set each value, by its path."""
    facts = sources["facts"]
    sound, faults = schema.check(pillar)
    release = sound.get("version")
    faults += checks.version(release, facts)
    known = release is not None and not any(fault.path == "version" for fault in faults)
    tree, origins = _merged(sound, machine, sources, versions.minor(release) if known else None)
    faults += schema.missing(tree, faults)
    faults += programs.faults(tree, faults)
    if not known:
        raise ParameterError(faults)
    placed = {component: settings.place(component, tree, origins, facts) for component in settings.COMPONENTS}
    faults += [fault for placement in placed.values() for fault in placement.faults]
    faults += checks.contradictions(tree, origins, facts, faults)
    if faults:
        raise ParameterError(faults)
    for component, placement in placed.items():
        tree[component] |= {"arguments": placement.arguments, "config_yaml": placement.config_yaml}
    return _with_rooms(tree, sources), origins


def _merged(
    sound: dict[str, Any], machine: dict[str, Any], sources: dict[str, Any], minor: str | None
) -> tuple[dict[str, Any], dict[Path, str]]:
    """Lay all layers over one another; without a known minor nothing is derived."""
    name = sound.get("profile", sources["defaults"]["profile"])
    below: list[Layer] = [("defaults", sources["defaults"])]
    profile = (f"profile {name}", _of_minor(sources["profiles"][name], minor))
    above: list[Layer] = [*_system(machine, sources["os_families"]), ("pillar", sound)]
    merged = merge([*below, profile, *above])
    if minor is None:
        return merged
    above.insert(-1, ("binaries", programs.layer(merged[0])))
    above.insert(0, (profile[0], _filled(profile[1], _words(merged[0], machine))))
    for derive in (derived.basics, derived.settings):
        merged = merge([*below, *above])
        below.append(("derived", derive(merged[0], machine, sources["facts"])))
    return merge([*below, *above])


def _system(machine: dict[str, Any], families: dict[str, Any]) -> list[Layer]:
    """Return the layers of the machine's operating system and processor, as far as they are known."""
    keys = (
        ("OS family", "families", machine.get("os_family")),
        ("OS release", "releases", machine.get("os_release")),
        ("processor", "architectures", machine.get("processor")),
    )
    return [(f"{what} {key}", families[table][key]) for what, table, key in keys if key in families[table]]


def _of_minor(profile: dict[str, Any], minor: str | None) -> dict[str, Any]:
    """Return a profile as it is for one minor: with what stands under `until`, up to that minor."""
    always = {key: value for key, value in profile.items() if key != "until"}
    parts = [
        (last, part)
        for last, part in profile.get("until", {}).items()
        if minor and versions.parse(minor) <= versions.parse(last)
    ]
    return merge([("always", always), *parts])[0]


def _words(tree: dict[str, Any], machine: dict[str, Any]) -> dict[str, str | None]:
    """Return what the words in braces of a profile stand for."""
    addresses = tree["node"]["addresses"] or [machine["address"]]
    return {"{address}": addresses[0], "{architecture}": tree["node"]["architecture"]}


def _filled(profile: Any, words: dict[str, str | None]) -> Any:
    """Put `words` into the texts of a profile; a text that needs an unknown one is None."""
    if isinstance(profile, dict):
        return {key: _filled(value, words) for key, value in profile.items()}
    if not isinstance(profile, str):
        return profile
    for word, text in words.items():
        if word in profile:
            return None if text is None else profile.replace(word, text)
    return profile


def _with_rooms(tree: dict[str, Any], sources: dict[str, Any]) -> dict[str, Any]:
    """Add what the states of each room walk: the needs, the packages, the binaries and the files."""
    facts = sources["facts"]
    tree["kubelet"]["cgroups"] = cgroups.reserved(tree, facts)
    tree["os"]["packages"] = needs.packages(tree)
    tree["preflight"]["needs"] = needs.preflight(tree, list(sources["os_families"]["families"]), facts)
    tree["kubelet"]["beacon"] = beacon.config(tree)
    tree["binaries"] |= programs.rooms(tree)
    tree["proxy"]["environment"] = proxy.environment(tree)
    tree["certificates"]["static"] = static.wanted(tree)
    tree["files"] = files.by_room(tree)
    tree["brought"] = files.brought(tree)
    return tree
