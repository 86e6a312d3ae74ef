"""Tokens that the master derives, from the pillar to the certificate: real master, minions, reactor and API
server; only the kubelets are simulated."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import kube_node_tokens
import psutil
import pytest
import yaml
from lab.waiting import until

from integration.kubelets import TOKENS, Kubelet, conditions

EVENT = "kube_node/kubelet/start"


@pytest.fixture
def derived(change_pillar, quiet) -> None:
    """Leave the tokens of both minions to the master."""
    for minion in TOKENS:
        change_pillar(minion, lambda tree: tree.pop("certificates"))


@pytest.fixture
def token(minions) -> Callable[[str], str]:
    """Return a function that gives the token in a minion's pillar, as the minion gets it."""

    def get(minion: str) -> str:
        key = "kube_node:certificates:bootstrap_token"
        return minions[minion].salt_call_cli().run("pillar.get", key, "unmask=True").data

    return get


@pytest.fixture
def knock(minions) -> Callable[..., None]:
    """Return a function that sends a minion's knock, as kube-node-knock.service does."""

    def send(minion: str, **said: object) -> None:
        assert minions[minion].salt_call_cli().run("event.send", EVENT, **said).data is True

    return send


@pytest.fixture
def verdicts(runner) -> Callable[[], dict[str, tuple[str, str]]]:
    """Return a function that gives verdict and rule of what is pending, by request."""
    return lambda: {
        one["name"]: (one["verdict"], one["rule"]) for one in runner.run("kube_node.pending").data
    }


@pytest.fixture
def secrets(control_plane) -> Callable[[], set[str]]:
    """Return a function that gives the ids of the tokens that are valid in the cluster."""

    def get() -> set[str]:
        names = control_plane.kubectl("get", "secrets", "--namespace=kube-system", "--output=name").split()
        prefix = "secret/bootstrap-token-"
        return {name.removeprefix(prefix) for name in names if name.startswith(prefix)}

    return get


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
    derived, token, knock, control_plane, tmp_path, verdicts
):
    for minion in TOKENS:
        knock(minion)
    swapped = {"worker-1": token("worker-2"), "worker-2": token("worker-1")}
    asked = [Kubelet(control_plane, name, tmp_path, other).ask_client() for name, other in swapped.items()]
    assert verdicts() == dict.fromkeys(asked, ("ignore", "bootstrap_token"))


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
    derived, token, rewrite, knock, control_plane, tmp_path, verdicts
):
    rewrite("worker-1", name="rack-7")
    knock("worker-1")
    request = Kubelet(control_plane, "worker-1", tmp_path, token("worker-1")).ask_client()
    assert verdicts() == {request: ("ignore", "node_known")}


def test_a_minion_that_overrides_its_name_gets_no_token_that_is_ever_valid(
    derived, token, minions, knock, secrets
):
    forged = (
        minions["worker-2"]
        .salt_call_cli()
        .run("pillar.items", "pillar={kube_node: {node: {name: worker-1}}}", "unmask=True")
    )
    stolen = forged.data["kube_node"]["certificates"]["bootstrap_token"]
    for minion in TOKENS:
        knock(minion, token=stolen.split(".")[0])
    until(lambda: token("worker-2").split(".")[0] in secrets(), "a token", seconds=20)
    assert stolen not in (token("worker-1"), token("worker-2"))
    assert stolen.split(".")[0] not in secrets()


def worker_of(master) -> psutil.Process | None:
    """Return the process that holds the cluster's lock."""
    lock = str(Path(master.config["cachedir"], "kube_node", "demo.lock"))

    def holds(process: psutil.Process) -> bool:
        try:
            return lock in [file.path for file in process.open_files()]
        except psutil.NoSuchProcess:  # it ended meanwhile
            return False

    return next(filter(holds, psutil.Process(master.pid).children(recursive=True)), None)


def test_a_sweep_finishes_what_a_worker_left_that_was_killed(
    derived, token, knock, runner, control_plane, tmp_path, secrets, master
):
    own = token("worker-1")
    knock("worker-1", token=own.split(".")[0])
    until(lambda: own.split(".")[0] in secrets(), "a token", seconds=20)
    worker = until(lambda: worker_of(master), "a worker", seconds=5)
    os.kill(worker.pid, 9)
    until(lambda: not psutil.pid_exists(worker.pid) or worker.status() == "zombie", "its end", seconds=5)
    kubelet = Kubelet(control_plane, "worker-1", tmp_path, own)
    request = kubelet.ask_client()
    assert conditions(control_plane, request) == {}
    assert runner.run("kube_node.sweep").data == {"demo": "started"}
    assert kubelet.certificate(request)
    until(lambda: own.split(".")[0] not in secrets(), "its Secret to be removed", seconds=20)


@pytest.fixture
def newcomer(master, minions, pillar, control_plane, quiet):
    """Return a third minion, running, with a token of the operator's; and forget it afterwards."""
    folder = Path(master.config["pillar_roots"]["base"][-1])
    top, ours = folder / "top.sls", folder / "worker-3.sls"
    before = top.read_text()
    token = "cccccc.0123456789abcdef"
    node = {"node": {"addresses": ["10.77.0.13"]}, "certificates": {"bootstrap_token": token}}
    ours.write_text(yaml.safe_dump({"kube_node": pillar | node}))
    top.write_text(yaml.safe_dump({"base": {minion: [minion] for minion in (*TOKENS, "worker-3")}}))
    control_plane.bootstrap_token(token)
    daemon = master.salt_minion_daemon("worker-3", overrides={"log_level": "info"})
    with daemon.started():
        yield daemon
    master.salt_key_cli().run("-d", "worker-3", "-y")
    top.write_text(before)
    ours.unlink()


def test_a_minion_that_was_deleted_is_nobody_until_it_is_accepted_anew(
    newcomer, master, control_plane, tmp_path, verdicts
):
    request = Kubelet(control_plane, "worker-3", tmp_path, "cccccc.0123456789abcdef").ask_client()
    assert verdicts() == {request: ("approve", "approved_token")}
    newcomer.terminate()
    assert master.salt_key_cli().run("-d", "worker-3", "-y").returncode == 0
    assert verdicts() == {request: ("ignore", "node_known")}
    newcomer.start()
    assert Kubelet(control_plane, "worker-3", tmp_path, "cccccc.0123456789abcdef").certificate(request)
