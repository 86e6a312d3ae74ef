"""The lab's control plane behaves as Kubernetes' own, whichever of the two it is.

Run once as it is (the double) and once with KUBEBUILDER_ASSETS (the real one): the sentences are the same.
"""

from __future__ import annotations

import base64
import json
import os
import socket
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import kube_node_versions as versions
import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from lab import binaries
from lab.controlplane import ControlPlane, ControlPlaneError

CLIENT_SIGNER = "kubernetes.io/kube-apiserver-client-kubelet"
TOKEN = "abcdef.0123456789abcdef"
WAIT = "--timeout=30s"
RIGHTS = """
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: bootstrap}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: system:node-bootstrapper}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: Group, name: system:bootstrappers}]
"""


def since(major: int, minor: int) -> pytest.MarkDecorator:
    """Skip a test where the API server is of an older minor."""
    release = binaries.release(program="kube-apiserver")
    return pytest.mark.skipif(versions.parse(release) < (major, minor), reason=f"{release} does not do it")


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@pytest.fixture(scope="module")
def control_plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    with ControlPlane(tmp_path_factory.mktemp("control-plane"), port=free_port()) as started:
        started.apply(RIGHTS)
        started.bootstrap_token(TOKEN)
        yield started


@pytest.fixture
def bearer(control_plane: ControlPlane, tmp_path: Path) -> str:
    """The kubectl option of one who has only the bootstrap token."""
    return bearer_of(TOKEN, control_plane, tmp_path)


def bearer_of(token: str, control_plane: ControlPlane, folder: Path) -> str:
    content = yaml.safe_load(control_plane.admin_kubeconfig.read_text())
    content["users"][0]["user"] = {"token": token}
    path = folder / "bearer.kubeconfig"
    path.write_text(yaml.safe_dump(content))
    return f"--kubeconfig={path}"


def signing_request(name: str, node: str, organisation: str = "system:nodes") -> str:
    """A kubelet's request for its client certificate, as a manifest."""
    organisations = x509.NameAttribute(NameOID.ORGANIZATION_NAME, organisation)
    subject = x509.Name([organisations, x509.NameAttribute(NameOID.COMMON_NAME, f"system:node:{node}")])
    builder = x509.CertificateSigningRequestBuilder(subject_name=subject)
    request = builder.sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
    pem = request.public_bytes(serialization.Encoding.PEM)
    spec = {
        "request": base64.b64encode(pem).decode(),
        "signerName": CLIENT_SIGNER,
        "usages": ["digital signature", "key encipherment", "client auth"],
    }
    kind = {"apiVersion": "certificates.k8s.io/v1", "kind": "CertificateSigningRequest"}
    return json.dumps({**kind, "metadata": {"name": name}, "spec": spec})


def refusal(control_plane: ControlPlane, *args: str, input: str | None = None) -> str:
    """What the API server answered to a kubectl command that it refuses."""
    with pytest.raises(ControlPlaneError) as refused:
        control_plane.kubectl(*args, input=input)
    return str(refused.value).partition(": ")[2]


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "kubernetes.default.svc", "10.68.0.1"])
def test_the_serving_certificate_is_valid_for(control_plane, host):
    trust = ssl.create_default_context(cafile=str(control_plane.ca_file))
    with socket.create_connection(("127.0.0.1", control_plane.port)) as plain:
        assert trust.wrap_socket(plain, server_hostname=host).version() == "TLSv1.3"


def test_the_administrator_may_do_anything(control_plane):
    assert control_plane.kubectl("auth", "can-i", "*", "*", "--all-namespaces") == "yes\n"


@since(1, 28)
def test_a_client_certificate_is_a_user_with_groups(control_plane):
    option = f"--kubeconfig={control_plane.kubeconfig('jane', ['painters'])}"
    review = json.loads(control_plane.kubectl(option, "auth", "whoami", "--output=json"))
    assert review["status"]["userInfo"]["username"] == "jane"
    assert review["status"]["userInfo"]["groups"] == ["painters", "system:authenticated"]


def test_a_user_without_rights_is_refused(control_plane):
    option = f"--kubeconfig={control_plane.kubeconfig('stranger')}"
    assert refusal(control_plane, option, "get", "nodes") == (
        'Error from server (Forbidden): nodes is forbidden: User "stranger" cannot list resource "nodes" '
        'in API group "" at the cluster scope'
    )


@since(1, 28)
def test_a_token_makes_a_bootstrapper(control_plane, bearer):
    review = json.loads(control_plane.kubectl(bearer, "auth", "whoami", "--output=json"))
    assert review["status"]["userInfo"]["username"] == "system:bootstrap:abcdef"
    assert review["status"]["userInfo"]["groups"] == ["system:bootstrappers", "system:authenticated"]


@pytest.mark.parametrize("token", ["abcdef.aaaaaaaaaaaaaaaa", "fedcba.0123456789abcdef"])
def test_an_unknown_token_is_nobody(control_plane, tmp_path, token):
    answer = refusal(control_plane, bearer_of(token, control_plane, tmp_path), "get", "csr")
    assert answer == "error: You must be logged in to the server (Unauthorized)"


def test_an_expired_token_is_nobody(control_plane, tmp_path):
    token = "expire.0123456789abcdef"
    control_plane.bootstrap_token(token, expires_hours=-1)
    answer = refusal(control_plane, bearer_of(token, control_plane, tmp_path), "get", "csr")
    assert answer == "error: You must be logged in to the server (Unauthorized)"


