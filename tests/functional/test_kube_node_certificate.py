"""The states of static certificates, and of what is carried over; only the master is played by a function."""

from __future__ import annotations

import stat
from datetime import datetime, timezone
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import kube_node_signing as signing
import kube_node_static as static
import pytest
from unit.authority import authority, pem, signed
from unit.nodes import pillar

NOW = datetime.now(timezone.utc)
CA, OTHER = pem(authority().certificate), pem(authority("other").certificate)
MASTER = {"mode": "static", "kubelet": {"from": "master"}, "key": "ecdsa-256"}


@pytest.fixture
def given(node, tmp_path: Path):
    """Return a function that gives the minion a pillar with other certificates."""
    paths = {name: f"{tmp_path}/{name}" for name in ("certificates", "kubernetes", "kubelet")}

    def give(certificates: dict[str, Any], ca: str = CA) -> None:
        node(pillar({"paths": paths, "cluster": {"ca": ca}, "certificates": certificates}))

    give(MASTER)
    return give


@pytest.fixture
def master(modules, stand_in, given):
    """Have a function play the master: what it answers and what it was asked can be seen and changed."""
    played = SimpleNamespace(by=authority(), refuses=False, asked=[])

    def answer(function: str, arguments: list[str], timeout: int) -> dict[str, str]:
        name, request = arguments
        played.asked.append(request)
        if played.refuses:
            return {"refused": "the master is being played"}
        [one] = [
            one for one in modules.kube_node.parameters()["certificates"]["static"] if one["name"] == name
        ]
        case, rule, _ = signing.judge(request, one, {})
        assert rule is None
        return {"certificate": signing.sign(case, one, played.by, NOW)}

    stand_in("publish.runner", answer)
    return played


@pytest.fixture
def states(modules, formula: Path):
    """Return a function that calls a state, which calls these modules: Salt's would load others."""
    spec = spec_from_file_location("kube_node_certificate", formula / "_states/kube_node_certificate.py")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)

    def call(state: str, test: bool):
        module.__salt__, module.__opts__ = modules, {"test": test}
        return SimpleNamespace(**{"warnings": []} | getattr(module, state)("kubelet"))

    return call


def present(states, test: bool = False):
    return states("present", test)


def test_a_certificate_is_made_and_then_left_alone(states, master, tmp_path):
    assert (present(states, test=True).result, master.asked) == (None, [])
    assert not (tmp_path / "certificates").exists()
    made = present(states)
    assert (made.result, set(made.changes.values())) == (True, {"new"})
    assert [present(states, test).changes for test in (True, False)] == [{}, {}]


def test_the_key_is_roots_alone_and_never_asked_with(states, master, tmp_path):
    present(states)
    key = tmp_path / "certificates/kubelet-key.pem"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert stat.S_IMODE(key.parent.stat().st_mode) == 0o700
    assert "PRIVATE" not in "".join(master.asked)


@pytest.fixture
def due(states, given, master) -> None:
    """Give the node a certificate of which as many days are left as the pillar then wants at least."""
    given(MASTER | {"days": 30, "renew_days": 5})
    present(states)
    given(MASTER | {"renew_days": 30})


@pytest.mark.usefixtures("due")
def test_a_renewal_keeps_the_key(states, tmp_path):
    key = (tmp_path / "certificates/kubelet-key.pem").read_text()
    assert list(present(states, test=True).changes) == ["kubelet"]
    assert present(states).changes == {f"{tmp_path}/certificates/kubelet.pem": "replaced"}
    assert (tmp_path / "certificates/kubelet-key.pem").read_text() == key


@pytest.mark.usefixtures("due")
def test_a_node_keeps_a_usable_certificate_while_the_master_does_not_sign(states, master):
    master.refuses = True
    told = present(states)
    assert (told.result, told.changes) == (True, {})
    assert told.warnings == ["The master did not sign: the master is being played"]


def test_a_node_without_one_fails_where_the_master_does_not_sign(states, master, tmp_path):
    master.refuses = True
    told = present(states)
    assert told.result is False
    assert told.comment.endswith(
        "kubelet-key.pem is missing. The master did not sign: the master is being played"
    )
    assert not (tmp_path / "certificates").exists()


def test_what_another_authority_signed_replaces_nothing(states, master, tmp_path):
    present(states)
    before = (tmp_path / "certificates/kubelet.pem").read_text()
    master.by = authority("other")
    (tmp_path / "certificates/kubelet-key.pem").write_text(static.new_key({"kind": "rsa-2048"}))
    told = present(states)
    assert told.result is False
    assert "is not signed by a CA of cluster.ca" in told.comment
    assert (tmp_path / "certificates/kubelet.pem").read_text() == before


