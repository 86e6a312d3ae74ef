"""Server-side apply: each manager owns what it sent, and takes nothing from another unasked."""

from __future__ import annotations

import pytest
from lab.apiserver import apply as apply_module
from lab.apiserver.apply import apply
from lab.apiserver.status import ApiError

POD = "/api/v1/namespaces/default/configmaps/a"


def manager(name):
    return {"manager": name, "apiVersion": "v1"}


def applied(live, name, wanted, force=False):
    base = {"metadata": {"name": "a"}}
    return apply(live, {**base, **wanted}, manager(name), force, keyed=True)


def owners(found):
    return {entry["manager"]: entry["fieldsV1"] for entry in found["metadata"]["managedFields"]}


def test_a_manager_owns_what_it_sent():
    found = applied(None, "one", {"data": {"x": "1"}})
    assert found["data"] == {"x": "1"}
    assert owners(found) == {"one": {"f:data": {"f:x": {}}}}


def test_a_field_left_out_next_time_is_removed():
    found = applied(None, "one", {"data": {"x": "1", "y": "2"}})
    assert applied(found, "one", {"data": {"y": "2"}})["data"] == {"y": "2"}


def test_the_last_field_left_out_takes_its_parent_along():
    found = applied(None, "one", {"data": {"x": "1"}})
    assert "data" not in applied(found, "one", {})


def test_a_field_that_another_owns_too_stays():
    found = applied(None, "one", {"data": {"x": "1"}})
    found = applied(found, "two", {"data": {"x": "1"}})
    assert applied(found, "one", {})["data"] == {"x": "1"}


def test_fields_of_several_managers_live_together():
    found = applied(applied(None, "one", {"data": {"x": "1"}}), "two", {"data": {"y": "2"}})
    assert found["data"] == {"x": "1", "y": "2"}
    assert owners(found) == {"one": {"f:data": {"f:x": {}}}, "two": {"f:data": {"f:y": {}}}}


def test_another_value_for_anothers_field_conflicts():
    found = applied(None, "one", {"data": {"x": "1"}})
    with pytest.raises(ApiError) as refusal:
        applied(found, "two", {"data": {"x": "2"}})
    assert refusal.value.code == 409
    assert str(refusal.value) == 'Apply failed with 1 conflict: conflict with "one": .data.x'
    cause = {"reason": "FieldManagerConflict", "message": 'conflict with "one"', "field": ".data.x"}
    assert refusal.value.body["details"]["causes"] == [cause]


def test_several_conflicts_are_listed():
    found = applied(None, "one", {"data": {"x": "1", "y": "1"}})
    with pytest.raises(ApiError) as refusal:
        applied(found, "two", {"data": {"x": "2", "y": "2"}})
    assert str(refusal.value) == (
        'Apply failed with 2 conflicts: conflicts with "one":\n- .data.x\n- .data.y'
    )


def test_force_takes_the_field():
    found = applied(applied(None, "one", {"data": {"x": "1"}}), "two", {"data": {"x": "2"}}, force=True)
    assert found["data"] == {"x": "2"}
    assert owners(found) == {"two": {"f:data": {"f:x": {}}}}


def test_applying_the_same_again_later_is_no_change(monkeypatch):
    found = applied(applied(None, "one", {"data": {"x": "1"}}), "two", {"data": {"y": "2"}})
    monkeypatch.setattr(apply_module, "now", lambda: "2099-01-01T00:00:00Z")
    assert applied(found, "one", {"data": {"x": "1"}}) == found


def test_a_status_is_not_applied_with_the_object(cluster):
    header = {"Content-Type": "application/apply-patch+yaml"}
    body = {"spec": {"podCIDR": "10.0.0.0/24"}, "status": {"phase": "here"}}
    query = {"fieldManager": "one"}
    found = cluster.call("PATCH", "/api/v1/nodes/n1", body, headers=header, params=query).json()
    assert "status" not in found
    assert owners(found) == {"one": {"f:spec": {"f:podCIDR": {}}}}


def test_items_of_a_keyed_list_belong_to_those_who_sent_them():
    def spec(*containers):
        return {"spec": {"containers": [{"name": name, "image": image} for name, image in containers]}}

    found = applied(None, "one", spec(("a", "1"), ("b", "1")))
    found = applied(found, "two", spec(("c", "1")))
    found = applied(found, "one", spec(("a", "2")))
    assert found["spec"]["containers"] == [{"name": "a", "image": "2"}, {"name": "c", "image": "1"}]
    item = {".": {}, "f:image": {}, "f:name": {}}
    assert owners(found)["two"] == {"f:spec": {"f:containers": {'k:{"name":"c"}': item}}}


def test_a_field_in_a_keyed_list_conflicts_by_its_key():
    found = applied(None, "one", {"spec": {"containers": [{"name": "a", "image": "1"}]}})
    with pytest.raises(ApiError) as refusal:
        applied(found, "two", {"spec": {"containers": [{"name": "a", "image": "2"}]}})
    assert str(refusal.value).endswith('conflict with "one": .spec.containers[name="a"].image')


def test_other_lists_are_one_value():
    found = applied(None, "one", {"rules": [{"verbs": ["get"]}]})
    assert owners(found) == {"one": {"f:rules": {}}}
    assert applied(found, "one", {"rules": [{"verbs": ["list"]}]})["rules"] == [{"verbs": ["list"]}]


def test_an_object_made_otherwise_belongs_to_before_first_apply():
    live = {"metadata": {"name": "a", "uid": "u"}, "data": {"x": "1"}}
    found = applied(live, "one", {"data": {"y": "2"}})
    assert owners(found)["before-first-apply"] == {"f:data": {"f:x": {}}}
    with pytest.raises(ApiError, match='conflict with "before-first-apply" using v1'):
        applied(live, "one", {"data": {"x": "2"}})


def test_an_ordinary_write_takes_the_fields_it_changes(cluster):
    header = {"Content-Type": "application/apply-patch+yaml"}
    body = {"data": {"x": "1", "y": "1"}}
    cluster.call("PATCH", POD, body, headers=header, params={"fieldManager": "one"})
    change = {"data": {"x": "2"}}
    merge = {"Content-Type": "application/merge-patch+json", "User-Agent": "editor/1.0"}
    found = cluster.call("PATCH", POD, change, headers=merge).json()
    assert owners(found) == {"one": {"f:data": {"f:y": {}}}, "editor": {"f:data": {"f:x": {}}}}
    again = cluster.call("PATCH", POD, body, headers=header, params={"fieldManager": "one"})
    assert again.status_code == 409
    assert again.json()["message"].startswith(
        'Apply failed with 1 conflict: conflict with "editor" using v1 at '
    )


def test_apply_needs_a_manager(cluster):
    answer = cluster.call("PATCH", POD, {}, headers={"Content-Type": "application/apply-patch+yaml"})
    assert answer.status_code == 422
    assert answer.json()["message"] == (
        'PatchOptions.meta.k8s.io "" is invalid: fieldManager: Required value: is required for apply patch'
    )


def test_apply_takes_yaml(cluster):
    header = {"Content-Type": "application/apply-patch+yaml"}
    session = cluster.session()
    answer = session.patch(
        f"{cluster.url}{POD}?fieldManager=one", data="apiVersion: v1\ndata: {x: '1'}\n", headers=header
    )
    assert (answer.status_code, answer.json()["data"]) == (201, {"x": "1"})
