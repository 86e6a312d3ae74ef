"""What goes wrong between the approver and the API server: on the API double, in one process, without
Salt."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import kube_api
import kubelet_csr_facts
import kubelet_csr_pass
import pytest
import yaml
from kube_node_identity import Identity
from kubelet_csr_api import Requests
from kubelet_csr_nodes import Nodes
from kubelet_csr_policy import DEFAULT_POLICY
from lab import pki
from unit.ground import Ground
from unit.lab.apiserver_cluster import CLIENT, CSRS, Cluster, csr

from integration.double import conditions, connect, fault, names

NODE = Identity("m1", "demo", "n1", (), ("n1",), "aaaaaa")


@pytest.fixture
def ask(cluster):
    """Return a function that makes a kubelet's request, by its bootstrap token's user; returns its name."""
    by = cluster.session("system:bootstrap:aaaaaa", "system:bootstrappers")

    def make(name: str = "csr-bcdfg", **spec) -> str:
        body = csr(**spec) | {"metadata": {"name": name}}
        return cluster.make(CSRS, body, by)["metadata"]["name"]

    return make


def approve(cluster: Cluster, requests: Requests | None = None, between=lambda: None) -> dict[str, dict]:
    """Make one pass; `between` happens after the facts are gathered. Returns the decisions by request."""
    requests = requests or connect(cluster)
    decisions, times = {}, iter([between])

    def gather(those: list[dict]) -> list[dict]:
        next(times, lambda: None)()
        return kubelet_csr_facts.gather(Ground.of(NODE), Nodes(requests.api), those, ())

    def tell(decision: dict) -> None:
        decisions[decision["name"]] = decision

    todo = [one for one in requests.items()[0] if kubelet_csr_facts.is_pending(one)]
    kubelet_csr_pass.run("demo", requests, todo, gather, DEFAULT_POLICY, tell)
    return decisions


def test_approver_needs_no_more_than_its_rights(cluster, ask):
    name = ask()
    assert approve(cluster)[name]["verdict"] == "approve"
    assert conditions(cluster, name) == ["Approved"]


def test_server_that_is_down_is_named(cluster):
    api = kube_api.Api(str(cluster.kubeconfig()))
    api.server = "https://127.0.0.1:1"
    with pytest.raises(kube_api.ApiError, match=r"https://127\.0\.0\.1:1 does not answer"):
        Requests(api).items()


def test_list_that_breaks_in_the_middle_goes_on(cluster, ask, monkeypatch):
    monkeypatch.setattr(kube_api, "PAGE", 2)
    for name in names(5):
        ask(name)
    fault(cluster, action="status", code=503, path="continue=", count=1)
    fault(cluster, action="drop", path="continue=", count=1)
    assert len(connect(cluster).items()[0]) == 5


def test_list_whose_continuation_the_server_forgot_starts_again(cluster, ask, monkeypatch):
    monkeypatch.setattr(kube_api, "PAGE", 2)
    for name in names(5):
        ask(name)
    fault(cluster, action="status", code=410, path="continue=", count=1)
    assert sorted(one["metadata"]["name"] for one in connect(cluster).items()[0]) == sorted(names(5))


@pytest.mark.parametrize("action", ["drop", "drop-after"])
def test_write_that_breaks_off_is_written_once(cluster, ask, action):
    name = ask()
    fault(cluster, action=action, verb="update", count=1)
    assert approve(cluster)[name]["verdict"] == "approve"
    assert conditions(cluster, name) == ["Approved"]


def test_server_that_goes_away_between_writes_is_told_and_the_rest_stays_pending(cluster, ask):
    for name in names(40):
        ask(name)
    fault(cluster, action="drop", verb="update")
    with pytest.raises(kube_api.ApiError, match="does not answer"):
        approve(cluster)
    cluster.call("DELETE", "/lab/faults")
    assert set(approve(cluster)) == set(names(40))


def test_retry_after_is_honoured(cluster, ask):
    name = ask()
    fault(cluster, action="status", code=429, retryAfter=1, verb="update", count=1)
    start = time.monotonic()
    assert approve(cluster)[name]["verdict"] == "approve"
    assert time.monotonic() - start >= 1


def test_request_that_the_server_never_takes_ends_no_pass(cluster, ask):
    poisoned, good = names(2)
    ask(poisoned)
    ask(good)
    fault(cluster, action="status", code=500, verb="update", path=poisoned)
    decisions = approve(cluster)
    assert (decisions[poisoned]["verdict"], decisions[poisoned]["rule"]) == ("ignore", "not_written")
    assert decisions[good]["verdict"] == "approve"


def test_certificate_of_another_authority_is_not_trusted(cluster, tmp_path):
    (tmp_path / "other").mkdir()
    other = pki.authority(tmp_path / "other")
    text = cluster.kubeconfig().read_text()
    config = yaml.safe_load(text)
    for entry in config["clusters"]:
        entry["cluster"].pop("certificate-authority-data", None)
        entry["cluster"]["certificate-authority"] = str(other.certificate)
    (tmp_path / "wrong.kubeconfig").write_text(yaml.safe_dump(config))
    with pytest.raises(kube_api.ApiError, match="certificate verify failed"):
        Requests(kube_api.Api(str(tmp_path / "wrong.kubeconfig"))).items()


def test_kubeconfig_that_is_missing_is_named(tmp_path):
    path = tmp_path / "none.kubeconfig"
    with pytest.raises(kube_api.ApiError, match=f"kubeconfig {path} cannot be used"):
        kube_api.Api(str(path))


@pytest.mark.parametrize(
    "text", ["", "[]", "7", "a: [", "a: b: c", "clusters: {}", "{current-context: x, contexts: 7}"]
)
def test_kubeconfig_that_is_none_is_named(tmp_path, text):
    path = tmp_path / "odd.kubeconfig"
    path.write_text(text)
    with pytest.raises(kube_api.ApiError, match=f"kubeconfig {path} cannot be used"):
        kube_api.Api(str(path))


def test_user_without_rights_is_told_which_one_is_missing(cluster):
    with pytest.raises(kube_api.ApiError) as refused:
        connect(cluster, "nobody-in-particular").items()
    told = str(kubelet_csr_pass.with_right(refused.value))
    assert told.startswith("the approver lacks the right: list on certificatesigningrequests; apply ")


def test_user_who_may_not_approve_for_the_signer_is_told_so_and_stops(cluster, ask):
    for name in names(3):
        ask(name)
    csrs = {
        "apiGroups": ["certificates.k8s.io"],
        "resources": ["certificatesigningrequests"],
        "verbs": ["list"],
    }
    update = csrs | {"resources": ["certificatesigningrequests/approval"], "verbs": ["update"]}
    nodes = {"apiGroups": [""], "resources": ["nodes"], "verbs": ["get"]}
    cluster.grant("half", csrs, update, nodes)
    with pytest.raises(kube_api.ApiError) as refused:
        approve(cluster, connect(cluster, "half"))
    assert str(refused.value).startswith(
        f"the approver lacks the right: approve on the signer {CLIENT}; apply "
    )


def test_request_deleted_and_made_again_by_another_is_judged_anew(cluster, ask):
    name = ask()
    stranger = cluster.session("system:bootstrap:bbbbbb", "system:bootstrappers")

    def swap() -> None:
        cluster.call("DELETE", f"{CSRS}/{name}")
        cluster.make(CSRS, csr() | {"metadata": {"name": name}}, stranger)

    assert approve(cluster, between=swap)[name]["rule"] == "bootstrap_token"
    assert conditions(cluster, name) == []


def test_request_deleted_meanwhile_is_gone(cluster, ask):
    name = ask()
    decision = approve(cluster, between=lambda: cluster.call("DELETE", f"{CSRS}/{name}"))[name]
    assert (decision["verdict"], decision["rule"]) == ("ignore", "gone")


def test_denial_by_another_stands(cluster, ask):
    name = ask()
    decision = approve(
        cluster, between=lambda: cluster.approve(cluster.read(f"{CSRS}/{name}"), kind="Denied")
    )[name]
    assert (decision["verdict"], decision["rule"]) == ("ignore", "undecided")
    assert conditions(cluster, name) == ["Denied"]


def test_two_approvers_at_once_approve_each_request_once(cluster, ask):
    for name in names(40):
        ask(name)
    found: list[dict] = []
    masters = [connect(cluster) for _ in range(2)]  # not in the threads: both write the same kubeconfig
    both = [threading.Thread(target=lambda one=one: found.append(approve(cluster, one))) for one in masters]
    for one in both:
        one.start()
    for one in both:
        one.join()
    assert [conditions(cluster, name) for name in names(40)] == [["Approved"]] * 40
    rules = {decision["rule"] for decisions in found for decision in decisions.values()}
    assert rules <= {"approved_token", "undecided", "conflict"}


def test_ten_thousand_foreign_requests_keep_nobody_out(cluster, ask):
    api = kube_api.Api(str(cluster.kubeconfig()))
    body = csr(signerName="example.com/theirs")
    api.each(lambda one: api.request("POST", CSRS, one), [body] * 10_000)
    name = ask()
    start = time.monotonic()
    assert list(approve(cluster)) == [name]
    assert time.monotonic() - start < 10


def test_more_nodes_than_one_cost_one_list(cluster, ask):
    for node in ("n1", "n2"):
        cluster.make("/api/v1/nodes", {"metadata": {"name": node}})
    cluster.call("DELETE", "/lab/requests")
    api = connect(cluster).api
    states = Nodes(api).states(dict.fromkeys(("n1", "n2", "n3"), True))
    assert [states[name]["exists"] for name in ("n1", "n2", "n3")] == [True, True, False]
    assert len(cluster.read("/lab/requests?path=/nodes")) == 1


@pytest.mark.parametrize("cluster", [{"version": "1.18.20"}], indirect=True)
def test_cluster_that_knows_v1beta1_alone_is_approved_in(keys, cluster):
    path = CSRS.replace("/v1/", "/v1beta1/")
    body = csr() | {"apiVersion": "certificates.k8s.io/v1beta1", "metadata": {"name": "csr-bcdfg"}}
    by = cluster.session("system:bootstrap:aaaaaa", "system:bootstrappers")
    cluster.make(path, body, by)
    assert approve(cluster)["csr-bcdfg"]["verdict"] == "approve"
    assert [item["type"] for item in cluster.read(f"{path}/csr-bcdfg")["status"]["conditions"]] == [
        "Approved"
    ]


def test_log_of_decisions_is_its_owners_alone(tmp_path: Path):
    import kube_node_audit

    kube_node_audit.append(tmp_path / "audit.log", "{}\n")
    assert (tmp_path / "audit.log").stat().st_mode & 0o777 == 0o600
