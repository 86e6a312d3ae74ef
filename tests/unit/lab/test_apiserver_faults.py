"""Faults strike whom they are meant for, as often as asked, and the log counts what was requested."""

from __future__ import annotations

import http.client
import json
import ssl
import time

import pytest
import requests

from unit.lab.apiserver_cluster import Cluster

MAPS = "/api/v1/namespaces/default/configmaps"
NODES = "/api/v1/nodes"


def inject(cluster, **fault):
    answer = cluster.call("POST", "/lab/faults", fault)
    assert answer.status_code == 200, answer.text


def logged(cluster, **query):
    return cluster.call("GET", "/lab/requests", params=query).json()


def test_a_delay_delays_and_then_answers(cluster):
    inject(cluster, action="delay", seconds=0.3, count=1)
    start = time.monotonic()
    assert cluster.call("GET", NODES).status_code == 200
    assert time.monotonic() - start >= 0.3


def test_a_429_says_when_to_come_again(cluster):
    inject(cluster, action="status", code=429, retryAfter=2, count=1)
    answer = cluster.call("GET", NODES)
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "2")
    assert answer.json()["reason"] == "TooManyRequests"
    assert answer.json()["details"] == {"retryAfterSeconds": 2}


@pytest.mark.parametrize(
    ("code", "reason"), [(500, "InternalError"), (503, "ServiceUnavailable"), (504, "Timeout")]
)
def test_a_server_error_does_nothing(cluster, code, reason):
    inject(cluster, action="status", code=code, verb="create")
    answer = cluster.call("POST", MAPS, {"metadata": {"name": "a"}})
    assert (answer.status_code, answer.json()["reason"]) == (code, reason)
    assert cluster.read(MAPS)["items"] == []


def test_a_dropped_request_is_not_done(cluster):
    inject(cluster, action="drop", verb="create")
    with pytest.raises(requests.exceptions.ConnectionError):
        cluster.call("POST", MAPS, {"metadata": {"name": "a"}})
    assert cluster.read(MAPS)["items"] == []


def test_a_dropped_answer_leaves_the_work_done(cluster):
    inject(cluster, action="drop-after", verb="create")
    with pytest.raises(requests.exceptions.ConnectionError):
        cluster.call("POST", MAPS, {"metadata": {"name": "a"}})
    assert [one["metadata"]["name"] for one in cluster.read(MAPS)["items"]] == ["a"]


def test_a_fault_strikes_as_often_as_asked(cluster):
    inject(cluster, action="status", code=503, count=2)
    assert [cluster.call("GET", NODES).status_code for _ in range(3)] == [503, 503, 200]
    (fault,) = cluster.call("GET", "/lab/faults").json()
    assert fault["hits"] == 2


def test_a_fault_strikes_the_verb_path_and_user_it_names(cluster):
    inject(cluster, action="status", verb="list", path="^/api/v1/nodes", user="^joe$")
    joe = cluster.session("joe", "system:masters")
    assert cluster.call("GET", NODES, by=joe).status_code == 503
    assert cluster.call("GET", f"{NODES}/n1", by=joe).status_code == 404
    assert cluster.call("GET", MAPS, by=joe).status_code == 200
    assert cluster.call("GET", NODES).status_code == 200


@pytest.mark.parametrize(("percentage", "expected"), [(0, {200}), (100, {503}), (50, {200, 503})])
def test_a_fault_strikes_a_part_of_the_requests(cluster, percentage, expected):
    inject(cluster, action="status", percentage=percentage)
    session = cluster.session()
    assert {cluster.call("GET", NODES, by=session).status_code for _ in range(40)} == expected


def test_faults_end_when_taken_back(cluster):
    inject(cluster, action="status")
    cluster.call("DELETE", "/lab/faults")
    assert cluster.call("GET", NODES).status_code == 200


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ({"action": "explode"}, "action is 'explode'; it may be delay, status, drop, drop-after"),
        (
            {"action": "drop", "verbs": "list"},
            "a fault has no verbs; it has action, verb, path, ",
        ),
        ({}, "this is no fault: "),
        ({"action": "drop", "path": "("}, "this is no fault: "),
    ],
)
def test_a_fault_that_is_none_is_refused(cluster, fault, message):
    answer = cluster.call("POST", "/lab/faults", fault)
    assert answer.status_code == 400
    assert answer.json()["message"].startswith(message)


@pytest.mark.parametrize("path", ["requests", "faults"])
def test_the_lab_obeys_administrators_only(cluster, path):
    answer = cluster.call("GET", f"/lab/{path}", by=cluster.session("joe"))
    assert (answer.status_code, answer.json()["message"]) == (403, 'User "joe" is not in system:masters')


def test_requests_are_counted_by_who_and_what(cluster):
    cluster.config_map("a")
    cluster.call("GET", f"{MAPS}/a", by=cluster.session("joe"))
    (entry,) = logged(cluster, user="joe")
    assert {key: entry[key] for key in ("verb", "method", "path", "resource", "name", "code")} == {
        "verb": "get",
        "method": "GET",
        "path": f"{MAPS}/a",
        "resource": "configmaps",
        "name": "a",
        "code": 403,
    }
    assert [one["code"] for one in logged(cluster, verb="create")] == [201]
    assert len(logged(cluster, path="^/api/v1/")) == 2


def test_the_log_counts_the_unknown_and_the_dropped(cluster):
    cluster.call("GET", NODES, by=cluster.anonymous("abcdef.0123456789abcdef"))
    inject(cluster, action="drop", verb="list")
    with pytest.raises(requests.exceptions.ConnectionError):
        cluster.call("GET", NODES)
    assert [(one["user"], one["code"]) for one in logged(cluster)] == [("", 401), ("kubernetes-admin", None)]


def test_the_log_can_be_cleared(cluster):
    cluster.call("GET", NODES)
    cluster.call("DELETE", "/lab/requests")
    assert logged(cluster) == []


def test_a_restart_keeps_the_objects_and_the_port(cluster):
    cluster.config_map("a")
    trust = ssl.create_default_context(cafile=str(cluster.ca.certificate))
    connection = http.client.HTTPSConnection(cluster.url.removeprefix("https://"), context=trust)
    connection.request("GET", "/readyz")
    assert connection.getresponse().read() == b"ok"
    cluster.call("POST", "/lab/restart", {})
    with pytest.raises((ConnectionError, ssl.SSLError)):
        again(connection)
    assert [one["metadata"]["name"] for one in cluster.read(MAPS)["items"]] == ["a"]


def again(connection):
    connection.request("GET", "/readyz")
    return connection.getresponse()


def test_a_restart_may_take_its_time(cluster):
    admin = cluster.session()
    cluster.call("POST", "/lab/restart", {"seconds": 0.5}, admin)
    with pytest.raises(requests.exceptions.ConnectionError):
        cluster.call("GET", NODES)
    deadline = time.monotonic() + 5
    while True:
        try:
            assert cluster.call("GET", NODES).status_code == 200
            break
        except requests.exceptions.ConnectionError:
            assert time.monotonic() < deadline


def test_the_audit_log_has_a_line_for_every_answer(start_apiserver, certificates, tmp_path):
    path = tmp_path / "audit.log"
    with start_apiserver(audit_log_path=path) as running:
        Cluster(running.url, certificates[0], tmp_path).call("GET", NODES)
    (entry,) = [json.loads(line) for line in path.read_text().splitlines()]
    assert (entry["verb"], entry["user"], entry["code"]) == ("list", "kubernetes-admin", 200)
