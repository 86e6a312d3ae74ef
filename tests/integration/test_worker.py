"""The worker that lets nodes in: on the API double, in one process, without Salt.

A minion's knock, its token's Secret, its requests and what becomes of them; and what goes wrong meanwhile.
"""

from __future__ import annotations

import base64
import hashlib
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import kube_node_tokens
import kubelet_csr_tokens
import kubelet_csr_worker
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from kube_api import ApiError
from kube_node_approver import Settings
from kube_node_identity import Identity
from kube_node_knocks import CLIENT, SERVING, Knock
from kube_node_mailbox import Mailbox
from kube_node_register import Made, Register
from kube_node_tokens import SECRETS, Token
from kubelet_csr_tokens import Tokens
from kubelet_csr_worker import Worker
from lab.waiting import until
from unit.ground import Ground, derived
from unit.lab import apiserver_cluster as double
from unit.lab.apiserver_cluster import CSRS, Cluster, csr

from integration.double import APPROVER, asked, conditions, connect, fault

NODES = "/api/v1/nodes"
SECONDS = 20
MADE, REMOVED = ("create", "secrets"), ("delete", "secrets")
LISTED, WATCHED = ("list", "certificatesigningrequests"), ("watch", "certificatesigningrequests")
LOOKED, WRITTEN = ("get", "nodes"), ("update", "certificatesigningrequests")


def minion(number: int = 1, **changes: Any) -> Identity:
    """Return a minion that is a node of the cluster, by a derived token."""
    name = f"n{number}"
    found = Identity(
        f"{number:02}node", "demo", name, (f"10.77.0.{number}",), (name,), None, derives_token=True
    )
    return replace(found, **changes)


ONE, TWO = minion(1), minion(2)
OLDER = Token("older1", "fedcba9876543210")


def ground_with_older() -> Ground:
    """Return what is known of a minion that may still hold the token of the window before."""
    found = Ground.of(ONE)
    found.older[ONE.minion_id] = [OLDER]
    return found


def knock(owner: Identity, *lacks: str, token: str | None = None) -> Knock:
    return Knock(owner.minion_id, frozenset(lacks or (CLIENT,)), token or derived(owner).id)


class Kubelet:
    """A kubelet's requests: by its minion's token at first, by a certificate then."""

    path = CSRS

    def __init__(self, cluster: Cluster, owner: Identity, token: Token | None = None) -> None:
        self.cluster, self.owner, self.user = cluster, owner, f"system:node:{owner.name}"
        self.by_token = cluster.anonymous(str(token or derived(owner)))
        self.by_certificate = cluster.session(self.user, "system:nodes")

    def join(self, name: str | None = None) -> str:
        """Ask for a first certificate until the token is known, as a kubelet does; return the request's
        name."""
        body = self._body()
        if name:
            body["metadata"] = {"name": name}

        def asked() -> str | None:
            answer = self.cluster.call("POST", self.path, body, self.by_token)
            assert answer.status_code in (201, 401), answer.text
            return answer.json()["metadata"].get("name")

        return until(asked, "a valid token", SECONDS)

    def renew(self, organization: str = "system:nodes") -> str:
        """Ask for a further client certificate by the one that it has."""
        return self._ask(self._body(organisations=[organization]))

    def ask_serving(self) -> str:
        """Ask for a serving certificate by its client certificate."""
        names = [x509.DNSName(self.owner.name)]
        return self._ask(self._body(double.SERVING, names=names, usages=["digital signature", "server auth"]))

    def ask(self, **parts: Any) -> str:
        """Ask for something else by its client certificate."""
        return self._ask(self._body(**parts))

    def _body(self, signer: str = double.CLIENT, **parts: Any) -> dict[str, Any]:
        return csr(self.user, signerName=signer, **parts)

    def _ask(self, body: dict[str, Any]) -> str:
        return self.cluster.make(self.path, body, self.by_certificate)["metadata"]["name"]

    @property
    def certificate_sha256(self) -> str:
        """The digest of its client certificate, as its minion attests it."""
        pem = Path(self.by_certificate.cert[0]).read_bytes()
        return hashlib.sha256(x509.load_pem_x509_certificate(pem).public_bytes(Encoding.DER)).hexdigest()

    def register(self, ready: bool = True) -> None:
        """Make its Node."""
        made = self.cluster.make(NODES, {"metadata": {"name": self.owner.name}})
        made["status"] = {"conditions": [{"type": "Ready", "status": "True" if ready else "False"}]}
        path = f"{NODES}/{self.owner.name}/status"
        assert self.cluster.call("PUT", path, made).status_code == 200

    def certificate(self, name: str) -> str:
        """Return the certificate that a request got."""

        def issued() -> str | None:
            return self.cluster.read(f"{self.path}/{name}")["status"].get("certificate")

        return base64.b64decode(until(issued, "a certificate", SECONDS)).decode()


