"""A user is who its certificate or token says, and nobody else."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from lab import pki

from unit.lab.apiserver_cluster import Cluster

WHO = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
SECRETS = "/api/v1/namespaces/kube-system/secrets"
TOKEN = "abcdef.0123456789abcdef"


def who(cluster, session):
    answer = cluster.call("POST", WHO, {}, session)
    assert answer.status_code == 201, answer.text
    return answer.json()["status"]["userInfo"]


def token_secret(**changes):
    data = {
        "token-id": "abcdef",
        "token-secret": "0123456789abcdef",
        "usage-bootstrap-authentication": "true",
        **changes,
    }
    texts = {key: value for key, value in data.items() if value is not None}
    metadata = {"name": "bootstrap-token-abcdef"}
    return {"metadata": metadata, "type": "bootstrap.kubernetes.io/token", "stringData": texts}


def in_hours(hours):
    return (datetime.now(timezone.utc) + timedelta(hours=hours)).strftime("%Y-%m-%dT%H:%M:%SZ")


def refused(cluster, session):
    answer = cluster.call("GET", "/api", by=session)
    return answer.status_code == 401 and answer.json()["message"] == "Unauthorized"


def test_a_certificates_subject_is_the_user_and_its_groups(cluster):
    found = who(cluster, cluster.session("joe", "developers", "testers"))
    assert found["username"] == "joe"
    assert found["groups"] == ["developers", "testers", "system:authenticated"]


def test_the_certificates_digest_is_the_credential_id(cluster):
    session = cluster.session("joe")
    certificate = x509.load_pem_x509_certificate(Path(session.cert[0]).read_bytes())
    digest = hashlib.sha256(certificate.public_bytes(serialization.Encoding.DER)).hexdigest()
    expected = {"authentication.kubernetes.io/credential-id": [f"X509SHA256={digest}"]}
    assert who(cluster, session)["extra"] == expected


@pytest.mark.parametrize("cluster", [{"version": "1.31.0"}], indirect=True)
def test_the_credential_id_came_with_1_32(cluster):
    assert "extra" not in who(cluster, cluster.session("joe"))


def test_of_two_common_names_the_last_counts_as_in_go(cluster):
    names = [x509.NameAttribute(NameOID.COMMON_NAME, name) for name in ("first", "last")]
    assert who(cluster, session_with(cluster, x509.Name(names)))["username"] == "last"


def test_an_expired_certificate_is_unauthorized(cluster):
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "late")])
    assert refused(cluster, session_with(cluster, name, valid_for=timedelta(seconds=-1)))


def test_a_certificate_of_another_authority_gets_no_connection(cluster, tmp_path):
    other = pki.authority(tmp_path, "other", "other")
    pair = pki.client(other, tmp_path, "stranger", "kubernetes-admin", ["system:masters"])
    session = cluster.anonymous()
    session.cert = (str(pair.certificate), str(pair.key))
    with pytest.raises(requests.exceptions.ConnectionError):
        cluster.call("GET", "/api", by=session)


def test_who_shows_nothing_is_anonymous(cluster):
    answer = cluster.call("GET", "/api/v1/nodes", by=cluster.anonymous())
    assert answer.status_code == 403
    assert answer.json()["message"] == (
        'nodes is forbidden: User "system:anonymous" cannot list resource "nodes" in API group "" '
        "at the cluster scope"
    )


def test_health_and_version_are_open_to_all(cluster):
    for path in ("/readyz", "/livez", "/healthz"):
        assert cluster.call("GET", path, by=cluster.anonymous()).text == "ok"
    assert cluster.call("GET", "/version", by=cluster.anonymous()).json()["gitVersion"] == "v1.36.2"


def test_a_bootstrap_token_is_named_by_its_id(cluster):
    cluster.make(SECRETS, token_secret())
    found = who(cluster, cluster.anonymous(TOKEN))
    assert found["username"] == "system:bootstrap:abcdef"
    assert found["groups"] == ["system:bootstrappers", "system:authenticated"]


def test_a_bootstrap_tokens_extra_groups_are_added(cluster):
    extra = "system:bootstrappers:b,system:bootstrappers:a"
    cluster.make(SECRETS, token_secret(**{"auth-extra-groups": extra, "expiration": in_hours(1)}))
    assert who(cluster, cluster.anonymous(TOKEN))["groups"] == [
        "system:bootstrappers",
        "system:bootstrappers:a",
        "system:bootstrappers:b",
        "system:authenticated",
    ]


@pytest.mark.parametrize(
    "changes",
    [
        {"expiration": "2020-01-01T00:00:00Z"},
        {"expiration": "tomorrow"},
        {"token-secret": "fedcba9876543210"},
        {"token-id": "fedcba"},
        {"usage-bootstrap-authentication": None},
        {"usage-bootstrap-authentication": "false"},
        {"auth-extra-groups": "system:masters"},
    ],
    ids=lambda changes: "-".join(f"{key}={value}" for key, value in changes.items())[:40],
)
def test_a_bootstrap_token_is_refused(cluster, changes):
    cluster.make(SECRETS, token_secret(**changes))
    assert refused(cluster, cluster.anonymous(TOKEN))


def test_a_bootstrap_tokens_secret_has_its_type(cluster):
    cluster.make(SECRETS, {**token_secret(), "type": "Opaque"})
    assert refused(cluster, cluster.anonymous(TOKEN))


def test_a_bootstrap_tokens_secret_lies_in_kube_system(cluster):
    cluster.make(SECRETS.replace("kube-system", "default"), token_secret())
    assert refused(cluster, cluster.anonymous(TOKEN))


def test_a_bootstrap_token_works_as_soon_as_its_secret_is_there_and_no_longer(cluster):
    session = cluster.anonymous(TOKEN)
    assert refused(cluster, session)
    cluster.make(SECRETS, token_secret())
    assert not refused(cluster, session)
    cluster.call("DELETE", f"{SECRETS}/bootstrap-token-abcdef")
    assert refused(cluster, session)


def test_a_token_file_names_user_and_groups(start_apiserver, certificates, tmp_path):
    tokens = tmp_path / "token.csv"
    tokens.write_text('s3cret,kubelet-bootstrap,10001,"system:kubelet-bootstrap"\nplain,joe,1\n')
    with start_apiserver(token_auth_file=tokens) as running:
        cluster = Cluster(running.url, certificates[0], tmp_path)
        found = who(cluster, cluster.anonymous("s3cret"))
        assert found["username"] == "kubelet-bootstrap"
        assert found["groups"] == ["system:kubelet-bootstrap", "system:authenticated"]
        assert who(cluster, cluster.anonymous("plain"))["username"] == "joe"


def session_with(cluster, subject, valid_for=timedelta(hours=1)):
    """Return a session with a certificate of the cluster's authority for any subject and time."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(timezone.utc)
    issuer = x509.load_pem_x509_certificate(cluster.ca.certificate.read_bytes())
    certificate = (
        x509.CertificateBuilder(issuer.subject, subject, key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + valid_for)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
        .sign(pki.private_key(cluster.ca.key), hashes.SHA256())
    )
    files = cluster.directory / "made.crt", cluster.directory / "made.key"
    files[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    files[1].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    session = cluster.anonymous()
    session.cert = (str(files[0]), str(files[1]))
    return session
