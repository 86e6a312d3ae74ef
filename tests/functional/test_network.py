"""What a machine is set up for, what is left of another network, and the rules of kube-proxy's mode."""

from __future__ import annotations

import importlib.util
import sys
from hashlib import sha256
from pathlib import Path
from types import ModuleType

import kube_node_kept
import kube_node_manifest
import pytest
from unit import manifests
from unit.nodes import pillar, sources

LEFT = {
    "files": ["/etc/cni/net.d/10-calico.conflist"],
    "links": ["vxlan.calico"],
    "routes": [],
    "iptables": "",
}
KUBE_PROXY = "/usr/local/bin/kube-proxy"


def loaded(formula: Path, name: str) -> ModuleType:
    """Return a module that is in no loader of Salt's, so that a test gives it what it calls."""
    spec = importlib.util.spec_from_file_location("loaded", formula / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def machine(formula: Path):
    """Return a function that has the state meet a machine set up for a network, and tells what it did."""

    def meet(before: str | None, runs: bool = False, test: bool = False):
        module, done = loaded(formula, "_states/kube_node_cni"), []
        module.__opts__ = {"test": test}
        module.__salt__ = {
            "kube_node_cni.before": lambda: before,
            "kube_node_cni.runs": lambda _: runs,
            "kube_node_cni.leftovers": lambda _: LEFT,
            "kube_node_cni.take_away": lambda network: done.append(f"{network} away"),
            "kube_node_cni.remember": lambda network: done.append(f"now {network}"),
        }
        return module.only("flannel"), done

    return meet


def test_a_machine_is_set_up_for_its_first_network(machine):
    found, done = machine(None)
    assert (found["result"], found["changes"]) == (True, {"network": {"old": None, "new": "flannel"}})
    assert done == ["now flannel"]


def test_a_machine_that_is_set_up_for_it_is_left_alone(machine):
    found, done = machine("flannel")
    assert (found["result"], found["changes"], done) == (True, {}, [])


def test_what_another_network_left_is_foretold(machine):
    found, done = machine("calico", test=True)
    assert (found["result"], set(found["changes"]), done) == (None, {"files", "links", "network"}, [])


def test_what_another_network_left_is_taken_away(machine):
    found, done = machine("calico")
    assert (found["result"], set(found["changes"])) == (True, {"files", "links", "network"})
    assert done == ["calico away", "now flannel"]


@pytest.mark.parametrize("test", [True, False])
def test_a_network_that_still_runs_is_left_alone(machine, test: bool):
    found, done = machine("calico", runs=True, test=test)
    assert (found["result"], found["changes"], done) == (True, {}, [])
    assert "kube_node.orchestrate.network" in found["comment"]


@pytest.fixture
def has_others(modules, node, tmp_path: Path, monkeypatch):
    """Return a function that asks whether another network is here, by files and a program that runs."""
    folder, processes = tmp_path / "net.d", tmp_path / "proc"
    network = {"plugin": "none", "pod_subnet": "172.20.1.0/24"}
    node(pillar({"paths": {"cni_config": str(folder)}, "network": network}))
    found = modules.kube_node_cni.has_others
    monkeypatch.setattr(sys.modules[found.__module__], "PROC", processes)

    def ask(files: list[str], program: str = "init") -> bool:
        for path in (*(folder / name for name in files), processes / "1" / "comm"):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{program}\n")
        return found()

    return ask


@pytest.mark.parametrize(
    ("files", "others"),
    [([], False), (["10-default.conf"], False), (["10-calico.conflist", "10-default.conf"], True)],
)
def test_the_bridge_is_not_laid_beside_another_network(has_others, files, others: bool):
    assert has_others(files) is others


@pytest.mark.parametrize(("program", "others"), [("init", False), ("flanneld", True)])
def test_what_is_left_of_the_network_before_makes_way_for_the_bridge(has_others, program, others: bool):
    kube_node_kept.write(kube_node_kept.NETWORK, "flannel\n")
    assert has_others(["10-flannel.conflist"], program) is others


@pytest.fixture
def proxy(formula: Path, tmp_path: Path):
    """Return a function that calls the state of kube-proxy's mode, and tells what was run."""

    def run(mode: str, test: bool = False, retcode: int = 0):
        module, done = loaded(formula, "_states/kube_node_proxy"), []
        module.__opts__ = {"test": test}

        def run_all(command: list[str], **_: object) -> dict:
            done.append(" ".join(command))
            return {"retcode": retcode, "stderr": "ip_vs is busy"}

        module.__salt__ = {"service.stop": lambda name: done.append(f"stop {name}"), "cmd.run_all": run_all}
        return module.mode(mode, KUBE_PROXY), done

    return run


def test_the_first_mode_needs_no_cleaning(proxy):
    found, done = proxy("iptables")
    assert (found["result"], found["changes"]) == (True, {"mode": {"old": None, "new": "iptables"}})
    assert done == []


def test_the_rules_of_another_mode_are_removed_once(proxy):
    proxy("iptables")
    foretold, none = proxy("nftables", test=True)
    found, done = proxy("nftables")
    assert (foretold["result"], none) == (None, [])
    assert foretold["changes"] == found["changes"] == {"mode": {"old": "iptables", "new": "nftables"}}
    assert done == ["stop kube-proxy", f"{KUBE_PROXY} --cleanup"]
    again, done = proxy("nftables")
    assert (again["changes"], done) == ({}, [])


def test_rules_that_could_not_be_removed_are_tried_again(proxy):
    proxy("iptables")
    assert proxy("ipvs", retcode=1)[0]["result"] is False
    assert proxy("ipvs", test=True)[0]["result"] is None


@pytest.fixture
def calico(formula: Path, modules, tmp_path: Path):
    """Return a function that reads calico's manifest from a file as the master does, with its digest."""

    def read(text: str, digest: str | None = None, there: bool = True):
        module = loaded(formula, "_modules/kube_node_network")
        module.__salt__ = modules
        file = tmp_path / "calico.yaml"
        if there:
            file.write_text(text)
        digest = digest or sha256(text.encode()).hexdigest()
        source = {"source": f"file://{file}", "sha256": digest}
        node = manifests.node(plugin="calico", calico={"manifest": source})
        return module._manifest(node, sources()["facts"], "1.36")[0]

    return read


def test_calicos_manifest_is_read_from_where_the_pillar_says(calico):
    assert len(calico(manifests.CALICO)) == len(manifests.calico())


@pytest.mark.parametrize(
    ("given", "fault"),
    [
        (
            {"text": manifests.CALICO, "digest": "0" * 64},
            r"network\.calico\.manifest\.sha256: 0{64} is not the",
        ),
        ({"text": "", "there": False}, r"network\.calico\.manifest\.source: "),
        ({"text": "a: ["}, r"is not YAML"),
        ({"text": "[]"}, r"is not a manifest"),
        ({"text": ""}, r"has no DaemonSet calico-node|has no ConfigMap calico-config"),
    ],
)
def test_a_manifest_that_is_none_is_refused(calico, given, fault: str):
    with pytest.raises(kube_node_manifest.ManifestError, match=fault):
        calico(**given)