class Work:
    """A worker at work in a thread of its own, and what it told."""

    def __init__(
        self, cluster: Cluster, ground: Ground, register: Register, wait: float, user: str, mail
    ) -> None:
        self.told: list[dict] = []
        self.error: ApiError | None = None
        self.mail = Mailbox() if mail is None else mail
        api = connect(cluster, user)
        tokens = Tokens("demo", api.api, register, ground.tokens)
        settings = Settings(wait_seconds=wait)
        self.worker = Worker("demo", api, ground, tokens, settings, self.told.extend, self.mail)

    def start(self, *knocks: Knock) -> Work:
        self._thread = threading.Thread(target=self._run, args=(knocks,), daemon=True)
        self._thread.start()
        return self

    def _run(self, knocks: tuple[Knock, ...]) -> None:
        try:
            self.worker.run(knocks)
        except ApiError as error:
            self.error = error

    def end(self) -> dict[str, tuple[str, str]]:
        """Wait until it has ended by itself; return the last verdict and rule by request."""
        self._thread.join(SECONDS)
        assert not self._thread.is_alive()
        if self.error:
            raise self.error
        return {one["name"]: (one["verdict"], one["rule"]) for one in self.told}


@pytest.fixture(autouse=True)
def _hurried(monkeypatch):
    monkeypatch.setattr(kubelet_csr_worker, "LINGER_SECONDS", 0.1)


@pytest.fixture
def register(tmp_path: Path) -> Register:
    return Register(tmp_path / "minions.db")


@pytest.fixture
def work(cluster: Cluster, register: Register) -> Callable[..., Work]:
    """Return a function that lets a worker start on some knocks; it waits for as long as a test may take."""

    def start(ground: Ground, *knocks: Knock, wait: float = SECONDS, user: str = APPROVER, mail=None) -> Work:
        return Work(cluster, ground, register, wait, user, mail).start(*knocks)

    return start


@pytest.fixture
def look(work) -> Callable[..., dict[str, tuple[str, str]]]:
    """Return a function that lets a worker look once and wait for nobody; gives the verdicts and rules."""
    return lambda ground, *knocks, **options: work(ground, *knocks, wait=0, **options).end()


def secrets(cluster: Cluster) -> list[str]:
    """Return the ids of the tokens that are valid in the cluster."""
    names = [one["metadata"]["name"] for one in cluster.read(SECRETS)["items"]]
    return [name.removeprefix("bootstrap-token-") for name in names]


def foreign_secret(cluster: Cluster, token: Token, seconds: float = 600) -> None:
    """Make a token valid that is somebody else's."""
    cluster.make(
        SECRETS, kube_node_tokens.manifest(token, "system:bootstrappers:foreign", time.time() + seconds)
    )


def own_secret(cluster: Cluster, owner: Identity) -> None:
    """Make a minion's token valid as the worker does, which knows nothing of it."""
    group = kube_node_tokens.group(owner.cluster, owner.minion_id, owner.name)
    cluster.make(SECRETS, kube_node_tokens.manifest(derived(owner), group, time.time() + 600))


# A minion that knocks


def test_a_minion_that_knocks_gets_in_by_its_own_token(cluster, work):
    running = work(Ground.of(ONE), knock(ONE))
    name = Kubelet(cluster, ONE).join()
    assert running.end() == {name: ("approve", "approved_token")}


def test_its_token_is_removed_when_the_certificate_is_there(cluster, work, register):
    running = work(Ground.of(ONE), knock(ONE))
    kubelet = Kubelet(cluster, ONE)
    kubelet.certificate(kubelet.join())
    running.end()
    assert secrets(cluster) == register.made("demo") == []


