"""Tokens that the master derives, from the pillar to the certificate: real master, minions, reactor and API
server; only the kubelets are simulated."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import kube_node_audit
import kube_node_tokens
import pytest
from lab.waiting import until

from integration.kubelets import TOKENS, Kubelet


@pytest.fixture
def judged(master) -> Callable[[list[str]], dict[str, tuple[str, str]]]:
    """Return a function that gives the worker's verdict and rule on some requests, once it has judged all."""
    log = Path(master.config["log_file"]).with_name("kube_node_audit.log")

    def verdicts(requests: list[str]) -> dict[str, tuple[str, str]]:
        found = {one["name"]: (one["verdict"], one["rule"]) for one in kube_node_audit.read(log, 50)}
        return {request: found[request] for request in requests if request in found}

    return lambda *requests: until(
        lambda: (found := verdicts(requests)).keys() >= set(requests) and found, "verdicts", seconds=20
    )


def test_a_minion_gets_in_by_the_token_that_came_with_its_pillar(
    derived, token, knock, control_plane, tmp_path, secrets
):
    own = token("worker-1")
    kubelet = Kubelet(control_plane, "worker-1", tmp_path, own)
    knock("worker-1", token=own.split(".")[0])
    assert kubelet.certificate(kubelet.ask_client())
    until(lambda: own.split(".")[0] not in secrets(), "its Secret to be removed", seconds=20)


def test_a_tokens_secret_is_not_in_the_masters_log(derived, rewrite, knock, control_plane, tmp_path, master):
    rewrite("worker-1", name="rack-8")
    keys = kube_node_tokens.read(Path(master.config_dir, "kube_node", "token.keys"))
    own = kube_node_tokens.current(keys, "demo", "worker-1", "rack-8", time.time())
    knock("worker-1", token=own.id)
    kubelet = Kubelet(control_plane, "rack-8", tmp_path, str(own))
    assert kubelet.certificate(kubelet.ask_client())
    log = Path(master.config["log_file"]).read_text()
    assert "rack-8" in log
    assert own.secret not in log
    assert keys[0].key.hex() not in log


def test_a_token_is_valid_for_nobody_until_its_minion_knocks(derived, token, secrets):
    assert token("worker-1").split(".")[0] not in secrets()


def test_a_token_of_a_key_that_was_replaced_still_lets_its_minion_in(
    derived, token, knock, runner, control_plane, tmp_path
):
    old = token("worker-1")
    told = runner.run("kube_node.rotate_token_key")
    assert "1 older ones still count" in told.stdout
    assert token("worker-1") != old
    kubelet = Kubelet(control_plane, "worker-1", tmp_path, old)
    knock("worker-1", token=old.split(".")[0])
    assert kubelet.certificate(kubelet.ask_client())


def test_tokens_that_were_swapped_let_neither_minion_in_as_the_other(
    derived, token, knock, control_plane, tmp_path, judged
):
    for minion in TOKENS:
        knock(minion)
    swapped = {"worker-1": token("worker-2"), "worker-2": token("worker-1")}
    asked = [Kubelet(control_plane, name, tmp_path, other).ask_client() for name, other in swapped.items()]
    assert judged(*asked) == dict.fromkeys(asked, ("ignore", "bootstrap_token"))


def test_a_renamed_minion_gets_in_by_its_new_name_and_token(
    derived, token, rewrite, knock, control_plane, tmp_path
):
    old = token("worker-1")
    rewrite("worker-1", name="rack-7")
    new = token("worker-1")
    assert new != old
    kubelet = Kubelet(control_plane, "rack-7", tmp_path, new)
    knock("worker-1", token=new.split(".")[0])
    assert kubelet.certificate(kubelet.ask_client())


def test_a_renamed_minion_gets_in_by_its_old_name_no_more(
    derived, token, rewrite, knock, control_plane, tmp_path, judged
):
    rewrite("worker-1", name="rack-7")
    knock("worker-1")
    request = Kubelet(control_plane, "worker-1", tmp_path, token("worker-1")).ask_client()
    assert judged(request) == {request: ("ignore", "node_known")}


def test_a_minion_that_overrides_its_name_gets_no_token_that_is_ever_valid(derived, token, knock, secrets):
    stolen = token("worker-2", pillar={"kube_node": {"node": {"name": "worker-1"}}})
    for minion in TOKENS:
        knock(minion, token=stolen.split(".")[0])
    own = [token(minion) for minion in TOKENS]
    until(lambda: {one.split(".")[0] for one in own} <= secrets(), "both tokens", seconds=20)
    assert stolen not in own
    assert stolen.split(".")[0] not in secrets()