def test_without_a_master_that_answers_it_is_said_what_is_lacking(states, given):
    told = present(states)
    assert told.result is False
    assert "peer_run has to allow kube_node_sign.certificate" in told.comment


@pytest.fixture
def delivered(modules, given):
    """Return a function that gives the minion a certificate by its pillar, signed by an authority."""

    def give(by: signing.Authority | None = None, key: str | None = None) -> str:
        given(MASTER)
        [one] = modules.kube_node.parameters()["certificates"]["static"]
        key = key or static.new_key(one)
        certificate = signed(one, key, by, NOW)
        given(
            {"mode": "static", "kubelet": {"from": "pillar", "certificate": certificate, "private_key": key}}
        )
        return key

    return give


def test_a_delivered_certificate_is_put_there_and_then_left_alone(states, delivered, tmp_path):
    key = delivered()
    assert present(states).result is True
    assert (tmp_path / "certificates/kubelet-key.pem").read_text() == key
    assert present(states).changes == {}


def test_a_delivered_key_is_not_shown(modules, states, delivered):
    secret = delivered().splitlines()[1]
    shown = [modules.kube_node.parameters(layers=True), present(states, test=True), present(states)]
    assert secret not in str(shown)


def test_a_delivered_certificate_of_another_authority_is_found_before_anything_is_touched(modules, delivered):
    delivered(authority("other"))
    [found] = [one for one in modules.kube_node.preflight() if one["name"].startswith("certificates.")]
    assert (found["name"], found["severity"]) == ("certificates.kubelet.certificate", "error")
    assert found["found"] == "it is not signed by a CA of cluster.ca"


@pytest.fixture
def bootstrapped(modules, given, tmp_path: Path) -> Path:
    """Return the client certificate of a kubelet in mode bootstrap, signed by the first authority."""
    given(MASTER)
    [one] = modules.kube_node.parameters()["certificates"]["static"]
    key = static.new_key(one)
    path = tmp_path / "kubelet/pki/kubelet-client-current.pem"
    path.parent.mkdir(parents=True)
    path.write_text(signed(one, key, None, NOW) + key)
    return path


def carried(states, test: bool = False):
    return states("carried_over", test)


def test_a_certificate_of_a_ca_that_goes_is_set_aside(modules, states, given, bootstrapped, tmp_path):
    (tmp_path / "certificates").mkdir()
    (tmp_path / "certificates/ca.crt").write_text(CA)
    given({"mode": "bootstrap"}, OTHER)
    assert modules.kube_node.has_client_certificate() is False
    assert carried(states, test=True).result is None
    assert list(carried(states).changes) == [str(bootstrapped)]
    assert not bootstrapped.exists()
    assert bootstrapped.with_name(f"{bootstrapped.name}.replaced").exists()


@pytest.mark.parametrize(
    ("before", "after"), [(CA, CA + OTHER), (CA + OTHER, CA), (OTHER, OTHER), (None, OTHER)]
)
def test_any_other_stays(modules, states, given, bootstrapped, tmp_path, before: str | None, after: str):
    (tmp_path / "certificates").mkdir()
    if before:
        (tmp_path / "certificates/ca.crt").write_text(before)
    given({"mode": "bootstrap"}, after)
    assert carried(states).changes == {}
    assert modules.kube_node.has_client_certificate() is True


def test_a_kubelet_goes_on_with_its_static_certificate(modules, states, given, master, tmp_path):
    present(states)
    (tmp_path / "kubernetes").mkdir()
    kubeconfig = f"    user:\n      client-certificate: {tmp_path}/certificates/kubelet.pem\n"
    (tmp_path / "kubernetes/kubelet.kubeconfig").write_text(kubeconfig)
    given({"mode": "bootstrap"})
    assert (modules.kube_node.has_client_certificate(), modules.kube_node_certificate.moves()) == (True, True)
    assert carried(states, test=True).result is None
    current = tmp_path / "kubelet/pki/kubelet-client-current.pem"
    assert list(carried(states).changes) == [str(current)]
    assert current.is_symlink()
    assert stat.S_IMODE(current.stat().st_mode) == 0o600
    assert modules.kube_node.certificates()[0]["usable"] is True
    assert carried(states).changes == {}