def test_the_token_of_another_window_is_removed_with_it(cluster, work):
    """Where a knock does not say which token the kubelet has, all are made valid that it may have."""
    running = work(ground_with_older(), Knock(ONE.minion_id, frozenset({CLIENT})))
    kubelet = Kubelet(cluster, ONE, OLDER)
    kubelet.certificate(kubelet.join())
    assert len([one for one in asked(cluster) if one == MADE]) == 2
    running.end()
    assert secrets(cluster) == []


def test_the_token_that_a_knock_names_is_the_only_one_that_is_made_valid(cluster, look):
    look(ground_with_older(), knock(ONE, token=OLDER.id))
    assert secrets(cluster) == [OLDER.id]


def test_a_token_that_a_knock_makes_up_is_made_valid_for_nobody(cluster, look):
    look(Ground.of(ONE), knock(ONE, token="zzzzzz"))
    assert secrets(cluster) == [derived(ONE).id]


def test_a_tokens_secret_says_whose_it_is_and_ends_within_the_hour(cluster, look):
    look(Ground.of(ONE), knock(ONE))
    [secret] = cluster.read(SECRETS)["items"]
    data = {key: base64.b64decode(value).decode() for key, value in secret["data"].items()}
    assert data["auth-extra-groups"] == kube_node_tokens.group("demo", ONE.minion_id, ONE.name)
    ends = datetime.fromisoformat(data["expiration"].replace("Z", "+00:00"))
    assert 3500 < ends.timestamp() - time.time() <= 3600


@pytest.mark.parametrize("ready", [None, False])
def test_a_token_is_made_valid_where_the_node_is_absent_or_not_ready(cluster, look, ready):
    if ready is not None:
        Kubelet(cluster, ONE).register(ready)
    look(Ground.of(ONE), knock(ONE))
    assert secrets(cluster) == [derived(ONE).id]


def test_no_token_is_made_valid_where_the_node_is_at_work(cluster, look):
    Kubelet(cluster, ONE).register()
    look(Ground.of(ONE), knock(ONE))
    assert secrets(cluster) == []


def test_no_token_is_made_valid_for_who_lacks_a_serving_certificate_alone(cluster, look):
    look(Ground.of(ONE), knock(ONE, SERVING))
    assert secrets(cluster) == []


def test_no_token_is_made_valid_for_who_has_one_of_the_operators(cluster, look):
    look(Ground.of(minion(1, derives_token=False, bootstrap_token_id="aaaaaa")), knock(ONE))
    assert secrets(cluster) == []


@pytest.mark.parametrize(
    "ground", [Ground(), Ground({ONE.minion_id: None}), Ground.of(minion(1, cluster="other"))]
)
def test_a_knock_of_nobody_here_leads_to_a_look_and_nothing_more(cluster, look, ground):
    look(ground, knock(ONE))
    assert asked(cluster) == [LISTED]


def test_two_minions_that_claim_one_node_get_nothing(cluster, work):
    twins = Ground.of(ONE, minion(2, name="n1"))
    foreign_secret(cluster, derived(ONE))
    name = Kubelet(cluster, ONE).join()
    assert work(twins, knock(ONE), knock(TWO)).end() == {name: ("ignore", "node_known")}
    assert MADE not in asked(cluster)


def test_a_secret_of_somebody_elses_that_stands_in_the_way_is_replaced(cluster, work):
    foreign_secret(cluster, Token(derived(ONE).id, "fedcba9876543210"))
    running = work(Ground.of(ONE), knock(ONE))
    name = Kubelet(cluster, ONE).join()
    assert running.end() == {name: ("approve", "approved_token")}


def test_who_holds_a_token_of_the_same_id_with_another_group_gets_nothing(cluster, work):
    """Six letters may be the same for two minions: the group says whose the Secret is."""
    foreign_secret(cluster, derived(ONE))
    name = Kubelet(cluster, ONE).join()
    assert work(Ground.of(ONE), wait=0).end() == {name: ("ignore", "token_group")}


