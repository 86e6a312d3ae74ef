"""The cluster's network on API servers of the newest and the oldest generation."""

from __future__ import annotations

import socket
from pathlib import Path

import kube_api
import kube_node_apply
import kube_node_calico as calico
import kube_node_grant
import kube_node_manifest as manifest
import kube_node_rollout as rollout
import pytest
import yaml
from lab.controlplane import ControlPlane
from unit import manifests

NEWEST, OLDEST = "1.36.2", "1.9.11"
DAEMON_SET = "apps/v1 DaemonSet kube-system/kube-flannel-ds"


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@pytest.fixture(scope="module", params=[NEWEST, OLDEST])
def plane(request, tmp_path_factory, formula: Path):
    """Return a control plane with the rights of the network's user."""
    plane = ControlPlane(tmp_path_factory.mktemp("plane"), port=free_port(), version=request.param)
    if plane.flavour == "real" and request.param == OLDEST:
        pytest.skip("the real API server is of one version")
    with plane:
        rights = yaml.safe_load_all((formula / "kube_node/master/files/network.yaml").read_text())
        kube_node_grant.give_rights(kube_api.Api(str(plane.admin_kubeconfig)), rights)
        yield plane


@pytest.fixture
def target(plane: ControlPlane, request):
    """Return what applies manifests there, as the network's user where that may; take all away at the end."""
    merges = plane.version == NEWEST
    kubeconfig = plane.kubeconfig(kube_node_grant.NETWORK) if merges else plane.admin_kubeconfig
    api = kube_api.Api(str(kubeconfig))

    def given(**settings) -> kube_node_apply.Cluster:
        return kube_node_apply.Cluster(api, merges, seconds=10, **settings)

    given.api = api
    yield given
    given().apply([])


def flannel(plane: ControlPlane, **network) -> list[manifest.Object]:
    return manifest.marked(manifests.of_flannel(plane.version, network))


def of_calico(found: list[manifest.Object]) -> list[manifest.Object]:
    return manifest.marked(calico.objects(manifests.node(plugin="calico"), found, "calico.yaml")[0])


@pytest.fixture(params=["flannel", "calico", "operator"])
def objects(request, plane: ControlPlane) -> list[manifest.Object]:
    """Return a network's manifest."""
    if request.param == "flannel":
        return flannel(plane)
    if plane.version == OLDEST:
        pytest.skip("calico's manifest of today is not for that API server")
    return of_calico(manifests.calico() if request.param == "calico" else manifests.operator())


def test_a_manifest_is_applied_once(target, objects):
    changes, _ = target().apply(objects)
    assert list(changes) == [manifest.reference(one) for one in objects]
    assert target().apply(objects)[0] == {}


def test_a_dry_run_tells_all_and_makes_nothing(target, objects):
    changes, _ = target(test=True).apply(objects)
    assert set(changes.values()) == {"would be made"}
    assert [one for one in objects if target().get(one)] == [
        one for one in objects if is_kept(one) and target().get(one)
    ]


def is_kept(one: manifest.Object) -> bool:
    """Tell whether an object is one that is never removed, and so may be there from the test before."""
    return one["kind"] in kube_node_apply.KEPT


def test_what_is_gone_from_the_manifest_is_removed(target, objects):
    target().apply(objects)
    changes, kept = target().apply([])
    assert set(changes.values()) == {"removed"}
    assert {one for one in map(manifest.reference, objects) if one not in kept} == set(changes)
    assert {manifest.reference(one) for one in objects if target().get(one)} <= set(kept)


def test_a_change_is_foretold_and_then_made(target, plane):
    target().apply(flannel(plane))
    foretold, _ = target(test=True).apply(flannel(plane, mtu=1400))
    done, _ = target().apply(flannel(plane, mtu=1400))
    assert set(foretold) == set(done) == {DAEMON_SET, "v1 ConfigMap kube-system/kube-flannel-cfg"}
    assert '+            "mtu": 1400,' in foretold["v1 ConfigMap kube-system/kube-flannel-cfg"]


def test_a_field_that_is_gone_from_the_manifest_goes(target, plane):
    target().apply(flannel(plane, mtu=1400))
    objects = flannel(plane, mtu=1400)
    service_account = manifest.find(objects, "ConfigMap", "kube-flannel-cfg", "")
    del service_account["metadata"]["labels"]["tier"]
    if plane.version == OLDEST:  # labels are laid over those that are there; data are whole
        service_account["metadata"]["labels"]["tier"] = "node"
    del service_account["data"]["net-conf.json"]
    target().apply(objects)
    live = target().get(service_account)
    assert list(live["data"]) == ["cni-conf.json"]


