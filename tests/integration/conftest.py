"""A control plane, a master with the formula's reactor, and two minions: real daemons, only the kubelets are
simulated. And the double alone, in the test's own process, for what is between it and the approver."""

from __future__ import annotations

import shutil
import socket
import tempfile
from collections.abc import Callable
from pathlib import Path

import kube_api
import kube_node_knocks
import kube_node_register
import kube_node_tokens
import pytest
import yaml
from lab import apiserver, pki
from lab.controlplane import ControlPlane
from saltfactories.utils import random_string
from unit.lab.apiserver_cluster import Cluster

from integration import workers
from integration.kubelets import TOKENS, prepare
from integration.workers import CLUSTER

RBAC = "/apis/rbac.authorization.k8s.io/v1"


@pytest.fixture(scope="session")
def salt_factories_default_root_dir():
    """Return a folder of this run alone, of a short name: a socket's path may have 107 letters."""
    with tempfile.TemporaryDirectory(prefix="kn-") as folder:
        yield Path(folder)


@pytest.fixture(scope="session")
def control_plane(tmp_path_factory: pytest.TempPathFactory, formula: Path) -> ControlPlane:
    """Return a running control plane that knows the approver, the nodes' rights and two tokens."""
    plane = ControlPlane(tmp_path_factory.mktemp("plane"), port=_free_port())
    with plane:
        prepare(plane, formula)
        yield plane


@pytest.fixture(scope="session")
def pillar(control_plane: ControlPlane) -> dict:
    """Return what the pillar of both minions has in common."""
    return {
        "version": "1.36.2",
        "cluster": {
            "name": CLUSTER,
            "api_server": control_plane.url,
            "ca": control_plane.ca_file.read_text(),
        },
        "binaries": {"source": "salt://kubernetes", "sha256": {"kubelet": "a" * 64, "kube-proxy": "b" * 64}},
    }


@pytest.fixture(scope="session")
def master(salt_factories, control_plane, pillar, formula, tmp_path_factory):
    """Return a running master with the configuration of docs/examples/master.conf."""
    pillar_root = tmp_path_factory.mktemp("pillar")
    config = yaml.safe_load((formula / "docs/examples/master.conf").read_text())
    config["kube_node"]["wait_seconds"] = 30
    del config["schedule"]  # a sweep would decide in the middle of a test what is to be seen pending
    config |= {
        "file_roots": {"base": [str(formula)]},
        "pillar_roots": {"base": [str(pillar_root)]},
        "log_level": "info",
    }
    factory = salt_factories.salt_master_daemon(
        random_string("master-"), overrides=config | {"open_mode": False}
    )
    folder = Path(factory.config_dir) / "kube_node"
    folder.mkdir()
    shutil.copy(control_plane.kubeconfig("kube-node-approver"), folder / f"{CLUSTER}.kubeconfig")
    (pillar_root / "top.sls").write_text(yaml.safe_dump({"base": {minion: [minion] for minion in TOKENS}}))
    for number, (minion, token) in enumerate(TOKENS.items(), 11):
        node = {"node": {"addresses": [f"10.77.0.{number}"]}, "certificates": {"bootstrap_token": token}}
        (pillar_root / f"{minion}.sls").write_text(yaml.safe_dump({"kube_node": pillar | node}))
    sync(factory)
    with factory.started():
        yield factory


def sync(master) -> None:
    """Give a master the formula's modules before it starts: its reactor keeps to those that it finds then."""
    Path(master.config["cachedir"], "proc").mkdir(parents=True, exist_ok=True)  # or no runner runs before
    done = master.salt_run_cli(timeout=180).run("saltutil.sync_all")
    assert done.returncode == 0, done


@pytest.fixture(scope="session")
def minions(master):
    """Return both minions, running and accepted, by id."""
    daemons = {}
    for name in TOKENS:
        daemons[name] = master.salt_minion_daemon(name, overrides={"log_level": "info"})
    first, second = daemons.values()
    with first.started(), second.started():
        yield daemons


@pytest.fixture(scope="session")
def on_minion(master, minions):
    """Return a function that runs an execution function on a minion, without a process of salt-call's."""
    client = master.salt_client()
    return lambda minion, *call, **options: client.run(*call, minion_tgt=minion, **options)