def test_a_knock_that_comes_again_makes_no_second_secret(cluster, look):
    for _ in range(2):
        look(Ground.of(ONE), knock(ONE))
    assert asked(cluster).count(MADE) == 1


def test_a_secret_that_was_lost_is_made_again_for_who_still_knocks(cluster, look, monkeypatch):
    look(Ground.of(ONE), knock(ONE))
    cluster.call("DELETE", f"{SECRETS}/bootstrap-token-{derived(ONE).id}")
    monkeypatch.setattr(kubelet_csr_tokens, "SETTLED_SECONDS", 0)
    look(Ground.of(ONE), knock(ONE))
    assert secrets(cluster) == [derived(ONE).id]


# What comes while the worker is at work


def test_both_certificates_come_in_one_go(cluster, work):
    running = work(Ground.of(ONE), knock(ONE, CLIENT, SERVING))
    kubelet = Kubelet(cluster, ONE)
    kubelet.certificate(kubelet.join())
    kubelet.register()
    assert kubelet.certificate(kubelet.ask_serving())
    assert {verdict for verdict, _ in running.end().values()} == {"approve"}


def test_a_serving_request_that_is_ahead_of_the_node_is_looked_at_again(cluster, work):
    running = work(Ground.of(ONE), knock(ONE, SERVING))
    kubelet = Kubelet(cluster, ONE)
    name = kubelet.ask_serving()
    until(lambda: [one for one in running.told if one["rule"] == "node_exists"], "a look", SECONDS)
    kubelet.register()
    assert running.end() == {name: ("approve", "approved_serving")}


def test_a_late_request_is_found_by_the_watch(cluster, work):
    running = work(Ground.of(ONE), knock(ONE))
    until(lambda: WATCHED in asked(cluster), "a watch", SECONDS)
    Kubelet(cluster, ONE).join()
    running.end()
    assert asked(cluster).count(LISTED) == 1


def test_a_knock_that_comes_meanwhile_joins_the_work(cluster, work):
    running = work(Ground.of(ONE, TWO), knock(ONE))
    until(lambda: WATCHED in asked(cluster), "a watch", SECONDS)
    running.mail.put(knock(TWO))
    names = [Kubelet(cluster, owner).join() for owner in (TWO, ONE)]
    assert running.end() == dict.fromkeys(names, ("approve", "approved_token"))
    assert asked(cluster).count(LISTED) == 1


def test_a_late_knock_for_a_certificate_that_was_just_approved_is_not_waited_for(cluster, work, monkeypatch):
    monkeypatch.setattr(kubelet_csr_worker, "LINGER_SECONDS", 3)
    running = work(Ground.of(ONE), knock(ONE))
    kubelet = Kubelet(cluster, ONE)
    kubelet.certificate(kubelet.join())
    running.mail.put(knock(ONE))
    start = time.monotonic()
    running.end()
    assert time.monotonic() - start < SECONDS / 2
    assert asked(cluster).count(MADE) == 1


def stamped(seconds: float) -> Knock:
    """Return a knock that was fired so many seconds from now."""
    at = datetime.now(timezone.utc) + timedelta(seconds=seconds)
    return knock(ONE)._replace(stamp=at.isoformat())


@pytest.fixture
def crashed(cluster, work) -> None:
    """Let a kubelet crash that was let in, before it had taken its certificate and made its Node."""
    running = work(Ground.of(ONE), knock(ONE))
    kubelet = Kubelet(cluster, ONE)
    kubelet.certificate(kubelet.join())
    running.end()
    assert secrets(cluster) == []


def test_a_knock_from_before_the_approval_that_comes_after_it_makes_no_token_valid(cluster, crashed, look):
    look(Ground.of(ONE), stamped(-60))
    assert secrets(cluster) == []


def test_a_knock_from_after_the_approval_makes_a_token_valid_again(cluster, crashed, look):
    look(Ground.of(ONE), stamped(+5))
    assert secrets(cluster) == [derived(ONE).id]


def test_a_minion_that_never_asks_is_waited_for_no_longer_than_the_settings_say(cluster, work):
    start = time.monotonic()
    work(Ground.of(ONE), knock(ONE), wait=1).end()
    assert 1 <= time.monotonic() - start < 5