def test_one_network_makes_way_for_another_first(target, plane):
    if plane.version == OLDEST:
        pytest.skip("calico's manifest of today is not for that API server")
    target().apply(flannel(plane))
    changes, _ = target().apply(of_calico(manifests.calico()))
    assert next(iter(changes.items())) == (DAEMON_SET, "removed")


def test_what_somebody_else_made_is_refused(target, plane):
    admin = kube_api.Api(str(plane.admin_kubeconfig))
    other = {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {"name": "flannel", "namespace": "kube-system"},
    }
    admin.request("POST", "/api/v1/namespaces/kube-system/serviceaccounts", other)
    try:
        with pytest.raises(
            kube_node_apply.Refused, match=r"somebody else made v1 ServiceAccount kube-system/flannel"
        ):
            target().apply(flannel(plane))
        assert target().get(manifest.of_reference(DAEMON_SET)) is None
        changes, _ = target(adopt=True).apply(flannel(plane))
        assert DAEMON_SET in changes
        assert target().apply(flannel(plane))[0] == {}
    finally:
        target().apply([])


def test_what_somebody_else_changed_is_told(target, plane):
    if plane.version == OLDEST:
        pytest.skip("only the server that merges knows who changed what")
    target().apply(flannel(plane))
    patch = {"data": {"net-conf.json": "{}"}}
    path = "/api/v1/namespaces/kube-system/configmaps/kube-flannel-cfg"
    admin = kube_api.Api(str(plane.admin_kubeconfig))
    admin.request("PATCH", path, patch, content_type="application/merge-patch+json")
    with pytest.raises(kube_node_apply.Refused, match=r"kube-flannel-cfg: .*conflict.*adopt: true"):
        target().apply(flannel(plane))
    target(adopt=True).apply(flannel(plane))
    assert target().apply(flannel(plane))[0] == {}


@pytest.mark.parametrize("writes", range(1, 7))
def test_an_api_server_that_goes_away_in_between_is_finished_by_the_next_run(
    target, plane, monkeypatch, writes: int
):
    count = iter(range(writes))
    request = target.api.request

    def until_it_is_away(method, *args, **kwargs):
        if method != "GET" and next(count, None) is None:
            raise kube_api.ApiError(0, "it does not answer")
        return request(method, *args, **kwargs)

    with monkeypatch.context() as patched:
        patched.setattr(target.api, "request", until_it_is_away)
        with pytest.raises(kube_api.ApiError):
            target().apply(flannel(plane))
    target().apply(flannel(plane))
    assert target().apply(flannel(plane))[0] == {}
    target().apply([])
    assert [one for one in flannel(plane) if target().get(one)] == []


def test_a_workload_that_is_not_out_tells_why(target, plane):
    if plane.flavour == "real":
        pytest.skip("there a controller writes the status")
    admin = kube_api.Api(str(plane.admin_kubeconfig))
    target().apply(flannel(plane))
    path = "/apis/apps/v1/namespaces/kube-system/daemonsets/kube-flannel-ds"
    status = {"observedGeneration": 1, "desiredNumberScheduled": 1, "updatedNumberScheduled": 1}
    admin.request("PUT", f"{path}/status", {**admin.request("GET", path), "status": status})
    pods = "/api/v1/namespaces/kube-system/pods"
    pod = {
        "metadata": {"name": "kube-flannel-ds-x", "labels": {"app": "flannel", "tier": "node"}},
        "spec": {"nodeName": "worker-1", "containers": [{"name": "kube-flannel", "image": "x"}]},
    }
    made = admin.request("POST", pods, pod)
    waiting = {"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}}
    status = {"phase": "Pending", "containerStatuses": [{"name": "kube-flannel", "state": waiting}]}
    admin.request("PUT", f"{pods}/kube-flannel-ds-x/status", {**made, "status": status})
    assert rollout.wait(target.api, [("DaemonSet", "kube-system", "kube-flannel-ds")], 0) == [
        "DaemonSet kube-system/kube-flannel-ds: 0 of 1 pods are ready; "
        "kube-flannel-ds-x on worker-1: kube-flannel ImagePullBackOff no such image"
    ]
    admin.request("DELETE", f"{pods}/kube-flannel-ds-x")
