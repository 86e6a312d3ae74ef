"""A master signs for each minion its own node's certificates and nothing else, whatever it asks.

Real daemons; the audit log says who asked for what.
"""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import kube_node_static as static
import pytest
import salt.channel.client
import salt.config
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID
from lab import pki
from salt.exceptions import SaltException
from saltfactories.utils import random_string

from integration.conftest import CLUSTER, sync

MINIONS = ("worker-1", "worker-2")
ADDRESSES = {minion: f"10.77.0.{number}" for number, minion in enumerate(MINIONS, 11)}
STATIC = {
    "mode": "static",
    "kubelet": {"from": "master"},
    "kube_proxy": {"from": "master"},
    "key": "ecdsa-256",
}


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    """Return the cluster's authority, which lies on the master alone."""
    return pki.authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def signer(salt_factories, authority, formula, tmp_path_factory):
    """Return a running master with the configuration of docs/examples/signing.conf."""
    pillar_root = tmp_path_factory.mktemp("pillar")
    config = yaml.safe_load((formula / "docs/examples/signing.conf").read_text())
    config["kube_node"]["authorities"] = {
        CLUSTER: {"certificate": str(authority.certificate), "key": str(authority.key)}
    }
    roots = {"file_roots": {"base": [str(formula)]}, "pillar_roots": {"base": [str(pillar_root)]}}
    factory = salt_factories.salt_master_daemon(
        random_string("signer-"), overrides=config | roots | {"open_mode": False, "log_level": "info"}
    )
    (pillar_root / "top.sls").write_text(yaml.safe_dump({"base": {minion: [minion] for minion in MINIONS}}))
    for minion, address in ADDRESSES.items():
        tree = {
            "version": "1.36.2",
            "cluster": {
                "name": CLUSTER,
                "api_server": "https://10.0.0.10:6443",
                "ca": authority.certificate.read_text(),
            },
            "node": {"addresses": [address]},
            "paths": {"certificates": str(tmp_path_factory.mktemp(minion))},
            "runtime": {"containerd": {"version": "2.0.6"}},
            "certificates": STATIC,
            "binaries": {"source": "salt://x", "sha256": {"kubelet": "a" * 64, "kube-proxy": "b" * 64}},
        }
        (pillar_root / f"{minion}.sls").write_text(yaml.safe_dump({"kube_node": tree}))
    sync(factory)
    with factory.started():
        yield factory


@pytest.fixture(scope="module")
def nodes(signer):
    """Return both minions, running and accepted, by id."""
    daemons = {minion: signer.salt_minion_daemon(minion) for minion in MINIONS}
    first, second = daemons.values()
    with first.started(), second.started():
        for daemon in daemons.values():
            assert daemon.salt_call_cli(timeout=180).run("saltutil.sync_all").returncode == 0
        yield daemons


@pytest.fixture(scope="module")
def ask(nodes):
    """Return a function that sends a request over a minion's own channel to the master, with any id in it."""
    opts = {}
    for minion, daemon in nodes.items():
        opts[minion] = salt.config.minion_config(str(Path(daemon.config_dir) / "minion"))
        opts[minion]["master_uri"] = f"tcp://{opts[minion]['master']}:{opts[minion]['master_port']}"

    def send(minion: str, request: str, name: str = "kubelet", claimed: str | None = None, **more):
        call = {"fun": "kube_node_sign.certificate", "arg": [name, request], "tmo": 60, "no_parse": []}
        load = {"cmd": "minion_runner", "id": claimed or minion} | call | more
        with salt.channel.client.ReqChannel.factory(opts[minion]) as channel:
            return channel.send(load, tries=1, timeout=60)

    return send


def one(minion: str, name: str = "kubelet", **changes) -> dict:
    """Return the certificate that a minion's pillar stands for."""
    settings = STATIC | {"subject": {}, "days": 365, "renew_days": 30}
    for part in ("kubelet", "kube_proxy"):
        settings[part] = {"from": "master", "certificate": None}
    node = {"name": minion, "addresses": [ADDRESSES[minion]], "dns_names": []}
    tree = {"node": node, "certificates": settings, "paths": {"certificates": "/x"}}
    return next(found for found in static.wanted(tree) if found["name"] == name) | changes


