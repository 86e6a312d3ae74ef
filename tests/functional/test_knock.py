"""kube_node.knock: tells the master what is lacking, and gives a kubelet that was off a new token."""

from __future__ import annotations

import stat
import time
from pathlib import Path

import pytest
from unit.certificates import DAY, write
from unit.nodes import TOKEN, pillar

NEW_TOKEN = "m1n2o3.0123456789abcdef"
GOOD, EXPIRED, RENEWING = (-1, 10), (-2, -1), (-9, 1)
CLIENT, SERVING = "client", "serving"


@pytest.fixture
def given(node, tmp_path: Path):
    """Return a function that gives the minion a pillar with folders of this test."""
    paths = {name: f"{tmp_path}/{name}" for name in ("kubelet", "kubernetes", "certificates")}
    return lambda change: node(pillar({"paths": paths} | change))


@pytest.fixture(autouse=True)
def bootstrap(modules, given, tmp_path: Path) -> Path:
    """Give the minion a token, and the kubelet the bootstrap kubeconfig of that; return where it lies."""
    given({})
    path = tmp_path / "kubernetes/bootstrap.kubeconfig"
    path.parent.mkdir()
    modules.cp.get_template("salt://kube_node/certificates/files/bootstrap.kubeconfig.jinja", str(path))
    return path


@pytest.fixture(autouse=True)
def events(stand_in) -> list[tuple[str, dict]]:
    """Return the events that are sent to the master."""
    sent: list[tuple[str, dict]] = []
    stand_in("event.send", lambda tag, data: sent.append((tag, data)))
    return sent


@pytest.fixture(autouse=True)
def restarted(stand_in) -> list[str]:
    """Return the services that are restarted."""
    names: list[str] = []
    stand_in("service.restart", lambda name: names.append(name))
    return names


@pytest.fixture
def have(modules):
    """Return a function that gives the kubelet a certificate, valid between two days from now."""
    paths = {one["name"]: one["path"] for one in modules.kube_node.certificates()}
    return lambda name, span: write(paths[name], *(time.time() + days * DAY for days in span))


def test_the_master_is_told_what_is_lacking_and_by_which_token(modules, events):
    modules.kube_node.knock()
    said = {"lacks": [CLIENT, SERVING], "token": TOKEN.partition(".")[0]}
    assert events == [("kube_node/kubelet/start", said)]


def test_the_master_is_told_even_that_nothing_is_lacking(modules, events, have):
    have(CLIENT, GOOD)
    have(SERVING, GOOD)
    modules.kube_node.knock()
    assert [data["lacks"] for _, data in events] == [[]]


@pytest.mark.parametrize("span", [EXPIRED, RENEWING])
def test_what_has_to_be_asked_for_anew_is_lacking(modules, events, have, span):
    have(CLIENT, span)
    have(SERVING, GOOD)
    modules.kube_node.knock()
    assert [data["lacks"] for _, data in events] == [[CLIENT]]


def test_the_attestation_is_in_the_mine_before_the_event(modules, have, stand_in):
    have(CLIENT, GOOD)
    found = []

    def send(*_):
        found.append(modules.mine.get("*", "kube_node.attestation")["Worker-1"])

    stand_in("event.send", send)
    modules.kube_node.knock()
    assert found == [modules.kube_node.attestation()]
    assert found[0]["client_cert_sha256"]


def test_a_kubelet_without_a_certificate_gets_the_pillars_new_token(modules, given, bootstrap, restarted):
    given({"certificates": {"bootstrap_token": NEW_TOKEN}})
    assert modules.kube_node.knock()["kubelet_restarted"] is True
    assert NEW_TOKEN in bootstrap.read_text()
    assert restarted == ["kubelet"]


def test_the_new_token_is_the_one_that_is_told(modules, given, events):
    given({"certificates": {"bootstrap_token": NEW_TOKEN}})
    modules.kube_node.knock()
    assert [data["token"] for _, data in events] == [NEW_TOKEN.partition(".")[0]]


def test_a_kubelet_whose_certificate_has_expired_gets_the_new_token(modules, given, bootstrap, have):
    have(CLIENT, EXPIRED)
    given({"certificates": {"bootstrap_token": NEW_TOKEN}})
    modules.kube_node.knock()
    assert NEW_TOKEN in bootstrap.read_text()


def test_it_is_what_the_state_would_write(modules, given, bootstrap, tmp_path):
    given({"certificates": {"bootstrap_token": NEW_TOKEN}})
    modules.kube_node.knock()
    source = "salt://kube_node/certificates/files/bootstrap.kubeconfig.jinja"
    assert bootstrap.read_text() == Path(modules.cp.get_template(source, str(tmp_path / "own"))).read_text()


def test_the_new_token_is_its_owners_alone(modules, given, bootstrap):
    bootstrap.chmod(0o644)
    given({"certificates": {"bootstrap_token": NEW_TOKEN}})
    modules.kube_node.knock()
    assert stat.S_IMODE(bootstrap.stat().st_mode) == 0o600


def test_nothing_is_left_beside_the_new_token(modules, given, bootstrap):
    given({"certificates": {"bootstrap_token": NEW_TOKEN}})
    modules.kube_node.knock()
    assert list(bootstrap.parent.iterdir()) == [bootstrap]


def test_a_kubelet_that_has_the_token_is_not_restarted(modules, restarted):
    assert modules.kube_node.knock()["kubelet_restarted"] is False
    assert restarted == []


def test_the_knock_of_the_kubelet_that_was_restarted_restarts_nothing(modules, given, restarted):
    given({"certificates": {"bootstrap_token": NEW_TOKEN}})
    for _ in range(3):
        modules.kube_node.knock()
    assert restarted == ["kubelet"]


def test_a_node_with_its_client_certificate_keeps_its_old_token(modules, given, bootstrap, restarted, have):
    have(CLIENT, GOOD)
    given({"certificates": {"bootstrap_token": NEW_TOKEN}})
    modules.kube_node.knock()
    assert (TOKEN in bootstrap.read_text(), restarted) == (True, [])


def test_a_kubeconfig_that_the_operator_brings_is_not_written_to(
    modules, node, bootstrap, tmp_path, restarted
):
    bootstrap.write_text("the operator's")
    change = {"paths": {name: f"{tmp_path}/{name}" for name in ("kubelet", "kubernetes")}}
    tree = pillar(change)
    del tree["certificates"]["bootstrap_token"]
    node(tree)
    modules.kube_node.knock()
    assert (bootstrap.read_text(), restarted) == ("the operator's", [])


def test_a_node_with_certificates_of_the_operators_gets_no_token(modules, given, bootstrap, restarted):
    bootstrap.unlink()
    given({"certificates": {"mode": "static", "bootstrap_token": NEW_TOKEN}})
    modules.kube_node.knock()
    assert (bootstrap.exists(), restarted) == (False, [])


def test_no_token_is_told_or_returned(modules, given, events):
    given({"certificates": {"bootstrap_token": NEW_TOKEN}})
    returned = modules.kube_node.knock()
    assert [token for token in (TOKEN, NEW_TOKEN) if token in str((returned, events))] == []


def test_no_token_is_logged(modules, given, caplog):
    caplog.set_level(0)
    given({"certificates": {"bootstrap_token": NEW_TOKEN}})
    caplog.clear()
    modules.kube_node.knock()
    assert "has a new bootstrap token" in caplog.text
    assert NEW_TOKEN not in caplog.text
