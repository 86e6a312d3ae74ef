"""kube_node.preflight: what can be known before anything is touched is told then."""

from __future__ import annotations

import shutil
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from functional.binaries import files


@pytest.mark.parametrize("test", [True, False])
def test_a_preflight_without_faults_passes(states, new, tmp_path, test):
    result = states.kube_node.preflight(name="preflight", binaries=[new.entry()], test=test)
    assert (result.result, result.changes, result.comment) == (True, {}, "Nothing stands in the way")
    assert files(tmp_path) == []


def test_a_preflight_tells_a_missing_source(states, new, tmp_path):
    shutil.rmtree(tmp_path / "served")
    result = states.kube_node.preflight(name="preflight", binaries=[new.entry()])
    assert (result.result, result.comment) == (
        False,
        "Nothing was touched:\n"
        f"binaries.source: {new.source} is not there, put the file there or correct the source",
    )


@pytest.fixture
def web():
    """Return the address of a web server that has nothing."""

    class Nothing(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_error(404)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Nothing) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_a_preflight_tells_what_a_web_server_does_not_have(states, new, web):
    result = states.kube_node.preflight(
        name="preflight", binaries=[new.entry() | {"source": f"{web}/kubelet"}]
    )
    assert (result.result, result.comment) == (
        False,
        "Nothing was touched:\n"
        f"binaries.source: {web}/kubelet is not there, put the file there or correct the source",
    )


def test_a_preflight_tells_a_wrong_digest(states, new):
    entry = new.entry() | {"sha256": "0" * 64}
    result = states.kube_node.preflight(name="preflight", binaries=[entry])
    assert (result.result, result.comment) == (
        False,
        "Nothing was touched:\n"
        f"binaries.sha256.kubelet: {'0' * 64} is not the digest of {new.source}, which has {new.sha256}: "
        "correct the one that is wrong",
    )


def test_a_preflight_tells_every_fault(states, old, new):
    entries = [program.entry() | {"sha256": "0" * 64} for program in (old, new)]
    comment = states.kube_node.preflight(name="preflight", binaries=entries).comment
    assert len(comment.splitlines()) == 3


def test_a_preflight_fetches_nothing_that_is_there(states, installed, tmp_path):
    shutil.rmtree(tmp_path / "served")
    assert states.kube_node.preflight(name="preflight", binaries=[installed.entry()]).result is True


def test_a_preflight_tells_what_the_operator_has_still_to_bring(states, new, tmp_path):
    there, missing = tmp_path / "kubelet.pem", tmp_path / "kubelet-key.pem"
    there.touch()
    brought = [{"path": str(there), "fault": "of the one"}, {"path": str(missing), "fault": "of the other"}]
    result = states.kube_node.preflight(name="preflight", binaries=[new.entry()], brought=brought)
    assert (result.result, result.comment) == (False, "Nothing was touched:\nof the other")
