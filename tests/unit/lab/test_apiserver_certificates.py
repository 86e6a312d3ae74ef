"""Certificate requests are validated, decided and signed as upstream does."""

from __future__ import annotations

import base64
import ipaddress
import json
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from unit.lab.apiserver_cluster import CLIENT, CSRS, SERVING, csr, pkcs10

BETA = CSRS.replace("/v1/", "/v1beta1/")
SANS = [x509.DNSName("n1"), x509.IPAddress(ipaddress.ip_address("10.0.0.1"))]
USAGES = ["digital signature", "key encipherment", "server auth"]
SERVES = {"signerName": SERVING, "usages": USAGES, "names": SANS}
NO_ENCIPHERMENT = {**SERVES, "usages": ["digital signature", "server auth"]}
PREFIX = 'CertificateSigningRequest.certificates.k8s.io "x" is invalid: '


def named(**spec):
    return {**csr(**spec), "metadata": {"name": "x"}}


def refusal(cluster, **spec):
    answer = cluster.call("POST", CSRS, named(**spec))
    assert answer.status_code == 422, answer.text
    return answer.json()["message"].removeprefix(PREFIX)


def issued(cluster, found):
    """Return the signed certificate, waiting for it by a watch as a kubelet does."""
    status = decided(cluster, found, lambda status: "certificate" in status)
    return x509.load_pem_x509_certificate(base64.b64decode(status["certificate"]))


def failure(cluster, found):
    """Return the condition Failed, waiting for it by a watch."""
    conditions = decided(cluster, found, lambda status: _failed(status))["conditions"]
    return next(one for one in conditions if one["type"] == "Failed")


def _failed(status):
    return any(one["type"] == "Failed" for one in status.get("conditions", ()))


def decided(cluster, found, wanted):
    query = f"watch=1&timeoutSeconds=5&fieldSelector=metadata.name%3D{found['metadata']['name']}"
    with cluster.session().get(f"{cluster.url}{CSRS}?{query}", stream=True, timeout=20) as answer:
        for line in answer.iter_lines(chunk_size=1):
            status = json.loads(line)["object"]["status"]
            if wanted(status):
                return status
    raise AssertionError(f"not within 5 s: {status}")


def approved(cluster, **spec):
    # A user without rights asks: the built-in approver lets the administrator's own requests through.
    asker = cluster.session("asker", "askers")
    cluster.grant(
        "asker",
        {
            "verbs": ["create"],
            "apiGroups": ["certificates.k8s.io"],
            "resources": ["certificatesigningrequests"],
        },
    )
    found = cluster.request_certificate(asker, **spec)
    answer = cluster.approve(found)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_the_requestor_is_stamped_by_the_server(cluster):
    forged = {"username": "system:node:n1", "groups": ["system:nodes"], "uid": "u", "extra": {"a": ["b"]}}
    spec = cluster.request_certificate(**forged)["spec"]
    assert spec["username"] == "kubernetes-admin"
    assert spec["groups"] == ["system:masters", "system:authenticated"]
    assert "uid" not in spec
    assert list(spec["extra"]) == ["authentication.kubernetes.io/credential-id"]


def test_a_new_request_is_undecided_whatever_its_client_wrote(cluster):
    condition = {"type": "Approved", "status": "True"}
    made = cluster.make(CSRS, {**csr(signerName=SERVING), "status": {"conditions": [condition]}})
    assert made["status"] == {}


def test_the_signer_name_is_required(cluster):
    assert refusal(cluster, signerName=None) == "spec.signerName: Required value"


def test_the_legacy_signer_is_not_of_v1(cluster):
    assert refusal(cluster, signerName="kubernetes.io/legacy-unknown") == (
        'spec.signerName: Invalid value: "kubernetes.io/legacy-unknown": '
        "the legacy signerName is not allowed via this API version"
    )


def test_usages_are_required(cluster):
    assert refusal(cluster, usages=[]) == "spec.usages: Required value"


def test_an_unknown_usage_is_named_with_those_known(cluster):
    assert refusal(cluster, usages=["client"]).startswith(
        'spec.usages[0]: Unsupported value: "client": supported values: "any", "cert sign", "client auth", '
    )


def test_a_usage_given_twice_is_named(cluster):
    assert refusal(cluster, usages=["client auth", "client auth"]) == (
        'spec.usages[1]: Duplicate value: "client auth"'
    )


