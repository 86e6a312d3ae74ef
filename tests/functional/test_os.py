"""The states of the host: modules before the parameters they bring, packages left out, swap off in words."""

from __future__ import annotations

import importlib.util
from types import ModuleType

import pytest
from unit.nodes import pillar

# Of no kernel, so it is not yet as it should be.
UNSET = {"net.ipv4.no_such": 1}

pytestmark = pytest.mark.usefixtures("node")


def run(modules, node, os: dict | None = None) -> list[dict]:
    """Return the states of the host, one after the other."""
    node(pillar({"os": os or {}}))
    return modules.state.show_low_sls("kube_node.os")


def test_modules_come_before_the_parameters_that_they_bring(modules, node):
    chunks = run(modules, node, {"sysctl": UNSET})
    kinds = [chunk["state"] for chunk in chunks if chunk["state"] in ("kmod", "sysctl")]
    # What is built into this machine's kernel has no state.
    assert "sysctl" in kinds
    assert kinds == sorted(kinds)


def test_every_parameter_requires_the_modules(modules, node):
    chunks = run(modules, node, {"sysctl": UNSET})
    required = [chunk["require"] for chunk in chunks if chunk["state"] == "sysctl"]
    assert required
    assert all({"sls": "kube_node.os.modules"} in one for one in required)


def test_packages_are_left_to_somebody_else_by_an_empty_list(modules, node):
    assert [
        chunk["__id__"] for chunk in run(modules, node, {"packages": []}) if chunk["state"] == "pkg"
    ] == []


@pytest.mark.parametrize(("swap", "states"), [("keep", 0), ("off", 1), (False, 1)])
def test_swap_is_turned_off_where_the_pillar_says_so(modules, node, swap, states: int):
    assert (
        len([chunk for chunk in run(modules, node, {"swap": swap}) if chunk["fun"] == "swap_off"]) == states
    )


@pytest.fixture
def swapping(formula):
    """Return a function that has the states' module meet a machine with two swaps, and those turned off."""

    def meet(test: bool = False, stuck: tuple[str, ...] = ()) -> tuple[ModuleType, list[str]]:
        spec = importlib.util.spec_from_file_location("states", formula / "_states/kube_node.py")
        module, turned_off = importlib.util.module_from_spec(spec), []
        spec.loader.exec_module(module)

        def swapoff(name: str) -> bool:
            turned_off.append(name)
            return name not in stuck

        module.__opts__ = {"test": test}
        module.__salt__ = {
            "mount.swaps": lambda: {"/dev/zram0": {}, "/dev/sda2": {}},
            "mount.swapoff": swapoff,
        }
        return module, turned_off

    return meet


def test_all_swap_is_turned_off_at_once(swapping):
    states, turned_off = swapping()
    result = states.swap_off("swap-off")
    assert (result["result"], turned_off) == (True, ["/dev/sda2", "/dev/zram0"])
    assert result["changes"] == dict.fromkeys(turned_off, "no longer swapped to")


def test_a_test_run_predicts_it_and_turns_nothing_off(swapping):
    states, turned_off = swapping(test=True)
    result = states.swap_off("swap-off")
    assert (result["result"], turned_off) == (None, [])
    assert list(result["changes"]) == ["/dev/sda2", "/dev/zram0"]


def test_swap_that_cannot_be_turned_off_is_told(swapping):
    states, _ = swapping(stuck=("/dev/sda2",))
    result = states.swap_off("swap-off")
    assert (result["result"], result["comment"]) == (
        False,
        "/dev/sda2 is still swapped to, there may be too little memory for what lies in it",
    )
