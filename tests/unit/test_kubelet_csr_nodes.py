"""The states of Nodes: asked for once, and anew where an old answer could let somebody in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import kubelet_csr_nodes
import pytest
from kube_api import ApiError
from kubelet_csr_nodes import BELIEVED_SECONDS, PATH, Nodes

READY = {"exists": True, "ready": True}
NOT_READY = {"exists": True, "ready": False}
ABSENT = {"exists": False, "ready": False}


def node(name: str, *conditions: dict[str, str]) -> dict[str, Any]:
    return {"metadata": {"name": name}, "status": {"conditions": list(conditions)}}


def ready(name: str, status: str = "True") -> dict[str, Any]:
    return node(name, {"type": "MemoryPressure", "status": "False"}, {"type": "Ready", "status": status})


class Api:
    """Some Nodes, and what was asked for."""

    def __init__(self, *nodes: dict[str, Any]) -> None:
        self.nodes = {one["metadata"]["name"]: one for one in nodes}
        self.asked: list[str] = []
        self.error: ApiError | None = None

    def request(self, method: str, path: str) -> dict[str, Any]:
        assert method == "GET"
        name = path.removeprefix(f"{PATH}/")
        self.asked.append(name)
        if self.error or name not in self.nodes:
            raise self.error or ApiError(404, "not found")
        return self.nodes[name]

    def items(self, path: str, keep: Callable[[dict[str, Any]], Any]) -> tuple[list[Any], str]:
        assert path == PATH
        self.asked.append("all")
        return [keep(node) for node in self.nodes.values()], "1"


@pytest.fixture
def clock(monkeypatch) -> list[float]:
    """The time, as the only item of a list, which a test may change."""
    time = [1000.0]
    monkeypatch.setattr(kubelet_csr_nodes.time, "monotonic", lambda: time[0])
    return time


@pytest.mark.parametrize(
    ("found", "state"),
    [
        (ready("n1"), READY),
        (ready("n1", "False"), NOT_READY),
        (ready("n1", "Unknown"), NOT_READY),
        (node("n1"), NOT_READY),
        (node("n1", {"type": "MemoryPressure", "status": "True"}), NOT_READY),
        ({"metadata": {"name": "n1"}}, NOT_READY),
        ({"metadata": {"name": "n1"}, "status": {"conditions": None}}, NOT_READY),
        (ready("n2"), ABSENT),
    ],
)
def test_the_state_is_that_of_the_node(found, state):
    assert Nodes(Api(found)).states({"n1": True}) == {"n1": state}


def test_nobody_is_asked_where_nothing_is_wanted():
    api = Api(ready("n1"))
    assert Nodes(api).states({}) == {}
    assert api.asked == []


def test_one_node_costs_one_question():
    api = Api(ready("n1"), ready("n2"))
    Nodes(api).states({"n1": True})
    assert api.asked == ["n1"]


def test_more_cost_one_list():
    api = Api(ready("n1"), ready("n2", "False"))
    assert Nodes(api).states(dict.fromkeys(("n1", "n2", "n3"), True)) == {
        "n1": READY,
        "n2": NOT_READY,
        "n3": ABSENT,
    }
    assert api.asked == ["all"]


def test_what_a_list_told_of_others_is_known():
    api = Api(*map(ready, ("n1", "n2", "n3")))
    nodes = Nodes(api)
    nodes.states({"n1": True, "n2": True})
    assert nodes.states({"n3": True}) == {"n3": READY}
    assert api.asked == ["all"]


@pytest.mark.parametrize(
    ("found", "hoped"),
    [(ready("n1"), True), (ready("n1", "False"), True), (ready("n1", "False"), False), (None, False)],
)
def test_the_answer_that_is_hoped_for_is_believed_for_a_while(clock, found, hoped):
    api = Api(*filter(None, [found]))
    nodes = Nodes(api)
    nodes.states({"n1": hoped})
    clock[0] += BELIEVED_SECONDS
    nodes.states({"n1": hoped})
    assert api.asked == ["n1"]


def test_an_answer_is_not_believed_for_longer(clock):
    api = Api()
    nodes = Nodes(api)
    nodes.states({"n1": False})
    clock[0] += BELIEVED_SECONDS + 1
    nodes.states({"n1": False})
    assert api.asked == ["n1", "n1"]


def test_a_ready_node_is_asked_for_anew_where_a_token_would_take_it_over():
    api = Api(ready("n1"))
    nodes = Nodes(api)
    nodes.states({"n1": False})
    api.nodes["n1"] = ready("n1", "False")
    assert nodes.states({"n1": False}) == {"n1": NOT_READY}


def test_an_absent_node_is_asked_for_anew_where_its_serving_certificate_waits():
    api = Api()
    nodes = Nodes(api)
    nodes.states({"n1": True})
    api.nodes["n1"] = ready("n1", "False")
    assert nodes.states({"n1": True}) == {"n1": NOT_READY}


def test_a_node_that_was_just_let_in_is_asked_for_anew():
    api = Api()
    nodes = Nodes(api)
    nodes.states({"n1": False})
    nodes.forget("n1")
    api.nodes["n1"] = ready("n1")
    assert nodes.states({"n1": False}) == {"n1": READY}


def test_a_node_that_was_never_asked_for_may_be_forgotten():
    Nodes(Api()).forget("n1")


@pytest.mark.parametrize("status", [0, 401, 403, 500])
def test_a_node_of_which_the_server_says_nothing_is_not_taken_for_absent(status):
    api = Api()
    api.error = ApiError(status, "no answer")
    with pytest.raises(ApiError, match="no answer"):
        Nodes(api).states({"n1": False})
