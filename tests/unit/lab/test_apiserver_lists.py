"""Lists come whole or in pages of one moment, and only what was selected."""

from __future__ import annotations

import pytest

from unit.lab.apiserver_cluster import CLIENT, CSRS, SERVING

MAPS = "/api/v1/namespaces/default/configmaps"


def names(found: dict) -> list[str]:
    return [one["metadata"]["name"] for one in found["items"]]


@pytest.fixture
def five(cluster):
    for name in "abcde":
        cluster.make(
            MAPS, {"metadata": {"name": name, "labels": {"letter": name, "vowel": str(name in "ae")}}}
        )
    return cluster


def test_a_list_has_the_version_of_its_moment(five):
    found = five.read(MAPS)
    newest = max(int(one["metadata"]["resourceVersion"]) for one in found["items"])
    assert (found["kind"], found["apiVersion"]) == ("ConfigMapList", "v1")
    assert int(found["metadata"]["resourceVersion"]) == newest


def test_items_of_built_in_kinds_come_without_kind_and_version_as_upstream(five):
    assert all(not {"kind", "apiVersion"} & one.keys() for one in five.read(MAPS)["items"])


def test_all_namespaces_are_listed_together(five):
    five.make("/api/v1/namespaces/kube-public/configmaps", {"metadata": {"name": "z"}})
    assert names(five.read("/api/v1/configmaps")) == ["a", "b", "c", "d", "e", "z"]


def test_pages_together_are_the_whole(five):
    first = five.read(f"{MAPS}?limit=2")
    second = five.read(f"{MAPS}?limit=2&continue={first['metadata']['continue']}")
    third = five.read(f"{MAPS}?limit=2&continue={second['metadata']['continue']}")
    assert [names(page) for page in (first, second, third)] == [["a", "b"], ["c", "d"], ["e"]]
    assert first["metadata"]["remainingItemCount"] == 3
    assert "continue" not in third["metadata"]


def test_a_later_page_shows_the_moment_of_the_first(five):
    first = five.read(f"{MAPS}?limit=2")
    five.call("DELETE", f"{MAPS}/c")
    five.config_map("bb")
    five.call("PUT", f"{MAPS}/d", {"metadata": {"name": "d"}, "data": {"changed": "yes"}})
    second = five.read(f"{MAPS}?limit=9&continue={first['metadata']['continue']}")
    assert names(second) == ["c", "d", "e"]
    assert all("data" not in one for one in second["items"])
    assert second["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]


def test_a_page_of_a_forgotten_list_has_expired(five):
    token = five.read(f"{MAPS}?limit=2")["metadata"]["continue"]
    five.config_map("f")
    five.call("POST", "/lab/compact")
    answer = five.call("GET", f"{MAPS}?limit=2&continue={token}")
    assert (answer.status_code, answer.json()["reason"]) == (410, "Expired")
    assert answer.json()["message"] == (
        "The provided continue parameter is too old to display a consistent list result. You must start "
        "a new list without the continue parameter."
    )


def test_a_made_up_continue_token_is_refused(cluster):
    answer = cluster.call("GET", f"{MAPS}?limit=2&continue=nonsense")
    assert answer.status_code == 400
    assert answer.json()["message"].startswith("invalid continue token: continue key is not valid: ")


def test_a_list_of_an_exact_past_version_is_told_again(five):
    then = five.read(MAPS)["metadata"]["resourceVersion"]
    five.call("DELETE", f"{MAPS}/a")
    found = five.read(f"{MAPS}?resourceVersion={then}&resourceVersionMatch=Exact")
    assert names(found) == ["a", "b", "c", "d", "e"]


def test_a_limit_is_a_number(cluster):
    answer = cluster.call("GET", f"{MAPS}?limit=x")
    assert (answer.status_code, answer.json()["message"]) == (
        400,
        'strconv.ParseInt: parsing "x": invalid syntax',
    )


def test_a_list_of_the_watch_cache_has_no_pages(five):
    assert len(five.read(f"{MAPS}?resourceVersion=0&limit=2")["items"]) == 5


def test_a_version_of_the_future_times_out(cluster):
    answer = cluster.call("GET", f"{MAPS}?resourceVersion=99999")
    assert answer.status_code == 504
    assert answer.json()["message"].startswith("Timeout: Too large resource version: 99999, current: ")


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        ("letter=a", ["a"]),
        ("letter==a", ["a"]),
        ("letter!=a", ["b", "c", "d", "e"]),
        ("vowel=True,letter!=a", ["e"]),
        ("letter in (a, b)", ["a", "b"]),
        ("letter notin (a,b),vowel", ["c", "d", "e"]),
        ("!letter", []),
        ("letter", ["a", "b", "c", "d", "e"]),
    ],
)
def test_a_label_selector_selects(five, selector, expected):
    assert names(five.call("GET", MAPS, params={"labelSelector": selector}).json()) == expected


def test_a_field_selector_selects_by_name(five):
    assert names(five.read(f"{MAPS}?fieldSelector=metadata.name%3Db")) == ["b"]
    assert names(five.read(f"{MAPS}?fieldSelector=metadata.name!%3Db")) == ["a", "c", "d", "e"]


def test_a_field_selector_selects_csrs_by_signer(cluster):
    for signer in (CLIENT, SERVING, CLIENT):
        cluster.request_certificate(cluster.session("joe", "system:masters"), signerName=signer)
    found = cluster.call("GET", CSRS, params={"fieldSelector": f"spec.signerName={SERVING}"}).json()
    assert [one["spec"]["signerName"] for one in found["items"]] == [SERVING]


def test_a_field_that_is_not_indexed_is_refused(cluster):
    answer = cluster.call("GET", CSRS, params={"fieldSelector": "spec.username=joe"})
    assert (answer.status_code, answer.json()["message"]) == (400, "field label not supported: spec.username")


def test_pages_go_together_with_selectors(five):
    query = {"labelSelector": "vowel=False", "limit": 2}
    first = five.call("GET", MAPS, params=query).json()
    second = five.call("GET", MAPS, params={**query, "continue": first["metadata"]["continue"]}).json()
    assert (names(first), names(second)) == (["b", "c"], ["d"])
    assert "remainingItemCount" not in first["metadata"]


def test_initial_events_cannot_be_asked_of_a_list(cluster):
    answer = cluster.call("GET", f"{MAPS}?sendInitialEvents=true")
    assert answer.json()["message"] == (
        'ListOptions.meta.k8s.io "" is invalid: sendInitialEvents: Forbidden: '
        "sendInitialEvents is forbidden for list"
    )
