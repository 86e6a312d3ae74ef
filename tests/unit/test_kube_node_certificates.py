"""What is true of a kubelet's certificates: told of whatever lies there, and read once."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import kube_node_certificates as certificates
import pytest
from cryptography.hazmat.primitives import serialization

from unit.certificates import key, key_pem, write

BEGIN, END = 1_700_000_000, 1_700_001_000
RENEWAL = BEGIN + 700


@pytest.fixture
def path(tmp_path: Path) -> str:
    """Return where a certificate lies that is valid from BEGIN to END."""
    file = tmp_path / "pki/kubelet-client-current.pem"
    write(file, BEGIN, END)
    return str(file)


@pytest.mark.parametrize(
    ("now", "state", "until"),
    [
        (BEGIN - 1, "not yet valid", BEGIN),
        (BEGIN, "good", RENEWAL),
        (RENEWAL - 1, "good", RENEWAL),
        (RENEWAL, "within its renewal window", END),
        (END, "within its renewal window", END),
        (END + 1, "expired", None),
    ],
)
def test_a_certificate_has_a_state_until_a_time(path, now, state, until):
    found = certificates.look(path, now)
    assert (found.state, found.until) == (state, until)


@pytest.mark.parametrize(
    ("now", "usable"),
    [(BEGIN - 1, True), (BEGIN, True), (RENEWAL, True), (END, True), (END + 1, False)],
)
def test_a_certificate_is_usable_to_its_last_second(path, now, usable):
    """Also before its first: then it is this machine's clock that is late."""
    assert certificates.look(path, now).usable is usable


def test_a_file_that_is_not_there_is_missing(tmp_path):
    found = certificates.look(str(tmp_path / "none.pem"), BEGIN)
    assert (found.state, found.until, found.sha256, found.usable) == ("missing", None, None, False)


def test_a_link_to_nothing_is_missing(tmp_path):
    link = tmp_path / "kubelet-client-current.pem"
    link.symlink_to(tmp_path / "gone.pem")
    assert certificates.look(str(link), BEGIN).state == "missing"


def test_a_file_below_no_folder_is_missing(path):
    assert certificates.look(f"{path}/below", BEGIN).state == "missing"


CERTIFICATE_OF_NOTHING = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
GARBAGE = [
    b"",
    b"\0" * 4096,
    b"\xff\xfe" * 100,
    b"-----BEGIN CERTIFICATE-----",
    CERTIFICATE_OF_NOTHING,
    key_pem(),
    b"A" * (certificates.LARGEST + 1),
]


@pytest.mark.parametrize("content", GARBAGE, ids=range(len(GARBAGE)))
def test_garbage_is_unreadable(tmp_path, content):
    (tmp_path / "garbage.pem").write_bytes(content)
    assert certificates.look(str(tmp_path / "garbage.pem"), BEGIN).state == "unreadable"


@pytest.mark.parametrize("position", range(0, 700, 7))
def test_a_certificate_with_a_changed_byte_raises_nothing(path, position):
    content = bytearray(Path(path).read_bytes())
    content[position] ^= 1
    Path(path).write_bytes(content)
    assert isinstance(certificates.look(path, BEGIN).state, str)


def test_a_folder_is_unreadable(tmp_path):
    assert certificates.look(str(tmp_path), BEGIN).state == "unreadable"


def test_a_pipe_is_unreadable_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    assert certificates.look(str(tmp_path / "pipe"), BEGIN).state == "unreadable"


def test_a_link_to_itself_is_unreadable(tmp_path):
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    assert certificates.look(str(tmp_path / "loop"), BEGIN).state == "unreadable"


def test_a_path_that_is_none_is_unreadable():
    assert certificates.look("\0", BEGIN).state == "unreadable"


def test_a_new_certificate_is_seen_at_once(path):
    certificates.look(path, END + 1)
    write(path, END, END + 1000)
    assert certificates.look(path, END + 1).state == "good"


def test_a_link_to_another_certificate_is_seen_at_once(tmp_path, path):
    link = tmp_path / "current.pem"
    link.symlink_to(path)
    certificates.look(str(link), END + 1)
    write(tmp_path / "next.pem", END, END + 1000)
    link.unlink()
    link.symlink_to(tmp_path / "next.pem")
    assert certificates.look(str(link), END + 1).state == "good"


