"""A minion whose key the master does not know any more, or knows as another one: nobody, until it is accepted
anew."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from kube_node_knocks import START

from integration.kubelets import TOKENS, Kubelet, conditions

TOKEN = "cccccc.0123456789abcdef"


@pytest.fixture
def newcomer(master, minions, pillar, control_plane, quiet):
    """Return a third minion, running, with a token of the operator's; and forget it afterwards."""
    folder = Path(master.config["pillar_roots"]["base"][-1])
    top, ours = folder / "top.sls", folder / "worker-3.sls"
    before = top.read_text()
    node = {"node": {"addresses": ["10.77.0.13"]}, "certificates": {"bootstrap_token": TOKEN}}
    ours.write_text(yaml.safe_dump({"kube_node": pillar | node}))
    top.write_text(yaml.safe_dump({"base": {minion: [minion] for minion in (*TOKENS, "worker-3")}}))
    control_plane.bootstrap_token(TOKEN)
    daemon = master.salt_minion_daemon("worker-3", overrides={"log_level": "info"})
    with daemon.started():
        yield daemon
    master.salt_key_cli().run("-d", "worker-3", "-y")
    top.write_text(before)
    ours.unlink()


@pytest.fixture
def forget(master):
    """Return a function that deletes the newcomer's key on the master; who comes next is accepted."""
    return lambda: master.salt_key_cli().run("-d", "worker-3", "-y")


def test_a_minion_that_was_deleted_is_nobody_until_it_is_accepted_anew(
    newcomer, forget, runner, control_plane, tmp_path
):
    kubelet = Kubelet(control_plane, "worker-3", tmp_path, TOKEN)
    newcomer.terminate()
    forget()
    request = kubelet.ask_client()
    [judged] = runner.run("kube_node.pending").data
    assert (judged["name"], judged["verdict"], judged["rule"]) == (request, "ignore", "node_known")
    newcomer.start()
    assert kubelet.certificate(request)


def test_a_minion_that_was_rekeyed_is_not_heard_until_it_is_accepted_anew(
    newcomer, forget, control_plane, tmp_path
):
    kubelet = Kubelet(control_plane, "worker-3", tmp_path, TOKEN)
    newcomer.terminate()
    for key in Path(newcomer.config["pki_dir"]).glob("minion.*"):
        key.unlink()
    request = kubelet.ask_client()
    assert newcomer.salt_call_cli(timeout=60).run("event.send", START).returncode != 0
    assert conditions(control_plane, request) == {}
    forget()
    newcomer.start()
    assert kubelet.certificate(request)
