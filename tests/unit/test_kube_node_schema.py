"""The pillar's keys: known ones alone, each of its type, none missing, and all of them written down."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import kube_node_merge
import kube_node_schema as schema
import pytest
import yaml

from unit.nodes import CA, compiled, faults, pillar, without

NETWORK_KEYS = "known here: calico, flannel, mtu, plugin, pod_subnet, registry"


def shape(tree: Any) -> Any:
    """Return the keys alone; what Kubernetes or the operator names below is a value here."""
    return {key: shape(value) for key, value in tree.items()} if isinstance(tree, dict) else None


def only_known(tree: dict[str, Any], known: dict[str, Any]) -> dict[str, Any]:
    """Return `tree` without what lies below the schema's own keys."""
    return {
        key: only_known(value, known[key]) if isinstance(known.get(key), dict) else None
        for key, value in tree.items()
    }


def test_the_smallest_pillar_is_sound():
    assert schema.check(pillar()) == (pillar(), [])


@pytest.mark.parametrize(
    ("tree", "message"),
    [
        (None, "kube_node: the pillar has no such tree, write it as pillar.example shows"),
        ({}, "kube_node: the pillar has no such tree, write it as pillar.example shows"),
        ([], "kube_node: [] is not a mapping, write it as pillar.example shows"),
        ("1.36.2", "kube_node: '1.36.2' is not a mapping, write it as pillar.example shows"),
        (False, "kube_node: False is not a mapping, write it as pillar.example shows"),
    ],
)
def test_no_tree_is_one_fault(tree: Any, message: str):
    assert faults(tree) == [message]


def nested(levels: int) -> Any:
    tree: Any = {}
    for _ in range(levels):
        tree = {"a": [tree]}
    return tree


@pytest.mark.parametrize("levels", [20, 5000])
def test_a_tree_without_end_is_one_fault(levels: int):
    message = "kube_node: nests deeper than 32 levels, write it as pillar.example shows"
    assert faults(pillar({"kubelet": {"config": nested(20)}}) | {"paths": nested(levels)}) == [message]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"versoin": "1.36.2"}, "versoin: is not a known key, did you mean version?"),
        ({"node": {"adresses": []}}, "node.adresses: is not a known key, did you mean addresses?"),
        (
            {"certificates": {"x": 1}},
            "certificates.x: is not a known key, known here: bootstrap_token, bootstrap_user, "
            "days, key, knock_seconds, kube_proxy, kubelet, mode, renew_days, subject, wait_seconds",
        ),
        (
            {"network": {5: 1}},
            f"network.5: is not a known key, {NETWORK_KEYS}",
        ),
        (
            {"network": {"a\nb": 1}},
            f"network.'a\\nb': is not a known key, {NETWORK_KEYS}",
        ),
        (
            {"network": {None: 1}},
            f"network.None: is not a known key, {NETWORK_KEYS}",
        ),
        (
            {"binaries": {"sha256": {"../kubelet": "a" * 64}}},
            "binaries.sha256.../kubelet: is not a known key, did you mean kubelet?",
        ),
        ({"node": {"labels": None}}, "node.labels: has no value, write one or leave the key out"),
        ({"node": None}, "node: None is not a mapping, write 'key: value' lines below it"),
        (
            {"kubelet": {"config": ["a"]}},
            "kubelet.config: ['a'] is not a mapping, write 'key: value' lines below it",
        ),
        ({"profile": "kubeasz"}, "profile: 'kubeasz' is not known, choose one of default, kubeasz-1.1"),
    ],
)
def test_a_slip_is_told_by_its_key(change: dict[str, Any], message: str):
    assert faults(pillar(change)) == [message]


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("version", "is missing, write the release to run, for instance 1.36.2"),
        ("cluster.name", "is missing, name the cluster, for instance production"),
        ("cluster.api_server", "is missing, write the API server's URL, https://HOST:PORT"),
        (
            "binaries.source",
            "is missing, write the folder that holds kubelet and kube-proxy, salt://kubernetes for instance",
        ),
        ("binaries.sha256.kubelet", "is missing, write the digest that sha256sum prints for the file"),
        ("binaries.sha256.kube-proxy", "is missing, write the digest that sha256sum prints for the file"),
    ],
)
def test_what_is_required_is_missed(path: str, message: str):
    assert faults(without(*path.split("."))) == [f"{path}: {message}"]


def test_what_is_required_and_wrong_is_one_fault():
    assert faults(pillar({"version": "latest"})) == [
        "version: 'latest' is not a full release, write it as X.Y.Z, for instance 1.36.2"
    ]


def test_what_is_required_below_something_wrong_is_not_missed_too():
    assert faults(pillar({"cluster": 5})) == [
        "cluster: 5 is not a mapping, write 'key: value' lines below it"
    ]


def test_a_key_with_a_fault_takes_nothing_of_its_neighbours():
    sound, _ = schema.check(pillar({"cluster": {"pod_cidr": "everywhere"}}))
    assert sound == pillar()


def test_the_defaults_have_the_schemas_keys_and_no_other(formula: Path):
    defaults = yaml.safe_load((formula / "kube_node/defaults.yaml").read_text())
    assert only_known(defaults, schema.SCHEMA) == shape(schema.SCHEMA)


def test_every_profile_has_its_file(formula: Path):
    assert sorted(path.stem for path in (formula / "kube_node/profiles").iterdir()) == sorted(schema.PROFILES)


@pytest.fixture(scope="module")
def example(formula: Path) -> str:
    """Return pillar.example with a whole certificate in place of the elided one."""
    text = (formula / "pillar.example").read_text()
    elided = "      -----BEGIN CERTIFICATE-----\n      …\n      -----END CERTIFICATE-----\n"
    assert elided in text
    return text.replace(elided, "".join(f"      {line}\n" for line in CA.splitlines()))


@pytest.fixture(scope="module")
def whole_example(example: str) -> str:
    """Return pillar.example with every key that stands in it as a comment."""
    return re.sub(r"(?m)^( *)# ( *(?:- )?[\w./-]+:(?: .*)?)$", r"\1\2", example)


def test_the_example_compiles(example: str):
    assert faults(yaml.safe_load(example)["kube_node"]) == []


def test_the_example_shows_every_key(whole_example: str):
    shown = yaml.safe_load(whole_example)["kube_node"]
    assert only_known(shown, schema.SCHEMA) == shape(schema.SCHEMA)


def test_the_example_shows_the_defaults(example: str, whole_example: str):
    shown = yaml.safe_load(whole_example)["kube_node"]
    # The token is the master's to give, certificates and their subject are the operator's, much of
    # a network is left to its plugin, few need a proxy, and two binaries are enough.
    for key in ("bootstrap_token", "bootstrap_user", "subject"):
        del shown["certificates"][key]
    for name in ("kubelet", "kube_proxy"):
        shown["certificates"][name] = {"from": shown["certificates"][name]["from"]}
    network = shown.pop("network")
    del shown["proxy"], shown["binaries"]["sha256"]["cri-dockerd"]
    for name in schema.PROGRAMS:
        del shown["binaries"][name]
    plain = compiled(yaml.safe_load(example)["kube_node"], id="worker-1")
    assert compiled(shown, id="worker-1") == plain
    assert kube_node_merge.merge([("", plain["network"]), ("", network)])[0] == network
    assert all(_is_default(network[key], value) for key, value in plain["network"].items())


def _is_default(shown: Any, value: Any) -> bool:
    """Tell whether an example shows the default; any may stand for none."""
    if isinstance(value, dict):
        return all(_is_default(shown[key], inner) for key, inner in value.items())
    return value is None or shown == value