def test_a_lifetime_below_ten_minutes_is_refused(cluster):
    assert refusal(cluster, expirationSeconds=599) == (
        "spec.expirationSeconds: Invalid value: 599: "
        "may not specify a duration less than 600 seconds (10 minutes)"
    )


def test_another_pem_block_is_refused(cluster):
    pem = pkcs10("system:node:n1", ["system:nodes"]).replace(
        b"CERTIFICATE REQUEST", b"NEW CERTIFICATE REQUEST"
    )
    text = base64.b64encode(pem).decode()
    assert refusal(cluster, pem=pem) == (
        f'spec.request: Invalid value: "{text}": PEM block type must be CERTIFICATE REQUEST'
    )


def test_a_request_whose_signature_does_not_match_is_refused(cluster):
    der = x509.load_pem_x509_csr(pkcs10("system:node:n1", ["system:nodes"])).public_bytes(Encoding.DER)
    forged = base64.encodebytes(der.replace(b"system:node:n1", b"system:node:n2")).decode()
    pem = f"-----BEGIN CERTIFICATE REQUEST-----\n{forged}-----END CERTIFICATE REQUEST-----\n".encode()
    assert refusal(cluster, pem=pem).endswith(": x509: signature does not match the request's key")


def test_nobody_asks_the_api_client_signer_for_system_masters(cluster):
    signer = "kubernetes.io/kube-apiserver-client"
    answer = cluster.call("POST", CSRS, named(signerName=signer, organisations=["system:masters"]))
    assert answer.status_code == 403
    assert answer.json()["message"] == (
        'certificatesigningrequests.certificates.k8s.io "x" is forbidden: '
        f"use of {signer} signer with system:masters group is not allowed"
    )


def test_text_that_is_not_base64_is_a_bad_request(cluster):
    answer = cluster.call("POST", CSRS, named(request="?"))
    assert answer.status_code == 400
    assert answer.json()["message"].endswith(": illegal base64 data at input byte 0")


def test_every_fault_is_told_at_once(cluster):
    answer = refusal(cluster, usages=[], signerName=None)
    assert answer == "[spec.usages: Required value, spec.signerName: Required value]"


def test_a_field_of_the_wrong_type_is_a_bad_request(cluster):
    answer = cluster.call("POST", CSRS, named(usages="client auth"))
    assert answer.status_code == 400
    assert answer.json()["message"] == (
        'CertificateSigningRequest in version "v1" cannot be handled as a CertificateSigningRequest: json: '
        "cannot unmarshal string into Go struct field CertificateSigningRequestSpec.spec.usages of type "
        "[]v1.KeyUsage"
    )


@pytest.mark.parametrize("name", ["Pending", "--all", "x?dryRun=All", "a b"])
def test_a_request_may_have_almost_any_name(cluster, name):
    assert cluster.make(CSRS, {**csr(), "metadata": {"name": name}})["metadata"]["name"] == name


def test_a_name_is_a_path_segment(cluster):
    answer = cluster.call("POST", CSRS, {**csr(), "metadata": {"name": "a/b"}})
    assert answer.json()["message"].endswith("metadata.name: Invalid value: \"a/b\": may not contain '/'")


def test_the_spec_cannot_be_changed_afterwards(cluster):
    made = cluster.request_certificate(signerName=SERVING)
    path = f"{CSRS}/{made['metadata']['name']}"
    other = {**made, "spec": {**made["spec"], **csr("system:node:n2")["spec"], "username": "forged"}}
    for sub in ("", "/approval", "/status"):
        answer = cluster.call("PUT", path + sub, {**other, "metadata": {"name": made["metadata"]["name"]}})
        assert answer.json()["spec"] == made["spec"]


def test_a_plain_update_approves_nothing(cluster):
    made = cluster.request_certificate(signerName=SERVING)
    path = f"{CSRS}/{made['metadata']['name']}"
    condition = {"type": "Approved", "status": "True"}
    assert cluster.call("PUT", path, {**made, "status": {"conditions": [condition]}}).json()["status"] == {}


def test_a_status_update_may_not_approve(cluster):
    made = cluster.request_certificate(signerName=SERVING)
    condition = {"type": "Approved", "status": "True"}
    body = {**made, "status": {"conditions": [condition]}}
    answer = cluster.call("PUT", f"{CSRS}/{made['metadata']['name']}/status", body)
    assert answer.status_code == 422
    assert answer.json()["message"].endswith(
        'status.conditions: Forbidden: updates may not add a condition of type "Approved"'
    )


