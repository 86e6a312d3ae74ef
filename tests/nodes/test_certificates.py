"""A machine whose certificates the master signs: renewed, moved to bootstrap and back, and to another CA."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import yaml
from cryptography import x509
from lab import cluster, host, pki
from lab.lab import Lab, control_plane_of
from lab.machine import Machine

from nodes.conftest import UNITS, changed, highstate, invocations

NAME = "static"
PKI = "/etc/kubernetes/pki"
CURRENT = "/var/lib/kubelet/pki/kubelet-client-current.pem"
ISSUED = {
    "mode": "static",
    "kubelet": {"from": "master"},
    "kube_proxy": {"from": "master"},
    "subject": {"C": "CN", "ST": "HangZhou", "L": "XS", "OU": "System"},
    "days": 30,
    "renew_days": 10,
}
SERVICES = {"kubelet-service-running", "kube-proxy-service-running"}
LARGEST = 8 * 1024 * 1024


@pytest.fixture(scope="module")
def running() -> Iterator[Lab]:
    """Return a lab with one node whose certificates the master signs, with all events in a file."""
    if reason := host.unable():
        pytest.skip(reason)
    folder = host.labs() / NAME
    paths = {"certificate": "ca.crt", "key": "ca.key"}
    authority = {what: str(folder / "control-plane" / name) for what, name in paths.items()}
    settings = {
        "peer_run": {".*": [r"kube_node_sign\.certificate$"]},
        "kube_node": {"authorities": {cluster.CLUSTER: authority}},
        "event_return": "rawfile_json",
        "rawfile_json.filename": str(folder / "master/var/log/salt/events"),
    }
    with Lab(NAME, nodes=1, master_settings=settings) as lab:
        certificates(lab, ISSUED)
        highstate(lab)
        lab.control_plane.kubectl("wait", "--for=condition=Ready", "node", "--all", "--timeout=60s")
        yield lab


def certificates(lab: Lab, wanted: dict, ca: str | None = None) -> None:
    """Write the pillar of the lab's only machine."""
    [(minion, pillar)] = lab.pillars().items()
    pillar["certificates"] = wanted
    pillar["cluster"]["ca"] = ca or pillar["cluster"]["ca"]
    cluster.write_pillar(lab.master, {minion: pillar})
    lab.master.salt("*", "saltutil.refresh_pillar", "wait=True")


def is_ready(lab: Lab) -> bool:
    [node] = json.loads(lab.control_plane.kubectl("get", "nodes", "--output=json"))["items"]
    return any(one["type"] == "Ready" and one["status"] == "True" for one in node["status"]["conditions"])


def run_watched(lab: Lab) -> tuple[set[str], set[bool]]:
    """Run the highstate; return what it changed, and whether the node was Ready meanwhile."""
    seen = {is_ready(lab)}
    with ThreadPoolExecutor(1) as pool:
        run = pool.submit(highstate, lab)
        while not run.done():
            seen.add(is_ready(lab))
    [states] = run.result().values()
    return changed(states), seen | {is_ready(lab)}


def predicted(lab: Lab) -> set[str]:
    [states] = highstate(lab, "*", "test=True").values()
    return changed(states)


def read(machine: Machine, path: str) -> x509.Certificate:
    return x509.load_pem_x509_certificate(machine.run("cat", path).stdout.encode())


def test_the_certificate_is_that_of_the_role_for_this_node(running):
    [machine] = running.machines
    found = read(machine, f"{PKI}/kubelet.pem")
    assert found.subject.rfc4514_string() == (
        "CN=system:node:worker-1,OU=System,O=system:nodes,L=XS,ST=HangZhou,C=CN"
    )
    names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert [str(name.value) for name in names] == ["127.0.0.1", machine.address, "worker-1"]


def test_kube_proxy_speaks_with_a_certificate_of_its_own(running):
    [machine] = running.machines
    subject = read(machine, f"{PKI}/kube-proxy.pem").subject.rfc4514_string()
    assert subject.startswith("CN=system:kube-proxy,")
    assert machine.run("systemctl", "is-active", "kube-proxy").stdout.strip() == "active"