def test_a_request_that_is_left_alone_is_told_once_however_often_it_is_looked_at(cluster, work):
    name = Kubelet(cluster, ONE).ask_serving()
    running = work(Ground.of(ONE), knock(ONE, SERVING), wait=3)
    assert running.end() == {name: ("ignore", "node_exists")}
    assert asked(cluster).count(LOOKED) > 1
    assert len(running.told) == 1


def test_who_is_known_waits_for_no_more_than_some_whose_pillar_must_be_compiled_first(cluster, work):
    """That takes a tenth of a second each: a rack of strangers would keep a node out for minutes."""
    strangers = [minion(number) for number in range(10, 60)]
    ground = Ground.of(ONE, *strangers)
    ground.cold = {one.minion_id for one in strangers}
    fault(cluster, action="drop", path="secrets", user=APPROVER)
    outage(work, ground, *(knock(one, SERVING) for one in strangers), knock(ONE))
    assert len(ground.compiled) == 1


def test_minions_whose_pillars_must_be_compiled_are_looked_at_some_at_a_time(work):
    strangers = [minion(number) for number in range(10, 60)]
    ground = Ground.of(*strangers)
    ground.cold = {one.minion_id for one in strangers}
    work(ground, *(knock(one, SERVING) for one in strangers), wait=1).end()
    assert [len(some) for some in ground.compiled] == [16, 16, 16, 2]


def test_of_a_kubelets_requests_the_newest_alone_is_approved(cluster, work):
    """One that crashes at each start leaves a request each time."""
    own_secret(cluster, ONE)
    kubelet = Kubelet(cluster, ONE)
    old = {kubelet.join() for _ in range(10)}
    second = int(time.time())
    until(lambda: int(time.time()) > second, "the next second", SECONDS)
    newest = kubelet.join()
    running = work(Ground.of(ONE), knock(ONE))
    assert running.end() == dict.fromkeys(old, ("ignore", "newest")) | {newest: ("approve", "approved_token")}


# What a minion attests


def attest(ground: Ground, certificate: str | None, seconds: float) -> None:
    """Let a minion have attested its certificate so many seconds from now."""
    told = {"client_cert_sha256": certificate, "spki_sha256": None, "at": time.time() + seconds}
    ground.attested[ONE.minion_id] = told


@pytest.fixture
def kubelet(cluster) -> Kubelet:
    """Return the kubelet of a node that is at work."""
    found = Kubelet(cluster, ONE)
    found.register()
    return found


def test_a_renewal_by_the_attested_certificate_is_approved(kubelet, look):
    ground = Ground.of(ONE)
    attest(ground, kubelet.certificate_sha256, -3600)
    name = kubelet.renew()
    assert look(ground) == {name: ("approve", "approved_renewal")}


def test_a_renewal_by_another_certificate_than_the_attested_is_denied(kubelet, look):
    ground = Ground.of(ONE)
    attest(ground, "a" * 64, +5)
    name = kubelet.renew()
    assert look(ground) == {name: ("deny", "credential")}


@pytest.mark.parametrize("ask", [Kubelet.renew, Kubelet.ask_serving])
@pytest.mark.parametrize("honest", [True, False])
def test_what_was_attested_before_the_request_is_attested_anew_first(cluster, kubelet, work, ask, honest):
    ground = Ground.of(ONE)
    attest(ground, "a" * 64, -3600)
    name = ask(kubelet)
    running = work(ground)
    until(lambda: running.told, "a verdict", SECONDS)
    assert (running.told[0]["verdict"], running.told[0]["rule"]) == ("ignore", "credential")
    assert conditions(cluster, name) == []
    assert ground.asked == [ONE.minion_id]
    attest(ground, kubelet.certificate_sha256 if honest else "a" * 64, +5)
    until(lambda: conditions(cluster, name), "a decision", SECONDS)
    assert conditions(cluster, name) == ["Approved" if honest else "Denied"]


def test_a_minion_that_does_not_attest_anew_leaves_its_request_pending(cluster, kubelet, work):
    ground = Ground.of(ONE)
    attest(ground, "a" * 64, -3600)
    name = kubelet.renew()
    assert work(ground, wait=2).end() == {name: ("ignore", "credential")}
    assert conditions(cluster, name) == []