KEY = static.new_key(one("worker-1"))


def last(signer) -> dict:
    """Return the last line of the audit log."""
    path = Path(signer.config["log_file"]).with_name("kube_node_audit.log")
    return json.loads(path.read_text().splitlines()[-1])


def test_a_minion_gets_its_own_nodes_certificate(ask, signer, authority):
    answer = ask("worker-1", static.request(one("worker-1"), KEY))
    ca = authority.certificate.read_text()
    now = x509.load_pem_x509_certificate(answer["certificate"].encode()).not_valid_before_utc
    assert static.fault(one("worker-1"), answer["certificate"], KEY, ca, now) is None
    assert (last(signer)["minion"], last(signer)["verdict"]) == ("worker-1", "approve")


def test_kube_proxy_gets_its_own_of_a_user_without_a_group(ask):
    wanted = one("worker-1", "kube_proxy")
    answer = ask("worker-1", static.request(wanted, KEY), "kube_proxy")
    subject = x509.load_pem_x509_certificate(answer["certificate"].encode()).subject
    assert subject.rfc4514_string() == "CN=system:kube-proxy"


HOSTILE = {
    "system:masters": ({"subject": {"O": "system:masters", "CN": "system:node:worker-1"}}, "subject"),
    "another node": ({"subject": {"O": "system:nodes", "CN": "system:node:worker-2"}}, "subject"),
    "a second group": (
        {"subject": {"OU": "x", "O": "system:nodes", "CN": "system:node:worker-1"}},
        "subject",
    ),
    "more names": ({"hosts": ["127.0.0.1", "10.77.0.11", "worker-1", "kubernetes.default.svc"]}, "names"),
    "another's address": ({"hosts": ["127.0.0.1", "10.77.0.12", "worker-1"]}, "names"),
}


@pytest.mark.parametrize(("change", "rule"), HOSTILE.values(), ids=HOSTILE)
def test_a_minion_that_asks_for_more_gets_nothing_and_is_named(ask, signer, change: dict, rule: str):
    answer = ask("worker-1", static.request(one("worker-1", **change), KEY))
    told = last(signer)
    assert set(answer) == {"refused"}, answer
    assert (told["requestor"], told["verdict"], told["rule"]) == ("minion worker-1", "deny", rule)
    asked = change.get("subject", {}).get("O") or change.get("hosts", [""])[-1]
    assert asked in told["message"]


def test_a_request_for_another_certificate_gets_nothing(ask, signer):
    answer = ask("worker-1", static.request(one("worker-1"), KEY), "admin")
    assert set(answer) == {"refused"}
    assert (last(signer)["requestor"], last(signer)["name"]) == ("minion worker-1", "admin")


@pytest.mark.parametrize(
    ("key", "rule"),
    [
        (rsa.generate_private_key(65537, 1024), "rsa_size"),
        (rsa.generate_private_key(3, 2048), "rsa_exponent"),
        (ec.generate_private_key(ec.SECP256K1()), "key_algorithm"),
    ],
)
def test_a_weak_key_gets_nothing(ask, signer, key, rule: str):
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    ).decode()
    assert set(ask("worker-1", static.request(one("worker-1"), pem))) == {"refused"}
    assert last(signer)["rule"] == rule


def test_another_extension_gets_nothing(ask, signer):
    wanted = one("worker-1")
    builder = x509.CertificateSigningRequestBuilder().subject_name(static.subject(wanted))
    builder = builder.add_extension(static.alternative_names(wanted), critical=False)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    made = builder.sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
    assert set(ask("worker-1", made.public_bytes(serialization.Encoding.PEM).decode())) == {"refused"}
    assert last(signer)["rule"] == "names"