def test_a_certificate_that_goes_and_comes_back_is_seen(path):
    Path(path).rename(f"{path}.away")
    assert certificates.look(path, BEGIN).state == "missing"
    Path(f"{path}.away").rename(path)
    assert certificates.look(path, BEGIN).state == "good"


def test_an_unchanged_file_is_read_once(path, monkeypatch):
    certificates.look(path, BEGIN)
    monkeypatch.setattr(Path, "read_bytes", lambda _: pytest.fail("read again"))
    assert certificates.look(path, RENEWAL).state == "within its renewal window"


def test_the_digest_is_of_the_certificate_alone(path):
    made = write(path, BEGIN, END)
    der = hashlib.sha256(made.public_bytes(serialization.Encoding.DER)).hexdigest()
    assert certificates.look(path, BEGIN).sha256 == der
    assert certificates.attestation(path, BEGIN) == {"client_cert_sha256": der, "spki_sha256": None}


def test_without_a_certificate_there_is_nothing_to_attest(tmp_path):
    found = certificates.attestation(str(tmp_path / "none.pem"), BEGIN)
    assert found == {"client_cert_sha256": None, "spki_sha256": None}


def test_a_certificate_that_has_expired_is_not_attested(path):
    assert certificates.attestation(path, END + 1)["client_cert_sha256"] is None


def test_a_machine_whose_clock_is_late_attests_its_certificate(path):
    attested = certificates.attestation(path, BEGIN - 1)["client_cert_sha256"]
    assert attested == certificates.look(path, BEGIN).sha256


def digest(number: int) -> str:
    info = serialization.PublicFormat.SubjectPublicKeyInfo
    public = key(number).public_key().public_bytes(serialization.Encoding.DER, info)
    return hashlib.sha256(public).hexdigest()


@pytest.fixture
def waiting(tmp_path: Path) -> dict[str, str]:
    """Return where a key lies that waits for a certificate which is not there."""
    (tmp_path / "kubelet-client.key.tmp").write_bytes(key_pem(1))
    return {"key": str(tmp_path / "kubelet-client.key.tmp"), "certificate": str(tmp_path / "current.pem")}


def test_a_key_that_waits_is_attested(waiting):
    found = certificates.attestation(waiting["certificate"], BEGIN, waiting)
    assert found == {"client_cert_sha256": None, "spki_sha256": digest(1)}


def test_a_key_waits_no_longer_once_its_certificate_is_there(waiting):
    write(waiting["certificate"], BEGIN, END)
    assert certificates.attestation(waiting["certificate"], BEGIN, waiting)["spki_sha256"] is None


def test_a_key_goes_on_waiting_while_its_certificate_is_garbage(waiting):
    Path(waiting["certificate"]).write_bytes(CERTIFICATE_OF_NOTHING)
    assert certificates.attestation(waiting["certificate"], BEGIN, waiting)["spki_sha256"] == digest(1)


def test_a_key_that_speaks_for_itself_is_attested_beside_its_certificate(waiting, path):
    found = certificates.attestation(path, BEGIN, {**waiting, "certificate": None})
    assert (found["client_cert_sha256"] is None, found["spki_sha256"]) == (False, digest(1))


def test_a_key_behind_the_parameters_of_its_curve_is_found(waiting):
    parameters = b"-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"
    Path(waiting["key"]).write_bytes(parameters + key_pem(2))
    assert certificates.attestation(waiting["certificate"], BEGIN, waiting)["spki_sha256"] == digest(2)


@pytest.mark.parametrize(
    "content", [b"", b"\xff", b"-----BEGIN PRIVATE KEY-----\nAA==\n-----END PRIVATE KEY-----"]
)
def test_a_key_that_is_none_is_not_attested(waiting, content):
    Path(waiting["key"]).write_bytes(content)
    assert certificates.attestation(waiting["certificate"], BEGIN, waiting)["spki_sha256"] is None


def test_an_encrypted_key_is_not_attested(waiting):
    form, locked = serialization.PrivateFormat.PKCS8, serialization.BestAvailableEncryption(b"secret")
    Path(waiting["key"]).write_bytes(key(1).private_bytes(serialization.Encoding.PEM, form, locked))
    assert certificates.attestation(waiting["certificate"], BEGIN, waiting)["spki_sha256"] is None


def test_nothing_of_a_private_key_is_remembered(waiting):
    certificates.attestation(waiting["certificate"], BEGIN, waiting)
    assert "PRIVATE KEY" not in repr(certificates._read)