def test_a_certificate_is_given_once(cluster):
    made = cluster.request_certificate(signerName="example.com/mine")
    path = f"{CSRS}/{made['metadata']['name']}/status"
    text = base64.b64encode(cluster.ca.certificate.read_bytes()).decode()
    assert cluster.call("PUT", path, {**made, "status": {"certificate": "bm9uZQ=="}}).status_code == 422
    given = cluster.call("PUT", path, {**made, "status": {"certificate": text}}).json()
    assert given["status"] == {"certificate": text}
    answer = cluster.call("PUT", path, {**given, "status": {}})
    assert answer.json()["message"].endswith(
        "status.certificate: Forbidden: updates may not modify existing certificate content"
    )


def test_an_approval_gets_its_times(cluster):
    made = cluster.request_certificate(signerName=SERVING)
    (condition,) = cluster.approve(made).json()["status"]["conditions"]
    assert condition["lastUpdateTime"] == condition["lastTransitionTime"] != ""


def test_an_approval_needs_a_status(cluster):
    made = cluster.request_certificate(signerName=SERVING)
    body = {**made, "status": {"conditions": [{"type": "Approved"}]}}
    answer = cluster.call("PUT", f"{CSRS}/{made['metadata']['name']}/approval", body)
    assert answer.json()["message"].endswith("status.conditions[0].status: Required value")


def test_an_approval_cannot_be_taken_back(cluster):
    found = cluster.approve(cluster.request_certificate(signerName="example.com/mine")).json()
    name = found["metadata"]["name"]
    body = {"metadata": {"name": name}, "spec": found["spec"], "status": {}}
    answer = cluster.call("PUT", f"{CSRS}/{name}/approval", body)
    assert answer.status_code == 422
    assert answer.json()["message"] == (
        f'CertificateSigningRequest.certificates.k8s.io "{name}" is invalid: status.conditions: Forbidden: '
        'updates may not remove a condition of type "Approved"'
    )


def test_approved_and_denied_exclude_each_other(cluster):
    found = cluster.approve(cluster.request_certificate(signerName=SERVING), kind="Denied").json()
    both = [*found["status"]["conditions"], {"type": "Approved", "status": "True"}]
    body = {**found, "status": {"conditions": both}}
    answer = cluster.call("PUT", f"{CSRS}/{found['metadata']['name']}/approval", body)
    assert answer.json()["message"].endswith(
        'status.conditions: Invalid value: "Approved": Approved and Denied conditions are mutually exclusive'
    )


def test_an_approval_of_an_older_version_conflicts(cluster):
    found = cluster.request_certificate(signerName=SERVING)
    assert cluster.approve(found, kind="Denied").status_code == 200
    answer = cluster.approve(found)
    assert answer.status_code == 409
    assert answer.json()["message"].endswith("please apply your changes to the latest version and try again")


def test_an_approval_of_a_request_made_anew_conflicts(cluster):
    first = cluster.make(CSRS, named(signerName=SERVING))
    cluster.call("DELETE", f"{CSRS}/x")
    cluster.make(CSRS, named(signerName=SERVING))
    answer = cluster.approve({**first, "metadata": {"name": "x", "uid": first["metadata"]["uid"]}})
    assert answer.status_code == 409
    assert "Precondition failed: UID in precondition" in answer.json()["message"]


def test_without_version_and_uid_an_approval_overwrites_as_upstream(cluster):
    first = cluster.make(CSRS, named(signerName=SERVING))
    cluster.call("DELETE", f"{CSRS}/x")
    cluster.make(CSRS, named(signerName=SERVING))
    assert cluster.approve({**first, "metadata": {"name": "x"}}).status_code == 200


def test_a_client_certificate_is_what_was_asked_for(cluster):
    found = issued(cluster, approved(cluster, usages=["digital signature", "client auth"]))
    names = [(one.oid, one.value) for one in found.subject]
    assert names == [(NameOID.ORGANIZATION_NAME, "system:nodes"), (NameOID.COMMON_NAME, "system:node:n1")]
    extended = found.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(extended) == [ExtendedKeyUsageOID.CLIENT_AUTH]
    usage = found.extensions.get_extension_for_class(x509.KeyUsage)
    assert (usage.critical, usage.value.digital_signature, usage.value.key_encipherment) == (
        True,
        True,
        False,
    )
    constraints = found.extensions.get_extension_for_class(x509.BasicConstraints)
    assert (constraints.critical, constraints.value.ca) == (True, False)