# A sweep


def test_a_sweep_approves_what_nobody_knocked_for(cluster, kubelet, look):
    name = kubelet.renew()
    assert look(Ground.of(ONE), Knock(None)) == {name: ("approve", "approved_renewal")}


def test_a_sweep_makes_a_token_valid_for_a_minion_that_attests_no_certificate(cluster, look):
    ground = Ground.of(ONE, TWO)
    attest(ground, None, -60)
    look(ground, Knock(None))
    assert secrets(cluster) == [derived(ONE).id]


def test_a_sweep_makes_no_token_valid_for_a_minion_that_attests_a_certificate(cluster, look):
    ground = Ground.of(ONE)
    attest(ground, "a" * 64, -60)
    look(ground, Knock(None))
    assert secrets(cluster) == []


def test_a_minion_whose_knock_was_lost_gets_in_by_a_sweep(cluster, work):
    ground = Ground.of(ONE)
    attest(ground, None, -60)
    running = work(ground, Knock(None))
    name = Kubelet(cluster, ONE).join()
    assert running.end() == {name: ("approve", "approved_token")}


def test_a_knock_is_believed_more_than_a_sweep_that_comes_with_it(cluster, look):
    look(Ground.of(ONE), knock(ONE), Knock(None))
    assert secrets(cluster) == [derived(ONE).id]


def left(cluster: Cluster, register: Register, owner: Identity, seconds: float) -> None:
    """Leave a token of a worker that was killed."""
    made = Made(derived(owner).id, "demo", owner.minion_id, owner.name, time.time() + seconds)
    register.put_made([made])
    foreign_secret(cluster, derived(owner), seconds)


def test_a_sweep_removes_a_token_that_was_left_behind_once_its_node_is_at_work(
    cluster, kubelet, look, register
):
    left(cluster, register, ONE, 600)
    look(Ground.of(ONE), Knock(None))
    assert secrets(cluster) == register.made("demo") == []


def test_a_sweep_removes_a_token_that_was_left_behind_once_it_has_expired(cluster, look, register):
    left(cluster, register, ONE, -1)
    look(Ground.of(ONE), Knock(None))
    assert secrets(cluster) == register.made("demo") == []


@pytest.mark.parametrize("ready", [None, False])
def test_a_sweep_leaves_the_token_of_a_node_that_may_still_need_it(cluster, look, register, ready):
    left(cluster, register, ONE, 600)
    if ready is not None:
        Kubelet(cluster, ONE).register(ready)
    look(Ground.of(ONE), Knock(None))
    assert secrets(cluster) == [derived(ONE).id]


def test_a_token_that_another_removed_is_forgotten(cluster, look, register):
    register.put_made([Made(derived(ONE).id, "demo", ONE.minion_id, ONE.name, 0.0)])
    look(Ground.of(ONE), Knock(None))
    assert register.made("demo") == []


def test_a_look_that_is_no_sweep_removes_nothing(cluster, look, register):
    left(cluster, register, ONE, -1)
    look(Ground.of(TWO), knock(TWO))
    assert secrets(cluster) == [derived(ONE).id, derived(TWO).id]


# What goes wrong


def outage(work, ground: Ground, *knocks: Knock, **options: Any) -> Work:
    """Let a worker meet an outage; return it."""
    running = work(ground, *knocks, **options)
    with pytest.raises(ApiError):
        running.end()
    assert running.error.is_outage
    return running


@pytest.mark.parametrize("where", ["certificatesigningrequests", "nodes", "secrets"])
def test_who_knocked_before_an_outage_is_not_forgotten(cluster, work, where):
    fault(cluster, action="drop", path=where, user=APPROVER)
    running = outage(work, Ground.of(ONE), knock(ONE))
    assert running.worker.unanswered() == [knock(ONE)]


def test_who_waited_when_the_server_went_away_is_not_forgotten(cluster, work):
    running = work(Ground.of(ONE), knock(ONE))
    until(lambda: WATCHED in asked(cluster), "a watch", SECONDS)
    cluster.call("POST", "/lab/restart", {})
    with pytest.raises(ApiError, match="broke off"):
        running.end()
    assert running.worker.unanswered() == [knock(ONE)]


