"""The formula's own states: what they promise before, during and after."""

from __future__ import annotations

import hashlib
import shutil
import stat
import subprocess
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest


@dataclass(frozen=True)
class Binary:
    """A program of one release, where it comes from and where it goes."""

    name: str
    path: str
    source: str
    sha256: str

    def arguments(self) -> dict[str, str]:
        return vars(self)

    def entry(self) -> dict[str, str]:
        """Return the program as the parameters list it."""
        return {
            "name": "kubelet",
            "link": self.name,
            **{key: vars(self)[key] for key in ("path", "source", "sha256")},
        }


def binary(root: Path, release: str, content: bytes | None = None) -> Binary:
    """Return a program that prints its release, served from a folder below `root`."""
    content = content or f"#!/bin/sh\necho {release}\n".encode()
    served = root / "served" / release / "kubelet"
    served.parent.mkdir(parents=True)
    served.write_bytes(content)
    return Binary(
        name=str(root / "bin" / "kubelet"),
        path=str(root / "versions" / release / "kubelet"),
        source=f"file://{served}",
        sha256=hashlib.sha256(content).hexdigest(),
    )


def run(program: str) -> str:
    return subprocess.run([program], capture_output=True, text=True, check=True).stdout.strip()


def files(root: Path) -> list[str]:
    """Return every file and link below `root`, but what is served."""
    found = (path for path in root.rglob("*") if path.is_symlink() or path.is_file())
    return sorted(str(path.relative_to(root)) for path in found if root / "served" not in path.parents)


@pytest.fixture
def old(tmp_path: Path) -> Binary:
    return binary(tmp_path, "v1.36.1")


@pytest.fixture
def new(tmp_path: Path) -> Binary:
    return binary(tmp_path, "v1.36.2")


@pytest.fixture
def installed(states, old: Binary) -> Binary:
    """Return a program that is in use."""
    assert states.kube_node.binary_installed(**old.arguments()).result is True
    return old


def test_a_program_runs_by_its_link(states, new):
    result = states.kube_node.binary_installed(**new.arguments())
    assert (result.result, result.comment) == (True, f"{new.path} has been put into use")
    assert run(new.name) == "v1.36.2"


def test_a_program_may_be_written_by_its_owner_alone(states, new):
    states.kube_node.binary_installed(**new.arguments())
    assert stat.S_IMODE(Path(new.path).stat().st_mode) == 0o755


def test_a_second_run_changes_nothing(states, installed):
    result = states.kube_node.binary_installed(**installed.arguments())
    assert (result.result, result.changes, result.comment) == (True, {}, f"{installed.path} is in use")


def test_a_second_run_needs_no_source(states, installed, tmp_path):
    shutil.rmtree(tmp_path / "served")
    assert states.kube_node.binary_installed(**installed.arguments()).result is True


@pytest.mark.parametrize("test", [True, False])
def test_a_first_run_tells_its_changes(states, new, test):
    result = states.kube_node.binary_installed(**new.arguments(), test=test)
    assert result.changes == {
        new.path: f"installed from {new.source}",
        new.name: {"old": None, "new": new.path},
    }


@pytest.mark.parametrize("test", [True, False])
def test_an_upgrade_tells_its_changes(states, installed, new, test):
    result = states.kube_node.binary_installed(**new.arguments(), test=test)
    assert result.changes == {
        new.path: f"installed from {new.source}",
        new.name: {"old": installed.path, "new": new.path},
    }


@pytest.mark.parametrize("test", [True, False])
def test_the_way_back_is_the_link_alone(states, installed, new, test):
    states.kube_node.binary_installed(**new.arguments())
    result = states.kube_node.binary_installed(**installed.arguments(), test=test)
    assert result.changes == {new.name: {"old": new.path, "new": installed.path}}


def test_a_test_run_says_what_would_be(states, new):
    result = states.kube_node.binary_installed(**new.arguments(), test=True)
    assert (result.result, result.comment) == (None, f"{new.path} would be put into use")


def test_a_test_run_writes_nothing(states, new, tmp_path):
    states.kube_node.binary_installed(**new.arguments(), test=True)
    assert files(tmp_path) == []


def test_a_test_run_of_what_is_in_use_says_so(states, installed):
    result = states.kube_node.binary_installed(**installed.arguments(), test=True)
    assert (result.result, result.changes) == (True, {})


def test_an_upgrade_keeps_the_old_release(states, installed, new):
    states.kube_node.binary_installed(**new.arguments())
    assert (run(new.name), run(installed.path)) == ("v1.36.2", "v1.36.1")


