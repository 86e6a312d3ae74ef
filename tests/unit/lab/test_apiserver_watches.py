"""A watch tells every change once, in order, from where its client left off."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from lab.apiserver import reads

MAPS = "/api/v1/namespaces/default/configmaps"


class Watch:
    """An open watch; `next()` waits for one event."""

    def __init__(self, cluster: Any, query: str) -> None:
        self.answer = cluster.session().get(f"{cluster.url}{MAPS}?watch=1&{query}", stream=True, timeout=20)
        assert self.answer.status_code == 200, self.answer.text
        self.lines = self.answer.iter_lines(chunk_size=1)

    def next(self) -> tuple[str, dict[str, Any]]:
        event = json.loads(next(self.lines))
        return event["type"], event["object"]

    def seen(self) -> tuple[str, str]:
        kind, found = self.next()
        return kind, found["metadata"]["name"]


@contextlib.contextmanager
def watching(cluster: Any, query: str = "") -> Iterator[Watch]:
    watch = Watch(cluster, query)
    try:
        yield watch
    finally:
        watch.answer.close()


def change(cluster: Any, name: str, **data: str) -> dict[str, Any]:
    answer = cluster.call("PUT", f"{MAPS}/{name}", {"metadata": {"name": name}, "data": data})
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_a_watch_tells_of_making_changing_and_deleting(cluster):
    with watching(cluster) as watch:
        cluster.config_map("a")
        change(cluster, "a", x="1")
        cluster.call("DELETE", f"{MAPS}/a")
        assert [watch.seen() for _ in range(3)] == [("ADDED", "a"), ("MODIFIED", "a"), ("DELETED", "a")]


def test_a_watch_without_a_version_begins_with_what_is_there(cluster):
    cluster.config_map("a")
    with watching(cluster) as watch:
        assert watch.seen() == ("ADDED", "a")


def test_a_watch_goes_on_where_a_list_ended(cluster):
    cluster.config_map("a")
    version = cluster.read(MAPS)["metadata"]["resourceVersion"]
    cluster.config_map("b")
    with watching(cluster, f"resourceVersion={version}") as watch:
        assert watch.seen() == ("ADDED", "b")


def test_a_watch_resumes_after_the_last_event_it_saw(cluster):
    with watching(cluster) as watch:
        cluster.config_map("a")
        _, seen = watch.next()
    change(cluster, "a", x="1")
    cluster.config_map("b")
    with watching(cluster, f"resourceVersion={seen['metadata']['resourceVersion']}") as watch:
        assert [watch.seen(), watch.seen()] == [("MODIFIED", "a"), ("ADDED", "b")]


def test_a_deletion_has_a_version_of_its_own(cluster):
    made = cluster.config_map("a")
    version = made["metadata"]["resourceVersion"]
    with watching(cluster, f"resourceVersion={version}") as watch:
        cluster.call("DELETE", f"{MAPS}/a")
        kind, found = watch.next()
    assert (kind, found["metadata"]["uid"]) == ("DELETED", made["metadata"]["uid"])
    assert int(found["metadata"]["resourceVersion"]) > int(version)


def test_a_forgotten_version_ends_the_watch_with_410(cluster):
    version = cluster.config_map("a")["metadata"]["resourceVersion"]
    change(cluster, "a", x="1")
    cluster.call("POST", "/lab/compact")
    with watching(cluster, f"resourceVersion={version}") as watch:
        kind, status = watch.next()
        assert (kind, status["code"], status["reason"]) == ("ERROR", 410, "Expired")
        assert status["message"].startswith(f"too old resource version: {version} (")
        assert next(watch.lines, None) is None


@pytest.mark.parametrize("cluster", [{"watch_history": 3}], indirect=True)
def test_the_history_is_bounded(cluster):
    version = cluster.config_map("a")["metadata"]["resourceVersion"]
    for number in range(4):
        change(cluster, "a", x=str(number))
    with watching(cluster, f"resourceVersion={version}") as watch:
        assert watch.next()[1]["reason"] == "Expired"


def test_a_watch_of_one_name_sees_that_name_only(cluster):
    with watching(cluster, "fieldSelector=metadata.name%3Db") as watch:
        cluster.config_map("a")
        cluster.config_map("b")
        assert watch.seen() == ("ADDED", "b")


def test_a_watch_with_a_selector_sees_nothing_else(cluster):
    with watching(cluster, "labelSelector=on%3Dyes") as watch:
        cluster.config_map("a")
        cluster.make(MAPS, {"metadata": {"name": "b", "labels": {"on": "yes"}}})
        assert watch.seen() == ("ADDED", "b")


def test_an_object_that_ceases_to_match_is_gone_for_the_watcher(cluster):
    def label(value: str) -> None:
        body = {"metadata": {"labels": {"on": value}}}
        header = {"Content-Type": "application/merge-patch+json"}
        cluster.call("PATCH", f"{MAPS}/a", body, headers=header)

    cluster.config_map("a")
    with watching(cluster, "labelSelector=on%3Dyes") as watch:
        for value in ("yes", "no"):
            label(value)
        assert [watch.seen(), watch.seen()] == [("ADDED", "a"), ("DELETED", "a")]


def test_a_watch_ends_when_its_time_is_over(cluster):
    with watching(cluster, "timeoutSeconds=1&allowWatchBookmarks=true") as watch:
        assert next(watch.lines, None) is None


def test_a_bookmark_tells_how_far_the_watch_is(cluster, monkeypatch):
    monkeypatch.setattr(reads, "_BOOKMARK_EVERY", 0.05)
    version = cluster.config_map("a")["metadata"]["resourceVersion"]
    cluster.make("/api/v1/namespaces", {"metadata": {"name": "later"}})
    with watching(cluster, f"resourceVersion={version}&allowWatchBookmarks=true") as watch:
        kind, found = watch.next()
    assert (kind, found["kind"]) == ("BOOKMARK", "ConfigMap")
    assert int(found["metadata"]["resourceVersion"]) > int(version)


def test_a_watch_list_ends_its_first_part_with_a_bookmark(cluster):
    cluster.config_map("a")
    query = "sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true"
    with watching(cluster, query) as watch:
        assert watch.seen() == ("ADDED", "a")
        kind, found = watch.next()
    assert kind == "BOOKMARK"
    assert found["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}


@pytest.mark.parametrize("cluster", [{"version": "1.31.0"}], indirect=True)
def test_an_older_server_refuses_a_watch_list(cluster):
    query = "watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan"
    answer = cluster.call("GET", f"{MAPS}?{query}")
    assert answer.status_code == 422
    assert answer.json()["message"] == (
        'ListOptions.meta.k8s.io "" is invalid: sendInitialEvents: Forbidden: '
        "sendInitialEvents is forbidden for watch unless the WatchList feature gate is enabled"
    )


@pytest.mark.parametrize("query", ["fieldSelector=data.x%3D1", "labelSelector=,(", "timeoutSeconds=x"])
def test_a_watch_that_cannot_be_is_refused_at_once(cluster, query):
    assert cluster.call("GET", f"{MAPS}?watch=1&{query}").status_code == 400


def test_a_restart_ends_a_watch_which_can_be_resumed(cluster):
    version = cluster.config_map("a")["metadata"]["resourceVersion"]
    with watching(cluster, f"resourceVersion={version}") as watch:
        assert cluster.call("POST", "/lab/restart", {}).status_code == 200
        with pytest.raises(requests.exceptions.RequestException):
            watch.next()
    cluster.config_map("b")
    with watching(cluster, f"resourceVersion={version}") as watch:
        assert watch.seen() == ("ADDED", "b")


def test_a_watch_that_shows_tables_sends_its_columns_once(cluster):
    session = cluster.session()
    session.headers["Accept"] = "application/json;as=Table;v=v1;g=meta.k8s.io"
    cluster.config_map("a")
    cluster.config_map("b")
    with session.get(f"{cluster.url}{MAPS}?watch=1", stream=True, timeout=20) as answer:
        lines = answer.iter_lines(chunk_size=1)
        first, second = (json.loads(next(lines))["object"] for _ in range(2))
    assert [column["name"] for column in first["columnDefinitions"]] == ["Name", "Data", "Age"]
    assert second["columnDefinitions"] is None
    assert second["rows"][0]["cells"][:2] == ["b", 0]
