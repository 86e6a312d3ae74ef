"""The fleet's report, and what of a simulated kubelet can be told without a master."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Callable
from dataclasses import replace

import pytest
from cryptography import x509
from lab.fleet.api import Refused
from lab.fleet.kubelets import Kubelet
from lab.fleet.orders import CLIENT_SIGNER, SERVING_SIGNER, Faults, Orders, Pace
from lab.fleet.report import Course, Report

TOKEN = "abcdef.0123456789abcdef"
AT_ONCE = Pace(spread=0, request=0, pause=0.001, longest_pause=0.004, again=0)


class Server:
    """An API server that refuses so often, and then creates requests; `decide` says what becomes of each."""

    def __init__(self, refusals: int = 0, decide=None, token: str | None = TOKEN) -> None:
        self.refusals, self.bodies, self.token = refusals, [], token
        self._decide = decide or (lambda _: {"certificate": "eA=="})
        self._owners = {}
        self.knocks = []

    def register(self, kubelet: Kubelet) -> None:
        self._owners[kubelet.owns()] = kubelet

    async def post(self, body: bytes, node: str, token: str | None) -> str:
        assert (node, token) == ("node-00000", self.token)
        if self.refusals:
            self.refusals -= 1
            raise Refused
        asked = json.loads(body)
        self.bodies.append(asked)
        status, name = self._decide(len(self.bodies)), f"csr-{len(self.bodies)}"
        kubelet = self._owners[asked["spec"]["request"]]
        request = {"metadata": {"name": name}, "spec": asked["spec"], "status": status}
        asyncio.get_running_loop().call_soon(kubelet.take, request)
        return name


def run(
    server: Server,
    faults: Faults = Faults(),  # noqa: B008 - frozen
    signer: str = CLIENT_SIGNER,
    seconds: float = 10,
    **pace: float,
) -> Course:
    async def knock(is_due: Callable[[], bool], *what: object) -> float:
        if not is_due():
            return 0.0
        server.knocks.append(what)
        return 1.0

    async def one() -> Course:
        when = replace(AT_ONCE, **pace)
        kubelet = Kubelet("node-00000", server.token, signer, when, faults, knock)
        await asyncio.wait_for(kubelet.run(server, 0, server.register), seconds)
        return kubelet.course

    return asyncio.run(one())


def course(**what: object) -> Course:
    return Course(**{"minion": "node-00000", "knocks": 1, "knocked": 100.0, "created": 102.0, **what})


def test_request_is_that_of_a_node():
    server = Server()
    run(server)
    (body,) = server.bodies
    request = x509.load_pem_x509_csr(base64.b64decode(body["spec"]["request"]))
    assert request.subject.rfc4514_string() == "CN=system:node:node-00000,O=system:nodes"
    assert request.is_signature_valid
    assert body["spec"]["signerName"] == "kubernetes.io/kube-apiserver-client-kubelet"


def test_node_asks_for_a_serving_certificate_by_its_own_name():
    server = Server(token=None)
    run(server, signer=SERVING_SIGNER)
    (spec,) = (body["spec"] for body in server.bodies)
    request = x509.load_pem_x509_csr(base64.b64decode(spec["request"]))
    names = request.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["node-00000"]
    assert (spec["signerName"], spec["usages"]) == (SERVING_SIGNER, ["digital signature", "server auth"])
    assert server.knocks == [("node-00000", None, "serving", False)]


def test_knock_may_come_after_the_request():
    server = Server(token=None, decide=lambda _: {})
    with pytest.raises(asyncio.TimeoutError):
        run(server, seconds=0.2, request=-0.001)
    assert (len(server.bodies), len(server.knocks)) == (1, 1)


def test_minion_of_a_kubelet_that_has_its_certificate_by_then_fires_no_knock():
    server = Server(token=None)
    assert run(server, request=-0.001).issued
    assert server.knocks == []


def test_kubelet_asks_again_while_its_token_is_unknown():
    found = run(Server(refusals=4))
    assert (found.refused, found.requests) == (4, ["csr-1"])


def test_each_crash_leaves_a_request_by_another_key():
    server = Server()
    found = run(server, Faults(crashes=11, crash_pause=0))
    assert len({body["spec"]["request"] for body in server.bodies}) == 12
    assert (len(found.requests), found.knocks) == (12, 12)
    assert found.issued


def test_kubelet_that_is_denied_asks_with_another_key():
    denied = {"conditions": [{"type": "Denied", "message": "no"}]}
    server = Server(decide=lambda number: {"certificate": "eA=="} if number == 2 else denied)
    found = run(server)
    assert (found.requests, found.denied) == (["csr-1", "csr-2"], "no")
    assert server.bodies[0]["spec"]["request"] != server.bodies[1]["spec"]["request"]


def test_silent_minion_fires_no_knock():
    assert run(Server(), Faults(silent=True)).knocks == 0


@pytest.mark.parametrize(("created", "waited"), [(102.0, 500), (99.0, 2500)])
def test_latency_counts_from_the_later_of_knock_and_request(created, waited):
    report = Report([course(created=created, approved=102.5)])
    assert report.latency_ms(50) == pytest.approx(waited)


def test_storm_lasts_from_the_first_knock_to_the_last_approval():
    report = Report([course(approved=103.0), course(knocked=99.0, approved=110.0), course()])
    assert report.seconds == 11.0
    assert report.lost == ["node-00000"]


def test_storm_without_knocks_begins_with_the_first_request():
    report = Report([course(knocked=0.0, knocks=0, approved=103.0)])
    assert (report.seconds, report.knocks) == (1.0, 0)


def test_orders_and_report_are_the_same_after_writing_and_reading():
    report = Report([course(approved=103.0)])
    assert Report.read(report.write()) == report
    orders = Orders("https://127.0.0.1:1", "ca", ["crt", "key"], "sockets", {"m": TOKEN}, pace=AT_ONCE)
    assert Orders.read(orders.write()) == orders