@pytest.mark.usefixtures("installed")
def test_an_interrupted_copy_never_runs(states, new, monkeypatch):
    def interrupted(source: str, target: Path) -> None:
        Path(target).write_bytes(Path(source).read_bytes()[:9])
        raise OSError("No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(shutil, "copyfile", interrupted)
        assert states.kube_node.binary_installed(**new.arguments()).result is False
    assert run(new.name) == "v1.36.1"
    assert not Path(new.path).exists()


def test_the_run_after_an_interrupted_copy_repairs_it(states, new):
    part = Path(f"{new.path}.part")
    part.parent.mkdir(parents=True)
    part.write_text("#!/bin")
    assert states.kube_node.binary_installed(**new.arguments()).result is True
    assert run(new.name) == "v1.36.2"
    assert not part.exists()


@pytest.mark.usefixtures("installed")
def test_a_run_interrupted_before_the_switch_leaves_the_old_program(states, new, monkeypatch):
    replace = Path.replace

    def interrupted(self: Path, target: Path) -> Path:
        if str(target) == new.name:
            raise OSError("interrupted")
        return replace(self, target)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", interrupted)
        assert states.kube_node.binary_installed(**new.arguments()).result is False
    assert run(new.name) == "v1.36.1"
    assert states.kube_node.binary_installed(**new.arguments()).result is True
    assert run(new.name) == "v1.36.2"


def test_the_link_is_there_at_every_moment(states, installed, new):
    gone, done = [], threading.Event()

    def watch() -> None:
        while not done.is_set():
            if not Path(new.name).exists():
                gone.append(True)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        for program in [new, installed] * 5:
            states.kube_node.binary_installed(**program.arguments())
    finally:
        done.set()
        watcher.join()
    assert gone == []


def test_a_damaged_program_is_put_right(states, installed):
    Path(installed.path).write_text("#!/bin/sh\necho damaged\n")
    result = states.kube_node.binary_installed(**installed.arguments())
    assert result.changes == {installed.path: f"installed from {installed.source}"}
    assert run(installed.name) == "v1.36.1"


def test_a_running_program_is_never_written_to(states, tmp_path):
    sleep = Path(shutil.which("sleep")).read_bytes()
    first, second = binary(tmp_path, "first", sleep), binary(tmp_path, "second", sleep + b"\0")
    states.kube_node.binary_installed(**first.arguments())
    process = subprocess.Popen([first.path, "60"])
    try:
        again = second.arguments() | {"path": first.path}
        assert states.kube_node.binary_installed(**again).result is True
        assert process.poll() is None
    finally:
        process.kill()
        process.wait()


def test_a_foreign_file_is_refused_and_kept(states, new):
    Path(new.name).parent.mkdir(parents=True)
    Path(new.name).write_text("not ours")
    result = states.kube_node.binary_installed(**new.arguments())
    assert (result.result, result.changes, result.comment) == (
        False,
        {},
        f"{new.name} is a file that is not ours, move it away or choose another paths.bin",
    )
    assert Path(new.name).read_text() == "not ours"


def test_a_foreign_file_is_refused_in_a_test_run_too(states, new):
    Path(new.name).mkdir(parents=True)
    assert states.kube_node.binary_installed(**new.arguments(), test=True).result is False


def test_a_dead_link_is_replaced(states, new):
    Path(new.name).parent.mkdir(parents=True)
    Path(new.name).symlink_to("/nowhere")
    result = states.kube_node.binary_installed(**new.arguments())
    assert result.changes[new.name] == {"old": "/nowhere", "new": new.path}


@pytest.mark.usefixtures("installed")
def test_a_wrong_digest_is_refused(states, new, tmp_path):
    before = files(tmp_path)
    result = states.kube_node.binary_installed(**new.arguments() | {"sha256": "0" * 64})
    assert (result.result, result.changes, result.comment) == (
        False,
        {},
        f"{new.source} does not have the digest {'0' * 64}",
    )
    assert files(tmp_path) == before
    assert run(new.name) == "v1.36.1"


def test_a_missing_source_is_refused(states, new, tmp_path):
    shutil.rmtree(tmp_path / "served")
    result = states.kube_node.binary_installed(**new.arguments())
    assert (result.result, result.changes, result.comment) == (False, {}, f"{new.source} is not there")


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


@pytest.fixture
def certificates(modules, node) -> list[Path]:  # noqa: ARG001 - the pillar it gives says where
    """Return where the kubelet's certificates will be; their folder is there already."""
    paths = [Path(path) for path in modules.kube_node.missing_certificates()]
    paths[0].parent.mkdir(parents=True)
    return paths


@pytest.mark.parametrize("test", [True, False])
def test_a_node_with_certificates_has_joined(states, certificates, test):
    for path in certificates:
        path.touch()
    result = states.kube_node.joined(name="worker-1", timeout=0, test=test)
    assert (result.result, result.changes, result.comment) == (True, {}, "worker-1 has its certificates")


def test_a_node_is_waited_for(states, certificates):
    timer = threading.Timer(0.2, lambda: [path.touch() for path in certificates])
    timer.start()
    assert states.kube_node.joined(name="worker-1", timeout=30).result is True
    timer.join()


def test_a_node_is_not_waited_for_without_end(states, certificates):
    client, server = certificates
    result = states.kube_node.joined(name="worker-1", timeout=0)
    assert (result.result, result.changes, result.comment) == (
        False,
        {},
        f"The kubelet has no {client}, {server} after 0 s. On the master, 'salt-run kube_node.pending' says "
        "why; on the node, 'journalctl -u kubelet'",
    )


def test_a_test_run_waits_for_nobody(states, certificates):
    client, server = certificates
    result = states.kube_node.joined(name="worker-1", timeout=3600, test=True)
    assert (result.result, result.changes, result.comment) == (
        None,
        {},
        f"The kubelet would be waited for: it has no {client}, {server}",
    )