def test_a_second_run_changes_nothing_and_restarts_nothing(running):
    [machine] = running.machines
    before = invocations(machine)
    assert predicted(running) == set()
    assert run_watched(running) == (set(), {True})
    assert invocations(machine) == before


def test_a_renewal_keeps_the_key_and_restarts_what_reads_it_as_predicted(running):
    [machine] = running.machines
    before, key = invocations(machine), machine.run("cat", f"{PKI}/kubelet-key.pem").stdout
    certificates(running, ISSUED | {"days": 90, "renew_days": 60})
    expected = {"kubelet-certificate", "kube-proxy-certificate", *SERVICES}
    assert predicted(running) == expected
    assert run_watched(running) == (expected, {True})
    after = invocations(machine)
    assert {unit for unit in UNITS if after[unit] != before[unit]} == {"kubelet", "kube-proxy"}
    assert machine.run("cat", f"{PKI}/kubelet-key.pem").stdout == key
    assert changed(next(iter(highstate(running).values()))) == set()


def test_the_fleets_certificates_are_listed(running):
    told = running.master.salt_run("kube_node.certificates", "threshold=60", "timeout=120")
    assert told["retcode"] == 0
    assert {(row["minion"], row["name"], row["days_left"]) for row in told["certificates"]} == {
        ("worker-1", "client", 89),
        ("worker-1", "kube-proxy", 89),
    }


def test_a_node_moves_to_bootstrap_and_stays_ready(running):
    [machine] = running.machines
    certificates(running, {"mode": "bootstrap"})
    done, seen = run_watched(running)
    assert seen == {True}
    assert {"kubelet-certificate", "kubelet-kubeconfig", *SERVICES} <= done
    assert read(machine, CURRENT).public_key() == read(machine, f"{PKI}/kubelet.pem").public_key()
    assert CURRENT in machine.run("cat", "/etc/kubernetes/kubelet.kubeconfig").stdout
    assert run_watched(running) == (set(), {True})
    assert predicted(running) == set()


def test_a_node_moves_back_to_static_and_stays_ready(running):
    certificates(running, ISSUED)
    done, seen = run_watched(running)
    assert seen == {True}
    assert {"kubelet-kubeconfig", *SERVICES} <= done
    assert run_watched(running) == (set(), {True})


def test_a_node_stays_ready_while_the_pillar_has_two_cas(running):
    other = other_authority(running)
    certificates(running, {"mode": "bootstrap"}, running.control_plane.ca_file.read_text() + other)
    done, seen = run_watched(running)
    assert "cluster-ca" in done
    assert seen == {True}


def test_a_node_comes_back_by_its_token_when_the_ca_is_another(running):
    [machine] = running.machines
    running.control_plane.stop()
    folder = running.control_plane.directory
    for name in ("ca.crt", "ca.key"):
        (folder / f"other-{name}").replace(folder / name)
    running.control_plane = control_plane_of(NAME, running.version)
    running.control_plane.start()
    running.grant()
    certificates(running, {"mode": "bootstrap"})
    assert "kubelet-certificate" in predicted(running)
    [states] = highstate(running).values()
    assert "kubelet-certificate" in changed(states)
    running.control_plane.kubectl("wait", "--for=condition=Ready", "node", "--all", "--timeout=60s")
    authority = x509.load_pem_x509_certificate(running.control_plane.ca_file.read_bytes())
    read(machine, CURRENT).verify_directly_issued_by(authority)
    assert machine.run("test", "-e", f"{CURRENT}.replaced", check=False).returncode == 0
    assert changed(next(iter(highstate(running).values()))) == set()


def other_authority(lab: Lab) -> str:
    """Make an authority beside the control plane's; return its certificate."""
    return pki.authority(lab.control_plane.directory, "other-ca", "other").certificate.read_text()


# The last tests look at all that the ones before have left.


