"""kube_node_machine.facts on this very machine: what it tells is true, and finding it out changes nothing."""

from __future__ import annotations

import contextlib
import os
import socket
import ssl
import threading
import time
from email.utils import formatdate
from pathlib import Path

import pytest
from lab import pki
from unit.certificates import DAY, write
from unit.machines import GOOD
from unit.nodes import CA, pillar


@pytest.fixture
def facts(modules, node, tmp_path: Path):
    """Return a function that tells the facts by a pillar; where its API server should be is nobody."""

    def told(change: dict | None = None) -> dict:
        base = {"cluster": {"api_server": "https://127.0.0.1:1"}, "paths": paths(tmp_path)}
        node(pillar(base | (change or {})))
        return modules.kube_node_machine.facts()

    return told


def paths(folder: Path) -> dict[str, str]:
    return {name: str(folder / name) for name in ("kubelet", "kubernetes", "certificates", "cni_config")}


def test_all_that_is_judged_is_told(facts):
    assert set(facts()) == set(GOOD)


def test_the_kernel_is_this_one(facts):
    assert facts()["kernel"] == os.uname().release


def test_this_machines_memory_disks_and_addresses_are_told(facts, tmp_path):
    found = facts()
    assert found["memory_mib"] > 100
    assert found["disks"][str(tmp_path / "kubelet")]["free_mib"] > 0
    assert "127.0.0.1" in found["addresses"]


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_a_port_that_is_taken_is_told_with_who_has_it(facts, host: str):
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as taken:
        try:
            taken.bind((host, 0))
        except OSError as error:
            pytest.skip(f"no {host} here: {error}")
        taken.listen()
        port = taken.getsockname()[1]
        found = facts({"kubelet": {"config": {"port": port}}})
    assert found["ports"][port]["program"] == Path("/proc/self/comm").read_text().strip()


def test_a_node_that_has_joined_has_its_name_in_its_certificate(facts, modules, tmp_path):
    path = Path(tmp_path, "kubelet/pki/kubelet-client-current.pem")
    path.parent.mkdir(parents=True)
    write(str(path), time.time() - DAY, time.time() + DAY)
    assert facts()["client_name"] == "system:node:worker-1"


@pytest.mark.parametrize(
    "text", ["", "- a", "users: 7", "users: [{user: {client-certificate-data: '%'}}]", "{"]
)
def test_a_kubeconfig_that_is_none_names_nobody(facts, tmp_path, text: str):
    (tmp_path / "kubernetes").mkdir()
    (tmp_path / "kubernetes/kubelet.kubeconfig").write_text(text)
    assert facts()["client_name"] is None


def test_network_configurations_are_told_and_nothing_else(facts, tmp_path):
    (tmp_path / "cni_config").mkdir()
    for name in ("10-mine.conflist", "calico-kubeconfig", "20-other.conf"):
        (tmp_path / "cni_config" / name).touch()
    assert facts()["cni_files"] == ["10-mine.conflist", "20-other.conf"]


def test_an_api_server_that_is_not_there_is_told(facts):
    assert facts()["api_server"] == {
        "reached": False,
        "trusted": False,
        "why": "Connection refused",
        "ahead": None,
    }


def test_nothing_is_written(facts, tmp_path):
    facts()
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def speaks_tls(tmp_path):
    """Return a function that has somebody answer with a certificate for some hosts; the CA, and the URL."""

    def start(*hosts: str, answer: str = "") -> tuple[str, str]:
        (tmp_path / "pki").mkdir()
        authority = pki.authority(tmp_path / "pki")
        pair = pki.server(authority, tmp_path / "pki", "server", hosts)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pair.certificate, pair.key)
        listener = socket.create_server(("127.0.0.1", 0))
        opened.append(listener)

        def serve() -> None:
            with (
                contextlib.suppress(OSError),
                context.wrap_socket(listener.accept()[0], server_side=True) as asked,
            ):
                asked.recv(4096)
                asked.sendall(f"HTTP/1.1 401 Unauthorized\r\n{answer}\r\n\r\n".encode() if answer else b"")

        threading.Thread(target=serve, daemon=True).start()
        return authority.certificate.read_text(), f"https://127.0.0.1:{listener.getsockname()[1]}"

    opened: list[socket.socket] = []
    yield start
    for listener in opened:
        listener.close()


def test_an_api_server_by_the_clusters_authority_is_trusted(facts, speaks_tls):
    ca, url = speaks_tls("127.0.0.1")
    found = facts({"cluster": {"ca": ca, "api_server": url}})["api_server"]
    assert found == {"reached": True, "trusted": True, "why": "", "ahead": None}


@pytest.mark.parametrize("seconds", [-3600, 0, 3600])
def test_an_api_server_tells_how_far_this_clock_is_ahead(facts, speaks_tls, seconds: int):
    ca, url = speaks_tls("127.0.0.1", answer=f"Date: {formatdate(time.time() - seconds, usegmt=True)}")
    found = facts({"cluster": {"ca": ca, "api_server": url}})["api_server"]
    assert found["ahead"] == pytest.approx(seconds, abs=5)


@pytest.mark.parametrize("answer", ["Date: yesterday", "Server: nobody"])
def test_an_api_server_that_tells_no_time_says_nothing_of_the_clock(facts, speaks_tls, answer: str):
    ca, url = speaks_tls("127.0.0.1", answer=answer)
    assert facts({"cluster": {"ca": ca, "api_server": url}})["api_server"]["ahead"] is None


@pytest.mark.parametrize(("name", "known"), [("localhost", True), ("no-such.invalid", False)])
def test_a_name_is_asked_for(facts, name: str, known: bool):
    assert facts({"node": {"name": name}})["name_known"] is known


@pytest.mark.parametrize(("host", "ca"), [("10.0.0.10", None), ("127.0.0.1", CA)])
def test_an_api_server_for_another_host_or_by_another_authority_is_not(facts, speaks_tls, host: str, ca):
    own, url = speaks_tls(host)
    found = facts({"cluster": {"ca": ca or own, "api_server": url}})["api_server"]
    assert (found["reached"], found["trusted"]) == (True, False)