@pytest.fixture
def change_pillar(master, on_minion):
    """Return a function that lets another change a minion's pillar for one test; the minion fetches it."""
    folder, before = Path(master.config["pillar_roots"]["base"][-1]), {}

    def change(minion: str, how: Callable[[dict], object]) -> None:
        path = folder / f"{minion}.sls"
        before.setdefault(minion, path.read_text())
        content = yaml.safe_load(path.read_text())
        how(content["kube_node"])
        path.write_text(yaml.safe_dump(content))
        on_minion(minion, "pillar.items")

    yield change
    for minion, text in before.items():
        (folder / f"{minion}.sls").write_text(text)
        on_minion(minion, "pillar.items")


@pytest.fixture
def rewrite(change_pillar):
    """Return a function that changes the node in a minion's pillar for one test."""
    return lambda minion, **node: change_pillar(minion, lambda tree: tree["node"].update(node))


@pytest.fixture
def quiet(control_plane: ControlPlane, master) -> None:
    """Leave nothing of another test: no node, request, knock or derived token, and no worker that waits."""
    workers.end(master)
    register = kube_node_register.of_master(master.config["cachedir"])
    for made in register.made(CLUSTER):
        name = kube_node_tokens.name(made.token_id)
        control_plane.kubectl("delete", "secret", "--namespace=kube-system", "--ignore-not-found", name)
        register.drop_made([made])
    control_plane.kubectl("delete", "csr,nodes", "--all")


@pytest.fixture
def secrets(control_plane: ControlPlane) -> Callable[[], set[str]]:
    """Return a function that gives the ids of the tokens that are valid in the cluster."""

    def get() -> set[str]:
        names = control_plane.kubectl("get", "secrets", "--namespace=kube-system", "--output=name").split()
        prefix = "secret/bootstrap-token-"
        return {name.removeprefix(prefix) for name in names if name.startswith(prefix)}

    return get


@pytest.fixture
def derived(change_pillar, quiet) -> None:
    """Leave the tokens of both minions to the master."""
    for minion in TOKENS:
        change_pillar(minion, lambda tree: tree.pop("certificates"))


@pytest.fixture
def token(on_minion) -> Callable[..., str]:
    """Return a function that gives the token in a minion's pillar, as the minion gets it."""

    def get(minion: str, **options: object) -> str:
        pillar = on_minion(minion, "pillar.items", unmask=True, **options)
        return pillar["kube_node"]["certificates"]["bootstrap_token"]

    return get


@pytest.fixture
def knock(on_minion) -> Callable[..., None]:
    """Return a function that sends a minion's knock, as kube-node-knock.service does."""

    def send(minion: str, **said: object) -> None:
        assert on_minion(minion, "event.send", kube_node_knocks.START, **said) is True

    return send


@pytest.fixture(scope="session")
def runner(master):
    """Return salt-run."""
    return master.salt_run_cli(timeout=120)


@pytest.fixture(scope="session")
def keys(tmp_path_factory):
    """Return an authority, and the double's serving certificate by it."""
    folder = tmp_path_factory.mktemp("pki")
    ca = pki.authority(folder)
    return ca, pki.server(ca, folder, "apiserver", ["127.0.0.1"])


@pytest.fixture
def cluster(request, keys, formula, tmp_path, monkeypatch):
    """Return a double with the rights of kube_node/master/files; settings come by indirect parameters."""
    ca, serving = keys
    monkeypatch.setattr(kube_api, "FIRST_PAUSE", 0.01)
    settings = {"client_ca_file": ca.certificate, "cluster_signing_cert_file": ca.certificate}
    settings |= {"tls_cert_file": serving.certificate, "tls_private_key_file": serving.key}
    settings |= {"cluster_signing_key_file": ca.key, **getattr(request, "param", {})}
    with apiserver.start(**settings) as running:
        found = Cluster(running.url, ca, tmp_path)
        for path in sorted((formula / "kube_node/master/files").glob("*.yaml")):
            for manifest in yaml.safe_load_all(path.read_text()):
                namespace = manifest["metadata"].get("namespace")
                place = f"namespaces/{namespace}/" if namespace else ""
                found.make(f"{RBAC}/{place}{manifest['kind'].lower()}s", manifest)
        yield found


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]