def test_a_signed_certificate_authenticates(cluster):
    found = issued(cluster, approved(cluster))
    ca = x509.load_pem_x509_certificate(cluster.ca.certificate.read_bytes())
    found.verify_directly_issued_by(ca)


def test_a_serving_certificate_has_the_names_of_its_request(cluster):
    found = issued(cluster, approved(cluster, **SERVES))
    names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert list(names) == SANS


def test_a_certificate_is_valid_for_a_year_from_five_minutes_ago(cluster):
    found = issued(cluster, approved(cluster))
    assert found.not_valid_after_utc - found.not_valid_before_utc == min(
        timedelta(hours=8760),
        _end_of_authority(cluster) - found.not_valid_before_utc,
    )


def _end_of_authority(cluster):
    return x509.load_pem_x509_certificate(cluster.ca.certificate.read_bytes()).not_valid_after_utc


@pytest.mark.parametrize(
    ("asked", "minutes"),
    [(600, 10 + 5), (3600, 60 + 5), (8 * 3600, 8 * 60), (86400, 24 * 60)],
)
def test_a_shorter_lifetime_is_honoured(cluster, asked, minutes):
    # Below eight hours only the beginning is put back by five minutes, from there on the end as well.
    found = issued(cluster, approved(cluster, expirationSeconds=asked))
    assert found.not_valid_after_utc - found.not_valid_before_utc == timedelta(minutes=minutes)


@pytest.mark.parametrize("cluster", [{"cluster_signing_duration": timedelta(seconds=30)}], indirect=True)
@pytest.mark.parametrize("asked", [None, 86400])
def test_the_clusters_signing_duration_is_the_most(cluster, asked):
    found = issued(cluster, approved(cluster, expirationSeconds=asked))
    assert found.not_valid_after_utc - found.not_valid_before_utc == timedelta(seconds=330)


@pytest.mark.parametrize(
    "cluster", [{"version": "1.21.1", "cluster_signing_duration": timedelta(minutes=7)}], indirect=True
)
def test_before_1_22_the_end_is_put_back_too(cluster):
    found = issued(cluster, approved(cluster))
    assert found.not_valid_after_utc - found.not_valid_before_utc == timedelta(minutes=7)


CLIENT_FAULTS = {
    "subject organization is not system:nodes": {"organisations": ["system:masters"]},
    "subject common name does not begin with system:node:": {"common_name": "n1"},
    "DNS subjectAltNames are not allowed": {"names": SANS[:1]},
    "IP subjectAltNames are not allowed": {"names": SANS[1:]},
    "Email subjectAltNames are not allowed": {"names": [x509.RFC822Name("a@b.c")]},
    "URI subjectAltNames are not allowed": {"names": [x509.UniformResourceIdentifier("spiffe://a")]},
    "usages did not match [client auth digital signature key encipherment]": {"usages": ["client auth"]},
}
SERVING_FAULTS = {
    "subject organization is not system:nodes": {"organisations": ["system:nodes", "more"]},
    "subject common name does not begin with system:node:": {"common_name": "n1"},
    "DNS or IP subjectAltName is required": {"names": []},
    "Email subjectAltNames are not allowed": {"names": [*SANS, x509.RFC822Name("a@b.c")]},
    "URI subjectAltNames are not allowed": {"names": [*SANS, x509.UniformResourceIdentifier("spiffe://a")]},
    "usages did not match [digital signature key encipherment server auth]": {
        "usages": ["digital signature", "server auth", "client auth"]
    },
}


@pytest.mark.parametrize("message", CLIENT_FAULTS)
def test_a_wrong_client_request_fails_once_approved(cluster, message):
    condition = failure(cluster, approved(cluster, **CLIENT_FAULTS[message]))
    assert (condition["reason"], condition["message"]) == ("SignerValidationFailure", message)


@pytest.mark.parametrize("message", SERVING_FAULTS)
def test_a_wrong_serving_request_fails_once_approved(cluster, message):
    condition = failure(cluster, approved(cluster, **{**SERVES, **SERVING_FAULTS[message]}))
    assert (condition["reason"], condition["message"]) == ("SignerValidationFailure", message)


@pytest.mark.parametrize("cluster", [{"version": "1.24.17"}], indirect=True)
def test_before_1_25_a_request_without_key_encipherment_fails(cluster):
    condition = failure(cluster, approved(cluster, **NO_ENCIPHERMENT))
    assert condition["message"] == "usages did not match [digital signature key encipherment server auth]"


