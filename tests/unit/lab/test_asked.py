"""What was asked of the API server, by the double's log and by kube-apiserver's."""

from __future__ import annotations

import json

import yaml
from lab import asked
from lab.asked import Asked

CSRS = "/apis/certificates.k8s.io/v1/certificatesigningrequests"


def test_audit_log_tells_of_one_user(tmp_path):
    log = tmp_path / "audit.log"
    ref = {"resource": "certificatesigningrequests", "subresource": "approval"}
    event = {"verb": "update", "requestURI": f"{CSRS}/a/approval", "objectRef": ref}
    users = ({"username": "approver"}, {"username": "another"})
    log.write_text("".join(json.dumps(event | {"user": user}) + "\n" for user in users))
    assert asked.of_audit_log(log, "approver") == [
        Asked("update", "certificatesigningrequests/approval", f"{CSRS}/a/approval")
    ]


def test_nothing_was_asked_where_there_is_no_audit_log_yet(tmp_path):
    assert asked.of_audit_log(tmp_path / "audit.log", "approver") == []


def test_policy_notes_the_users_requests_once():
    policy = yaml.safe_load(asked.policy("approver"))
    assert policy["rules"] == [{"level": "Metadata", "users": ["approver"]}, {"level": "None"}]
    assert "RequestReceived" not in policy["omitStages"]


def test_further_pages_belong_to_the_same_list():
    first = Asked("list", "certificatesigningrequests", f"{CSRS}?limit=500")
    second = Asked("list", "certificatesigningrequests", f"{CSRS}?limit=500&continue=abc")
    lists = [one.is_list("certificatesigningrequests") for one in (first, second)]
    assert lists == [True, False]
