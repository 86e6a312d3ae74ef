"""What an operator sees and asks: the runner on a real master, and whose pillar is believed."""

from __future__ import annotations

import base64
import json
import time
from pathlib import Path

import pytest
import yaml
from cryptography import x509

from integration.kubelets import TOKENS, Kubelet, conditions


@pytest.fixture
def kubelet(control_plane, quiet, minions, tmp_path):
    """Return the simulated kubelet of worker-1."""
    return Kubelet(control_plane, "worker-1", tmp_path)


@pytest.fixture
def ask(runner):
    """Return a function that calls the runner and gives what it returned."""

    def call(function: str, *args: str):
        result = runner.run(f"kube_node.{function}", *args)
        assert result.returncode == 0, result
        return result.data

    return call


@pytest.fixture
def explain(runner):
    """Return a function that gives the screen on a node or request."""
    return lambda what: runner.run("kube_node.explain", what).stdout


def test_refused_request_is_explained_in_one_screen(kubelet, control_plane, tmp_path, explain):
    request = Kubelet(control_plane, "worker-1", tmp_path, TOKENS["worker-2"]).ask_client()
    screen = explain(request)
    assert screen.endswith(
        "rule        bootstrap_token\n"
        "expected    an attested key or the bootstrap token 'aaaaaa' of minion 'worker-1'\n"
        "found       the user 'system:bootstrap:bbbbbb'\n"
        "what to do  run the minion's highstate, so that its kubelet joins with its own token"
    )
    assert len(screen.splitlines()) <= 24


def test_request_that_passes_is_said_to(kubelet, explain):
    kubelet.ask_client()
    assert explain("worker-1").endswith(
        "Every rule passes: the next pass approves it (salt-run kube_node.approve)."
    )


def test_node_without_a_request_is_explained(kubelet, explain):
    screen = explain("worker-1")
    assert screen.startswith("cluster  demo\nnode     worker-1\nminion   worker-1\nrequest  none\n")
    assert "there is no request of it at the API server" in screen


def test_node_of_nobody_is_explained(kubelet, explain):
    assert "No accepted minion's pillar says that it is node worker-9 of demo." in explain("worker-9")


def test_decision_is_in_the_audit_log(kubelet, ask):
    request = kubelet.ask_client()
    ask("approve")
    [entry] = [one for one in ask("audit") if one["name"] == request]
    assert (entry["minion"], entry["verdict"], entry["rule"]) == ("worker-1", "approve", "approved_token")
    assert len(entry["key_sha256"]) == 64


def test_dry_run_writes_nothing(kubelet, ask, control_plane):
    request = kubelet.ask_client()
    [decision] = ask("approve", "demo", "dry_run=True")
    assert (decision["name"], decision["verdict"]) == (request, "approve")
    assert conditions(control_plane, request) == {}


def test_node_name_that_differs_from_the_minion_id_is_found(kubelet, ask, rewrite, control_plane, tmp_path):
    rewrite("worker-1", name="rack-7")
    request = Kubelet(control_plane, "rack-7", tmp_path, TOKENS["worker-1"]).ask_client()
    [decision] = ask("approve")
    assert (decision["name"], decision["minion"], decision["verdict"]) == (request, "worker-1", "approve")


def test_node_that_two_minions_claim_is_neithers(kubelet, runner, rewrite):
    rewrite("worker-2", name="worker-1")
    request = kubelet.ask_client()
    result = runner.run("--log-level=error", "kube_node.pending")
    [decision] = result.data
    assert (decision["name"], decision["verdict"], decision["rule"]) == (request, "ignore", "node_known")
    assert "node worker-1 of demo is claimed by the minions worker-1, worker-2" in result.stderr