def test_who_was_not_looked_at_yet_is_not_forgotten(cluster, work, monkeypatch):
    monkeypatch.setattr(kubelet_csr_worker, "COLD", 1)
    ground = Ground.of(ONE, TWO)
    ground.cold = set(ground.minions)
    fault(cluster, action="drop", path="secrets", user=APPROVER)
    running = outage(work, ground, knock(ONE), knock(TWO))
    assert {one.minion for one in running.worker.unanswered()} == {ONE.minion_id, TWO.minion_id}


def test_a_sweep_that_an_outage_ended_is_not_forgotten(cluster, work, register):
    left(cluster, register, ONE, -1)
    fault(cluster, action="drop", path="secrets", user=APPROVER)
    running = outage(work, Ground.of(ONE), Knock(None))
    assert Knock(None) in running.worker.unanswered()


def test_what_was_approved_before_an_outage_is_told(cluster, work, monkeypatch):
    kubelets = [Kubelet(cluster, owner) for owner in (ONE, TWO)]
    for one in kubelets:
        one.register()
    first, second = (one.renew() for one in kubelets)
    fault(cluster, action="drop", path=f"{second}/approval", user=APPROVER)
    running = outage(work, Ground.of(ONE, TWO), Knock(None))
    assert ("approve", first) in [(one["verdict"], one["name"]) for one in running.told]


def test_who_was_let_in_before_an_outage_is_waited_for_no_more(cluster, work):
    for owner, name in ((ONE, "csr-bcdfg"), (TWO, "csr-hjklm")):
        own_secret(cluster, owner)
        Kubelet(cluster, owner).join(name)
    fault(cluster, action="drop", path="csr-hjklm/approval", user=APPROVER)
    running = outage(work, Ground.of(ONE, TWO), knock(ONE), knock(TWO))
    assert running.worker.unanswered() == [knock(TWO)]


def test_the_next_worker_finishes_what_an_outage_left(cluster, work):
    fault(cluster, action="drop", path="secrets", user=APPROVER)
    first = outage(work, Ground.of(ONE), knock(ONE))
    cluster.call("DELETE", "/lab/faults")
    second = work(Ground.of(ONE), *first.worker.unanswered(), mail=first.mail)
    name = Kubelet(cluster, ONE).join()
    assert second.end() == {name: ("approve", "approved_token")}


def test_an_old_watch_that_ends_late_ends_no_new_worker(cluster, work):
    mail = Mailbox()
    mail.put(kubelet_csr_worker.Seen(threading.Event(), ApiError(0, "it broke off")))
    running = work(Ground.of(ONE), knock(ONE), mail=mail)
    name = Kubelet(cluster, ONE).join()
    assert running.end() == {name: ("approve", "approved_token")}


def test_a_watch_whose_version_the_server_forgot_goes_on_from_a_list(cluster, work):
    fault(cluster, action="delay", verb="watch", seconds=2, count=1)
    running = work(Ground.of(ONE), knock(ONE))
    name = Kubelet(cluster, ONE).join()
    cluster.call("POST", "/lab/compact")
    assert running.end() == {name: ("approve", "approved_token")}
    assert asked(cluster).count(LISTED) == 2


def test_a_watch_that_ran_its_time_is_followed_by_another(cluster, work, monkeypatch):
    monkeypatch.setattr(kubelet_csr_worker, "WATCH_SECONDS", 1)
    running = work(Ground.of(ONE), knock(ONE))
    until(lambda: asked(cluster).count(WATCHED) > 1, "a second watch", SECONDS)
    name = Kubelet(cluster, ONE).join()
    assert running.end() == {name: ("approve", "approved_token")}