def test_keys_and_kubeconfigs_are_roots_alone(running):
    [machine] = running.machines
    found = machine.run(
        *("find", PKI, "/etc/kubernetes", "/var/lib/kubelet/pki", "-type", "f"),
        *("(", "-name", "*-key.pem", "-o", "-name", "*.kubeconfig", "-o", "-name", "kubelet-*-*.pem", ")"),
        *("-printf", "%m %u %p\n"),
    ).stdout.splitlines()
    assert len(found) >= 5
    assert [line for line in found if not line.startswith("600 root ")] == []
    assert machine.run("stat", "--format=%a %U", PKI).stdout.strip() == "700 root"


def files(folder: Path) -> Iterator[tuple[Path, bytes]]:
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink() and path.stat().st_size < LARGEST:
            yield path, path.read_bytes()


def bodies(pem: str) -> list[bytes]:
    """Return what a PEM key looks like within other files: a line of it, and that in base64 again.

    A line of what is private: in an RSA key the modulus comes first, which is in its certificate as well; an
    elliptic one ends with what is public.
    """
    blocks = re.findall(r"-----BEGIN [A-Z ]*PRIVATE KEY-----\n(.*?)\n-----END", pem, re.DOTALL)
    lines = [block.splitlines() for block in blocks]
    private = [one[len(one) // 2 if len(one) > 4 else 0].encode() for one in lines]
    return [needle for line in private for needle in (line, base64.b64encode(line)[4:-4])]


def test_no_file_of_the_machine_holds_the_cas_key_or_an_administrators_credential(running):
    [machine] = running.machines
    plane = running.control_plane.directory
    needles = [
        body
        for name in ("ca.key", "kubernetes-admin.key", "admin.key")
        if (plane / name).exists()
        for body in bodies((plane / name).read_text())
    ]
    assert len(needles) >= 2
    held = []
    for path, content in files(machine.directory / "upper"):
        if any(needle in content for needle in needles):
            held.append(path)
        text = content.decode("ascii", "replace")
        blocks = re.findall("-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", text, re.DOTALL)
        for data in re.findall(r"certificate-data: *(\S+)", text):
            blocks.append(base64.b64decode(data).decode("ascii", "replace"))
        for block in blocks:
            if "system:masters" in subject_of(block):
                held.append(path)
    assert held == []


def subject_of(block: str) -> str:
    try:
        return x509.load_pem_x509_certificate(block.encode()).subject.rfc4514_string()
    except ValueError:
        return ""


def test_no_secret_of_the_run_is_in_a_log_a_return_an_event_or_the_job_cache(running):
    [machine] = running.machines
    known = secrets(running)
    assert len(known) >= 6
    master = running.master.directory
    # Salt itself keeps each minion's pillar, the token in it.
    pillars = master / "var/cache/salt/master/pillar"
    looked = [
        (path, content)
        for folder in (master / "var", machine.directory / "upper/var")
        for path, content in files(folder)
        if pillars not in path.parents and "lib/kubelet/pki" not in str(path)
    ]
    names = {path.name for path, _ in looked}
    assert {"master", "events", "minion"} <= names
    assert [path for path, content in looked if any(secret in content for secret in known)] == []
    journal = machine.run("journalctl", "--no-pager", "--output=cat").stdout.encode()
    assert [secret for secret in known if secret in journal] == []


def secrets(lab: Lab) -> list[bytes]:
    """Return what is secret in this run: the machine's keys and tokens, the master's keys."""
    [machine] = lab.machines
    keys = machine.run("sh", "-c", f"cat {PKI}/*-key.pem /var/lib/kubelet/pki/*.pem").stdout
    kubeconfig = machine.run("cat", "/etc/kubernetes/bootstrap.kubeconfig", check=False).stdout
    tokens = re.findall(r"[a-z0-9]{6}\.[a-z0-9]{16}", kubeconfig)
    folder = lab.master.config / "kube_node"
    approver = yaml.safe_load((folder / f"{cluster.CLUSTER}.kubeconfig").read_text())
    own = base64.b64decode(approver["users"][0]["user"]["client-key-data"]).decode()
    derived = [line.split()[1] for line in (folder / "token.keys").read_text().splitlines()]
    ca = (lab.control_plane.directory / "ca.key").read_text()
    texts = [token.partition(".")[2] for token in tokens] + derived
    return [*map(str.encode, texts), *bodies(keys), *bodies(own), *bodies(ca)]
