"""An API server that does not answer: told once with its address, and who knocked meanwhile gets in."""

from __future__ import annotations

from pathlib import Path

import pytest
from lab.waiting import until

from integration.conftest import CLUSTER
from integration.kubelets import TOKENS, Kubelet, prepare

TOLD = "undecided requests stay pending for the next knock"


@pytest.fixture
def told(master, control_plane):
    """Return a function that gives what the master's log tells from now on of that server."""
    log = Path(master.config["log_file"])
    start = log.stat().st_size

    def lines() -> list[str]:
        text = log.read_bytes()[start:].decode(errors="replace")
        return [line for line in text.splitlines() if TOLD in line and control_plane.url in line]

    return lines


@pytest.fixture
def outage(control_plane, quiet, minions, formula):
    """Let the API server be away; return a function that starts it again."""
    control_plane.stop()
    is_back = []

    def end() -> None:
        if not is_back:
            is_back.append(True)
            control_plane.start()
            prepare(control_plane, formula)

    yield end
    end()


def test_nodes_that_knock_during_an_outage_get_in_by_the_same_worker(
    outage, told, knock, control_plane, tmp_path
):
    for minion in TOKENS:
        knock(minion)
    until(told, "a worker that saw the outage", seconds=20)
    outage()
    kubelets = [Kubelet(control_plane, minion, tmp_path) for minion in TOKENS]
    requests = [kubelet.ask_client() for kubelet in kubelets]
    assert all(kubelet.certificate(one) for kubelet, one in zip(kubelets, requests, strict=True))
    assert len(told()) == 1


@pytest.fixture
def impatient(master):
    """Have salt-run wait a second for whom it knocks, and no longer."""
    path = Path(master.config_dir) / "master.d/zz.conf"
    path.parent.mkdir(exist_ok=True)
    path.write_text("kube_node: {wait_seconds: 1}\n")
    yield
    path.unlink()


def test_the_next_knock_finishes_what_an_outage_left_that_was_longer_than_its_worker(
    impatient, outage, knock, runner, control_plane, tmp_path
):
    answer = runner.run("--log-level=error", "kube_node.knock", "worker-2")
    outage()
    assert answer.data == {"cluster": CLUSTER, "worker": "started"}
    [line] = [line for line in answer.stderr.splitlines() if control_plane.url in line]
    assert TOLD in line
    kubelet = Kubelet(control_plane, "worker-2", tmp_path)
    request = kubelet.ask_client()
    knock("worker-2")
    assert kubelet.certificate(request)
