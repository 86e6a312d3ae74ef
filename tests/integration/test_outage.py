"""An API server that does not answer: told once with its address, and the next knock finishes the work."""

from __future__ import annotations

from integration.conftest import CLUSTER
from integration.kubelets import Kubelet, prepare


def test_next_knock_finishes_what_an_outage_left_pending(
    control_plane, quiet, minions, runner, formula, tmp_path
):
    kubelet = Kubelet(control_plane, "worker-2", tmp_path)
    control_plane.stop()
    answer = runner.run("--log-level=error", "kube_node.knock", "worker-2")
    control_plane.start()
    prepare(control_plane, formula)
    assert answer.data == {"cluster": CLUSTER, "worker": "started"}
    told = [line for line in answer.stderr.splitlines() if control_plane.url in line]
    assert len(told) == 1, answer.stderr
    assert "undecided requests stay pending for the next knock" in told[0]
    request = kubelet.ask_client()
    sent = minions["worker-2"].salt_call_cli().run("event.send", "kube_node/kubelet/start")
    assert sent.data is True
    assert kubelet.certificate(request)
