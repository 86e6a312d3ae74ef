"""Patches of every kind do to an object what upstream's would."""

from __future__ import annotations

import pytest
from lab.apiserver import patch
from lab.apiserver.status import ApiError

READY = {"type": "Ready", "status": "True"}
PRESSURE = {"type": "DiskPressure", "status": "False"}


@pytest.mark.parametrize(
    ("target", "change", "expected"),
    [
        ({"a": 1}, {"b": 2}, {"a": 1, "b": 2}),
        ({"a": 1}, {"a": None}, {}),
        ({"a": {"b": 1, "c": 2}}, {"a": {"b": None}}, {"a": {"c": 2}}),
        ({"a": [1, 2]}, {"a": [3]}, {"a": [3]}),
        ({"a": "text"}, {"a": {"b": {"c": None}}}, {"a": {"b": {}}}),
    ],
)
def test_a_merge_patch(target, change, expected):
    assert patch.merge(target, change) == expected


@pytest.mark.parametrize(
    ("target", "change", "expected"),
    [
        pytest.param(
            {"conditions": [READY, PRESSURE]},
            {"conditions": [{"type": "Ready", "status": "False"}]},
            {"conditions": [{"type": "Ready", "status": "False"}, PRESSURE]},
            id="conditions-by-type",
        ),
        pytest.param(
            {"conditions": [READY]},
            {
                "$setElementOrder/conditions": [{"type": "DiskPressure"}, {"type": "Ready"}],
                "conditions": [PRESSURE],
            },
            {"conditions": [PRESSURE, READY]},
            id="in-the-order-asked-for",
        ),
        pytest.param(
            {"conditions": [READY, PRESSURE]},
            {"conditions": [{"type": "Ready", "$patch": "delete"}]},
            {"conditions": [PRESSURE]},
            id="an-item-deleted",
        ),
        pytest.param(
            {"addresses": [{"type": "InternalIP", "address": "10.0.0.1"}]},
            {"addresses": [{"type": "Hostname", "address": "n1"}, {"$patch": "replace"}]},
            {"addresses": [{"type": "Hostname", "address": "n1"}]},
            id="addresses-replaced-as-kubelets-do",
        ),
        pytest.param(
            {"images": [{"names": ["a"]}]}, {"images": [{"names": ["b"]}]}, {"images": [{"names": ["b"]}]},
            id="a-list-without-a-key-is-replaced",
        ),
        pytest.param(
            {"finalizers": ["a"]}, {"finalizers": ["b"]}, {"finalizers": ["a", "b"]}, id="a-set-grows"
        ),
        pytest.param(
            {"finalizers": ["a", "b"]}, {"$deleteFromPrimitiveList/finalizers": ["a"]}, {"finalizers": ["b"]},
            id="one-out-of-a-set",
        ),
        pytest.param(
            {"strategy": {"type": "A", "a": 1}},
            {"strategy": {"$retainKeys": ["type"], "type": "B"}},
            {"strategy": {"type": "B"}},
            id="retain-keys",
        ),
        pytest.param({"a": {"b": 1}}, {"a": {"$patch": "replace", "c": 2}}, {"a": {"c": 2}}, id="replaced"),
        pytest.param(
            {"containers": [{"name": "a", "env": [{"name": "x", "value": "1"}], "image": "i"}]},
            {"containers": [{"name": "a", "env": [{"name": "x", "value": "2"}]}]},
            {"containers": [{"name": "a", "env": [{"name": "x", "value": "2"}], "image": "i"}]},
            id="lists-in-lists",
        ),
    ],
)  # fmt: skip
def test_a_strategic_merge_patch(target, change, expected):
    assert patch.strategic(target, change) == expected


@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        ({"op": "add", "path": "/b", "value": 2}, {"a": [1, 3], "b": 2}),
        ({"op": "add", "path": "/a/1", "value": 2}, {"a": [1, 2, 3]}),
        ({"op": "add", "path": "/a/-", "value": 4}, {"a": [1, 3, 4]}),
        ({"op": "replace", "path": "/a/0", "value": 9}, {"a": [9, 3]}),
        ({"op": "remove", "path": "/a/0"}, {"a": [3]}),
        ({"op": "move", "from": "/a", "path": "/b"}, {"b": [1, 3]}),
        ({"op": "copy", "from": "/a/0", "path": "/b"}, {"a": [1, 3], "b": 1}),
        ({"op": "test", "path": "/a/0", "value": 1}, {"a": [1, 3]}),
        ({"op": "add", "path": "/x~1y", "value": 1}, {"a": [1, 3], "x/y": 1}),
    ],
)
def test_a_json_patch(operation, expected):
    assert patch.json_patch({"a": [1, 3]}, [operation]) == expected


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "remove", "path": "/none"},
        {"op": "replace", "path": "/none", "value": 1},
        {"op": "test", "path": "/a/0", "value": 2},
        {"op": "shake", "path": "/a"},
        {"path": "/a"},
    ],
)
def test_a_json_patch_that_does_not_fit_is_refused(operation):
    with pytest.raises(ApiError) as refusal:
        patch.json_patch({"a": [1]}, [operation])
    assert refusal.value.code == 422


def test_a_patch_leaves_the_stored_object_alone():
    stored = {"a": [{"b": 1}]}
    patch.json_patch(stored, [{"op": "replace", "path": "/a/0/b", "value": 2}])
    assert stored == {"a": [{"b": 1}]}


def test_custom_kinds_take_no_strategic_patch(cluster):
    names = {"plural": "pools", "singular": "pool", "kind": "Pool"}
    version = {"name": "v1", "served": True, "storage": True}
    spec = {"group": "lab.io", "scope": "Cluster", "names": names, "versions": [version]}
    definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    cluster.make(definitions, {"metadata": {"name": "pools.lab.io"}, "spec": spec})
    cluster.make("/apis/lab.io/v1/pools", {"metadata": {"name": "a"}})
    header = {"Content-Type": "application/strategic-merge-patch+json"}
    answer = cluster.call("PATCH", "/apis/lab.io/v1/pools/a", {"spec": {}}, headers=header)
    assert answer.status_code == 415
    assert answer.json()["message"] == (
        "the body of the request was in an unknown format - accepted media types include: "
        "application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml"
    )


def test_a_patch_of_no_known_type_is_refused(cluster):
    cluster.config_map("a")
    answer = cluster.call("PATCH", "/api/v1/namespaces/default/configmaps/a", {})
    assert (answer.status_code, answer.json()["message"]) == (415, "415: Unsupported Media Type")


def test_a_patch_with_an_older_version_conflicts(cluster):
    made = cluster.config_map("a", x="1")
    path = "/api/v1/namespaces/default/configmaps/a"
    header = {"Content-Type": "application/merge-patch+json"}
    cluster.call("PATCH", path, {"data": {"x": "2"}}, headers=header)
    body = {"metadata": {"resourceVersion": made["metadata"]["resourceVersion"]}, "data": {"x": "3"}}
    assert cluster.call("PATCH", path, body, headers=header).status_code == 409