@pytest.mark.parametrize("cluster", [{"version": "1.25.0"}], indirect=True)
def test_from_1_25_on_a_request_without_key_encipherment_is_signed(cluster):
    assert issued(cluster, approved(cluster, **NO_ENCIPHERMENT))


def test_the_signer_leaves_what_is_not_approved(cluster):
    denied = cluster.approve(cluster.request_certificate(**SERVES), kind="Denied").json()
    # The signer acts in order: once a later request is signed, it has passed this one by.
    issued(cluster, approved(cluster))
    found = cluster.read(f"{CSRS}/{denied['metadata']['name']}")
    assert "certificate" not in found["status"]


def test_a_foreign_signer_is_left_to_its_owner(cluster):
    found = cluster.approve(cluster.request_certificate(signerName="example.com/mine")).json()
    issued(cluster, approved(cluster))
    assert "certificate" not in cluster.read(f"{CSRS}/{found['metadata']['name']}")["status"]


def test_the_built_in_approver_acts_for_whom_kubeadm_binds(cluster):
    rbac = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings"
    nodes = cluster.session("system:node:n1", "system:nodes")
    assert cluster.request_certificate(nodes)["status"] == {}
    role = "system:certificates.k8s.io:certificatesigningrequests:selfnodeclient"
    cluster.make(
        rbac,
        {
            "metadata": {"name": "rotation"},
            "subjects": [{"kind": "Group", "name": "system:nodes"}],
            "roleRef": {"kind": "ClusterRole", "name": role},
        },
    )
    made = cluster.request_certificate(nodes)
    assert issued(cluster, made)
    (condition,) = cluster.read(f"{CSRS}/{made['metadata']['name']}")["status"]["conditions"]
    assert condition["reason"] == "AutoApproved"
    assert condition["message"] == "Auto approving self kubelet client certificate after SubjectAccessReview."


def test_an_rsa_request_is_signed_too(cluster):
    names = [(NameOID.ORGANIZATION_NAME, "system:nodes"), (NameOID.COMMON_NAME, "system:node:n1")]
    subject = x509.Name([x509.NameAttribute(oid, value) for oid, value in names])
    key = rsa.generate_private_key(65537, 2048)
    request = x509.CertificateSigningRequestBuilder(subject).sign(key, hashes.SHA256())
    pem = request.public_bytes(Encoding.PEM)
    found = issued(cluster, approved(cluster, pem=pem))
    assert found.extensions.get_extension_for_class(x509.KeyUsage).value.key_encipherment


@pytest.mark.parametrize("cluster", [{"version": "1.18.20"}], indirect=True)
class TestBefore119:
    """certificates.k8s.io/v1beta1 alone, its signerName defaulted from the request."""

    def test_v1_is_not_served(self, cluster):
        assert cluster.call("GET", CSRS).status_code == 404
        assert cluster.read(BETA)["apiVersion"] == "certificates.k8s.io/v1beta1"

    @pytest.mark.parametrize(
        ("spec", "signer"),
        [
            ({}, CLIENT),
            ({**SERVES}, SERVING),
            ({"common_name": "joe", "organisations": []}, "kubernetes.io/legacy-unknown"),
            ({"usages": None}, "kubernetes.io/legacy-unknown"),
        ],
    )
    def test_the_signer_is_told_from_the_request(self, cluster, spec, signer):
        body = csr(**{**spec, "signerName": None})
        body["apiVersion"] = "certificates.k8s.io/v1beta1"
        made = cluster.make(BETA, body)
        assert made["spec"]["signerName"] == signer

    def test_a_condition_without_status_is_true(self, cluster):
        body = csr(**{**SERVES, "signerName": None})
        made = cluster.make(BETA, {**body, "apiVersion": "certificates.k8s.io/v1beta1"})
        body = {**made, "status": {"conditions": [{"type": "Approved"}]}}
        answer = cluster.call("PUT", f"{BETA}/{made['metadata']['name']}/approval", body).json()
        assert answer["status"]["conditions"][0]["status"] == "True"


@pytest.mark.parametrize("cluster", [{"version": "1.20.0"}], indirect=True)
def test_between_1_19_and_1_21_both_versions_show_one_object(cluster):
    name = cluster.request_certificate()["metadata"]["name"]
    assert cluster.read(f"{CSRS}/{name}")["apiVersion"] == "certificates.k8s.io/v1"
    assert cluster.read(f"{BETA}/{name}")["apiVersion"] == "certificates.k8s.io/v1beta1"


def test_from_1_22_v1beta1_is_gone(cluster):
    assert cluster.call("GET", BETA).status_code == 404
