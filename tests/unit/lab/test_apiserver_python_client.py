"""The official Python client finds nothing amiss."""

from __future__ import annotations

import pytest
from kubernetes import client, config, watch
from kubernetes.client.rest import ApiException

from unit.lab.apiserver_cluster import CLIENT, SERVING


@pytest.fixture
def api(cluster):
    with config.new_client_from_config(str(cluster.kubeconfig())) as found:
        yield found


def test_a_request_is_approved_with_its_uid_and_version(cluster, api):
    certificates = client.CertificatesV1Api(api)
    cluster.request_certificate(signerName=SERVING)
    (found,) = certificates.list_certificate_signing_request().items
    condition = client.V1CertificateSigningRequestCondition(type="Approved", status="True", reason="Test")
    found.status.conditions = [condition]
    done = certificates.replace_certificate_signing_request_approval(found.metadata.name, found)
    assert done.status.conditions[0].type == "Approved"
    with pytest.raises(ApiException) as conflict:
        certificates.replace_certificate_signing_request_approval(found.metadata.name, found)
    assert (conflict.value.status, conflict.value.reason) == (409, "Conflict")


def test_requests_are_listed_in_pages_by_signer(cluster, api):
    for signer in [CLIENT, SERVING] * 3:
        cluster.request_certificate(cluster.session("joe", "system:masters"), signerName=signer)
    listed, query = [], {"field_selector": f"spec.signerName={SERVING}", "limit": 2}
    while True:
        page = client.CertificatesV1Api(api).list_certificate_signing_request(**query)
        listed += page.items
        if not page.metadata._continue:
            break
        query["_continue"] = page.metadata._continue
    assert [one.spec.signer_name for one in listed] == [SERVING] * 3


def test_a_watch_sees_the_next_request(cluster, api):
    certificates = client.CertificatesV1Api(api)
    version = certificates.list_certificate_signing_request().metadata.resource_version
    cluster.request_certificate(signerName=SERVING)
    events = watch.Watch()
    for event in events.stream(
        certificates.list_certificate_signing_request, resource_version=version, timeout_seconds=5
    ):
        events.stop()
        assert (event["type"], event["object"].spec.username) == ("ADDED", "kubernetes-admin")


def test_a_watch_from_a_forgotten_version_is_gone(cluster, api):
    version = cluster.config_map("a")["metadata"]["resourceVersion"]
    cluster.call("DELETE", "/api/v1/namespaces/default/configmaps/a")
    cluster.call("POST", "/lab/compact")
    listing = client.CoreV1Api(api).list_namespaced_config_map
    with pytest.raises(ApiException) as gone:
        list(watch.Watch().stream(listing, "default", resource_version=version, timeout_seconds=5))
    assert gone.value.status == 410


def test_a_node_is_patched_as_kubelets_do(api):
    core = client.CoreV1Api(api)
    core.create_node({"metadata": {"name": "n1"}})
    for status in ("False", "True"):
        core.patch_node_status("n1", {"status": {"conditions": [{"type": "Ready", "status": status}]}})
    (condition,) = core.read_node("n1").status.conditions
    assert condition.status == "True"


def test_a_secret_is_made_and_taken_away(api):
    core = client.CoreV1Api(api)
    core.create_namespaced_secret("kube-system", {"metadata": {"name": "s"}, "stringData": {"a": "b"}})
    assert core.read_namespaced_secret("s", "kube-system").data == {"a": "Yg=="}
    core.delete_namespaced_secret("s", "kube-system")
    assert core.list_namespaced_secret("kube-system").items == []
