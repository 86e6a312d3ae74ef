"""kube_node.certificates: what an operator reads of a kubelet's certificates."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from unit.certificates import write

NOW = datetime.now(timezone.utc).replace(microsecond=0)
DAY = timedelta(days=1)

pytestmark = pytest.mark.usefixtures("node")


@pytest.fixture
def issued(modules):
    """Return a function that issues the client certificate and returns what is then told of it."""

    def issue(begin: datetime, end: datetime) -> dict:
        client = modules.kube_node.certificates()[0]
        write(client["path"], begin.timestamp(), end.timestamp())
        return modules.kube_node.certificates()[0]

    return issue


def test_both_are_told_of_the_client_one_first(modules):
    found = [(one["name"], one["state"], one["usable"]) for one in modules.kube_node.certificates()]
    assert found == [("client", "missing", False), ("serving", "missing", False)]


def test_a_certificate_says_until_when_it_is_good(issued):
    assert issued(NOW - DAY, NOW + 9 * DAY) | {"path": ""} == {
        "name": "client",
        "path": "",
        "state": "good",
        "usable": True,
        "until": (NOW + 6 * DAY).isoformat(),
        "ends": (NOW + 9 * DAY).isoformat(),
        "issuer": "system:node:worker-1",
    }


def test_a_certificate_that_has_expired_stays_so(issued):
    found = issued(NOW - 2 * DAY, NOW - DAY)
    assert (found["state"], found["usable"], found["until"]) == ("expired", False, None)


@pytest.mark.parametrize(("end", "valid"), [(NOW + DAY, True), (NOW - DAY, False)])
def test_a_client_certificate_counts_while_it_is_valid(modules, issued, end, valid):
    issued(NOW - 9 * DAY, end)
    assert modules.kube_node.has_client_certificate() is valid


def test_a_kubelet_without_a_client_certificate_has_none(modules):
    assert modules.kube_node.has_client_certificate() is False