def test_pillar_that_a_minion_overrides_is_not_believed(kubelet, minions, ask, control_plane, tmp_path):
    forged = json.dumps({"kube_node": {"node": {"name": "worker-1"}}})
    minions["worker-2"].salt_call_cli().run("pillar.items", f"pillar={forged}")
    stranger = Kubelet(control_plane, "worker-1", tmp_path, TOKENS["worker-2"]).ask_client()
    [decision] = ask("pending")
    assert (decision["name"], decision["minion"], decision["verdict"]) == (stranger, "worker-1", "ignore")


def test_fault_in_the_settings_is_told_with_its_key(kubelet, runner, master):
    path = Path(master.config_dir) / "master.d"
    path.mkdir(exist_ok=True)
    (path / "zz.conf").write_text("kube_node: {policy: {deny: maybe}}\n")
    try:
        result = runner.run("kube_node.pending")
    finally:
        (path / "zz.conf").unlink()
    told = "the master's configuration: kube_node.policy.deny is 'maybe', write true or false"
    assert (result.returncode, result.stdout) == (1, told)


def test_binding_that_approves_before_us_is_reported_and_removed_when_asked(kubelet, ask, control_plane):
    control_plane.kubectl(
        "create",
        "clusterrolebinding",
        "kubeadm:node-autoapprove-bootstrap",
        "--clusterrole=system:certificates.k8s.io:certificatesigningrequests:nodeclient",
        "--group=system:bootstrappers",
    )
    admin = str(control_plane.admin_kubeconfig)
    [found] = ask("check_rights", admin)
    assert found["binding"] == "kubeadm:node-autoapprove-bootstrap"
    assert found["subjects"] == ["Group system:bootstrappers"]
    assert found["what_to_do"].startswith("it approves before the approver, whoever asks: kubectl delete ")
    assert ask("check_rights", admin, "remove=True")[0]["what_to_do"] == "removed"
    assert ask("check_rights", admin) == []


@pytest.fixture
def granted(ask, control_plane, master):
    """Return what the runner says when an administrator gives the approver its rights under another name."""
    path = Path(master.config_dir) / "kube_node/granted.kubeconfig"
    yield ask("grant", "granted", str(control_plane.admin_kubeconfig))
    path.unlink()


def test_grant_gives_the_master_a_kubeconfig_of_its_own(kubelet, granted, ask):
    kubelet.ask_client()
    path = Path(granted["kubeconfig"])
    assert (path.name, path.stat().st_mode & 0o777) == ("granted.kubeconfig", 0o600)
    assert ask("pending", "granted") != []
    user = yaml.safe_load(path.read_text())["users"][0]["user"]
    certificate = x509.load_pem_x509_certificate(base64.b64decode(user["client-certificate-data"]))
    assert certificate.subject.rfc4514_string() == "CN=kube-node-approver"


def test_grant_changes_nothing_where_the_rights_are_as_they_should_be(granted):
    assert (granted["changes"], granted["others"]) == ([], [])


def test_grant_mends_rights_that_are_others(control_plane, master, ask):
    path = Path(master.config_dir) / "kube_node/granted.kubeconfig"
    control_plane.kubectl("delete", "clusterrolebinding", "kube-node:approver")
    control_plane.kubectl("delete", "role", "--namespace=kube-system", "kube-node:bootstrap-tokens")
    found = ask("grant", "granted", str(control_plane.admin_kubeconfig))
    path.unlink()
    assert found["changes"] == ["ClusterRoleBinding kube-node:approver", "Role kube-node:bootstrap-tokens"]


def test_reactors_thread_is_free_at_once(kubelet, master, minions):
    """The log says when the runner's function returned; its worker waits for requests meanwhile."""
    start = time.time()
    minions["worker-1"].salt_call_cli().run("event.send", "kube_node/kubelet/start")
    lock = Path(master.config["cachedir"]) / "kube_node" / "demo.lock"
    deadline = time.monotonic() + 10
    while (not lock.exists() or lock.stat().st_mtime < start) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert kubelet.certificate(kubelet.ask_client())