def test_a_key_that_the_minion_does_not_hold_gets_nothing(ask, signer):
    pem = static.request(one("worker-1"), KEY)
    der = bytearray(x509.load_pem_x509_csr(pem.encode()).public_bytes(serialization.Encoding.DER))
    der[-1] ^= 1
    broken = x509.load_der_x509_csr(bytes(der)).public_bytes(serialization.Encoding.PEM).decode()
    assert set(ask("worker-1", broken)) == {"refused"}
    assert last(signer)["rule"] == "proof_of_possession"


@pytest.mark.parametrize(
    "request_", ["", "no request", "-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n", 5, None, {}]
)
def test_garbage_gets_nothing(ask, request_):
    assert "certificate" not in (ask("worker-1", request_) or {})


def test_a_minion_that_claims_anothers_id_is_not_heard(ask):
    request = static.request(one("worker-2"), KEY)
    try:
        answer = ask("worker-1", request, claimed="worker-2")
    except SaltException:  # refused at the door
        return
    assert "certificate" not in str(answer)


@pytest.mark.parametrize(
    "fun", ["kube_node_sign.certificates", "salt.cmd", "kube_node.grant", "state.orchestrate"]
)
def test_nothing_else_can_be_called(ask, fun: str):
    assert not ask("worker-1", "x", fun=fun)


def test_each_of_many_at_once_gets_its_own(nodes):
    def subject(minion: str) -> str:
        arguments = json.dumps(["kubelet", static.request(one(minion), KEY)])
        call = nodes[minion].salt_call_cli(timeout=180)
        answer = call.run("publish.runner", "kube_node_sign.certificate", arguments, "timeout=60").data
        name = x509.load_pem_x509_certificate(answer["certificate"].encode()).subject
        return name.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value

    asked = [*MINIONS] * 4
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(subject, asked)) == [f"system:node:{minion}" for minion in asked]


def test_an_authority_that_others_can_read_signs_nothing(ask, signer, authority):
    authority.key.chmod(0o640)
    try:
        answer = ask("worker-1", static.request(one("worker-1"), KEY))
    finally:
        authority.key.chmod(0o600)
    assert answer["refused"].endswith("can be read by others than its owner: chmod 600")


def test_the_module_of_the_minion_gets_both_and_then_finds_nothing_to_do(nodes):
    call = nodes["worker-2"].salt_call_cli(timeout=180)
    for name in ("kubelet", "kube_proxy"):
        put = call.run("kube_node_certificate.put", name)
        assert put.returncode == 0, put
        assert set(put.data.values()) == {"new"}
        assert call.run("kube_node_certificate.fault", name).data is None


def test_the_fleets_certificates_are_listed_and_a_threshold_ends_with_1(nodes, signer):
    runner = signer.salt_run_cli(timeout=180)
    for name in ("kubelet", "kube_proxy"):
        nodes["worker-1"].salt_call_cli(timeout=180).run("kube_node_certificate.put", name)
        nodes["worker-2"].salt_call_cli(timeout=180).run("kube_node_certificate.put", name)
    all_well, due = (runner.run("kube_node.certificates", f"threshold={days}") for days in (300, 400))
    assert (all_well.returncode, due.returncode) == (0, 1)
    assert {(row["minion"], row["name"], row["days_left"]) for row in due.data["certificates"]} == {
        (minion, name, 364) for minion in MINIONS for name in ("client", "kube-proxy")
    }
    assert due.data["wanting"] == 4


def test_no_key_is_in_the_masters_job_cache_or_logs(nodes, signer):
    call = nodes["worker-2"].salt_call_cli(timeout=180)
    [folder] = {Path(call.run("kube_node.certificates").data[0]["path"]).parent}
    keys = [path.read_text().splitlines()[1] for path in folder.glob("*-key.pem")]
    assert len(keys) == 2
    looked = [Path(signer.config["log_file"]), *Path(signer.config["cachedir"]).rglob("*")]
    found = [
        path for path in looked if path.is_file() for key in keys if key in path.read_text(errors="replace")
    ]
    assert found == []