def test_a_bootstrapper_reads_no_nodes(control_plane, bearer):
    assert refusal(control_plane, bearer, "get", "nodes") == (
        'Error from server (Forbidden): nodes is forbidden: User "system:bootstrap:abcdef" cannot list '
        'resource "nodes" in API group "" at the cluster scope'
    )


def test_a_bootstrappers_request_waits_for_approval(control_plane, bearer):
    control_plane.kubectl(bearer, "create", "-f", "-", input=signing_request("csr-waits", "a"))
    request = json.loads(control_plane.kubectl("get", "csr", "csr-waits", "--output=json"))
    assert request["spec"]["username"] == "system:bootstrap:abcdef"
    assert request["status"] == {}


def test_an_approved_request_is_signed(control_plane, bearer):
    control_plane.kubectl(bearer, "create", "-f", "-", input=signing_request("csr-signed", "a"))
    control_plane.kubectl("certificate", "approve", "csr-signed")
    control_plane.kubectl("wait", "csr/csr-signed", "--for=jsonpath={.status.certificate}", WAIT)
    request = json.loads(control_plane.kubectl("get", "csr", "csr-signed", "--output=json"))
    certificate = x509.load_pem_x509_certificate(base64.b64decode(request["status"]["certificate"]))
    ca = x509.load_pem_x509_certificate(control_plane.ca_file.read_bytes())
    certificate.verify_directly_issued_by(ca)
    assert certificate.subject.rfc4514_string() == "CN=system:node:a,O=system:nodes"


def test_an_approved_request_that_no_kubelet_would_make_fails(control_plane, bearer):
    request = signing_request("csr-masters", "a", organisation="system:masters")
    control_plane.kubectl(bearer, "create", "-f", "-", input=request)
    control_plane.kubectl("certificate", "approve", "csr-masters")
    control_plane.kubectl("wait", "csr/csr-masters", "--for=condition=Failed", WAIT)
    conditions = json.loads(control_plane.kubectl("get", "csr", "csr-masters", "--output=json"))["status"]
    assert conditions["conditions"][-1]["reason"] == "SignerValidationFailure"
    assert conditions["conditions"][-1]["message"] == "subject organization is not system:nodes"


@since(1, 31)
def test_a_node_asks_for_no_other_nodes_certificate(control_plane):
    option = f"--kubeconfig={control_plane.kubeconfig('system:node:a', ['system:nodes'])}"
    answer = refusal(control_plane, option, "create", "-f", "-", input=signing_request("csr-other", "b"))
    assert answer == (
        'Error from server (Forbidden): error when creating "STDIN": '
        'certificatesigningrequests.certificates.k8s.io "csr-other" is forbidden: '
        "can only create a node CSR with CN=system:node:a"
    )


def test_a_node_registers_itself_and_no_other(control_plane):
    option = f"--kubeconfig={control_plane.kubeconfig('system:node:a', ['system:nodes'])}"
    node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "a"}}
    control_plane.kubectl(option, "create", "-f", "-", input=json.dumps(node))
    node["metadata"]["name"] = "b"
    answer = refusal(control_plane, option, "create", "-f", "-", input=json.dumps(node))
    assert answer == (
        'Error from server (Forbidden): error when creating "STDIN": nodes "b" is forbidden: node "a" is not '
        'allowed to modify node "b"'
    )


def test_it_starts_again_with_the_same_authority(tmp_path):
    control_plane = ControlPlane(tmp_path, port=free_port())
    control_plane.start()
    jane = control_plane.kubeconfig("jane")
    control_plane.stop()
    control_plane.start()
    assert control_plane.kubectl(f"--kubeconfig={jane}", "get", "--raw=/livez") == "ok"
    control_plane.stop()


def test_it_leaves_no_process_when_it_cannot_start(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        control_plane = ControlPlane(tmp_path, port=taken.getsockname()[1])
        with pytest.raises(
            ControlPlaneError, match=r"(?s)apiserver ended\. The end of .*address already in use"
        ):
            control_plane.start()
    assert processes_in(tmp_path) == []


def test_stop_leaves_no_process(tmp_path):
    with ControlPlane(tmp_path, port=free_port()):
        assert processes_in(tmp_path)
    assert processes_in(tmp_path) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="a network namespace needs root")
def test_it_runs_in_a_network_namespace(tmp_path):
    name = f"control-plane-{os.getpid()}"
    subprocess.run(["ip", "netns", "add", name], check=True)
    try:
        subprocess.run(["ip", "-n", name, "link", "set", "lo", "up"], check=True)
        with ControlPlane(tmp_path, port=6443, netns=name) as control_plane:
            assert control_plane.kubectl("get", "--raw=/readyz") == "ok"
            inside = subprocess.run(["ip", "netns", "pids", name], check=True, capture_output=True, text=True)
            assert sorted(map(int, inside.stdout.split())) == processes_in(tmp_path)
    finally:
        subprocess.run(["ip", "netns", "delete", name], check=True)


def processes_in(directory: Path) -> list[int]:
    """The processes that work in `directory`: that is where a control plane runs its own."""
    links = Path("/proc").glob("[0-9]*/cwd")
    return sorted(int(link.parent.name) for link in links if os.path.realpath(link) == str(directory))