def test_without_the_right_to_tokens_requests_are_approved_all_the_same(cluster, work, caplog):
    csrs = {"apiGroups": ["certificates.k8s.io"], "resources": ["certificatesigningrequests"]}
    approval = {"apiGroups": ["certificates.k8s.io"], "resources": ["certificatesigningrequests/approval"]}
    signers = {"apiGroups": ["certificates.k8s.io"], "resources": ["signers"], "verbs": ["approve"]}
    nodes = {"apiGroups": [""], "resources": ["nodes"], "verbs": ["get", "list"]}
    verbs = [csrs | {"verbs": ["get", "list", "watch"]}, approval | {"verbs": ["update"]}, signers, nodes]
    cluster.grant("tokenless", *verbs)
    owned = minion(2, derives_token=False, bootstrap_token_id="bbbbbb")
    cluster.make(
        SECRETS, kube_node_tokens.manifest(Token("bbbbbb", "0123456789abcdef"), "system:bootstrappers:x", 2e9)
    )
    name = Kubelet(cluster, owned, Token("bbbbbb", "0123456789abcdef")).join()
    with caplog.at_level(logging.ERROR):
        assert work(Ground.of(ONE, owned), knock(ONE), wait=1, user="tokenless").end() == {
            name: ("approve", "approved_token")
        }
    [told] = [line for line in caplog.messages if "token" in line]
    assert told.startswith(f"kube_node: minion {ONE.minion_id} of demo gets no valid bootstrap token: ")
    assert told.endswith("; see kube_node/master/files")
    assert derived(ONE).secret not in told


# Clusters older than 1.19, which know v1beta1 alone


class OldKubelet(Kubelet):
    """A kubelet up to 1.17: its requests name no signer."""

    path = CSRS.replace("/v1/", "/v1beta1/")

    def _body(self, signer: str = double.CLIENT, **parts: Any) -> dict[str, Any]:
        body = super()._body(signer, **parts) | {"apiVersion": "certificates.k8s.io/v1beta1"}
        del body["spec"]["signerName"]
        return body


@pytest.mark.parametrize(
    "cluster", [{"version": "1.9.11"}, {"version": "1.17.17"}, {"version": "1.18.20"}], indirect=True
)
def test_both_requests_that_name_no_signer_are_approved(cluster, work):
    running = work(Ground.of(ONE), knock(ONE, CLIENT, SERVING))
    kubelet = OldKubelet(cluster, ONE)
    first = kubelet.join()
    kubelet.certificate(first)
    kubelet.register()
    second = kubelet.ask_serving()
    assert kubelet.certificate(second)
    assert running.end() == {first: ("approve", "approved_token"), second: ("approve", "approved_serving")}
    assert secrets(cluster) == []


@pytest.mark.parametrize("cluster", [{"version": "1.17.17"}], indirect=True)
@pytest.mark.parametrize(
    "usages", [["digital signature"], ["client auth", "server auth", "digital signature"]]
)
def test_a_request_of_which_nobody_can_say_whose_signers_it_is_is_left_alone(cluster, look, usages):
    kubelet = OldKubelet(cluster, ONE)
    name = kubelet.ask(usages=usages)
    assert look(Ground.of(ONE)) == {}
    assert conditions(cluster, name, OldKubelet.path) == []


@pytest.mark.parametrize("cluster", [{"version": "1.17.17"}], indirect=True)
def test_a_hostile_request_that_names_no_signer_is_denied(cluster, look):
    name = OldKubelet(cluster, ONE).renew("system:masters")
    assert look(Ground.of(ONE)) == {name: ("deny", "organization")}
    assert conditions(cluster, name, OldKubelet.path) == ["Denied"]


# What it costs


def test_one_node_costs_six_requests(cluster, work):
    running = work(Ground.of(ONE), knock(ONE))
    kubelet = Kubelet(cluster, ONE)
    kubelet.certificate(kubelet.join())
    running.end()
    assert sorted(asked(cluster)) == sorted([LISTED, LOOKED, MADE, WATCHED, WRITTEN, REMOVED])


def test_thirty_nodes_cost_three_requests_each_and_a_few(cluster, work):
    owners = [minion(number) for number in range(1, 31)]
    running = work(Ground.of(*owners), *map(knock, owners))
    names = [Kubelet(cluster, one).join() for one in owners]
    assert running.end() == dict.fromkeys(names, ("approve", "approved_token"))
    assert secrets(cluster) == []
    assert len(asked(cluster)) <= 3 * 30 + 10


def test_an_idle_sweep_costs_one_request(cluster, look):
    look(Ground.of(*map(minion, range(1, 31))), Knock(None))
    assert asked(cluster) == [LISTED]
