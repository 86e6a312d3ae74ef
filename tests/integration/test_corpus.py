"""The whole corpus before an API server, the double or Kubernetes' own: what it takes of the hostile requests
is not approved, and every honest one is."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from typing import Any
from urllib.parse import quote

import kubelet_csr_pass
import pytest
import urllib3
from kube_api import Api
from kubelet_csr_api import Requests
from lab.controlplane import ControlPlane
from lab.network import free_port
from unit.csr import corpus
from unit.csr.samples import NOW, Sample, honest_object

from integration.kubelets import prepare

PATH = "/apis/certificates.k8s.io/v1/certificatesigningrequests"
# What a requestor says; the rest of an object is the API server's.
SPOKEN = ("request", "signerName", "usages", "expirationSeconds")


@pytest.fixture(scope="module")
def control_plane(tmp_path_factory, formula) -> Iterator[ControlPlane]:
    """Return one of its own: on that of the session a master's worker would judge along."""
    with ControlPlane(tmp_path_factory.mktemp("plane"), port=free_port()) as plane:
        prepare(plane, formula)
        yield plane


@pytest.fixture(scope="module")
def approver(control_plane) -> Requests:
    """Return the requests' API as the approver sees it."""
    return Requests(Api(str(control_plane.kubeconfig("kube-node-approver"))))


@pytest.fixture(scope="module")
def post(control_plane) -> Callable[[Sample], bool]:
    """Return a function that posts a sample in its requestor's name, and tells whether the server took it."""
    folder = control_plane.admin_kubeconfig.parent
    pool = urllib3.PoolManager(
        ca_certs=str(control_plane.ca_file), cert_file=folder / "admin.crt", key_file=folder / "admin.key"
    )

    def send(sample: Sample) -> bool:
        spec = sample.csr["spec"]
        headers = urllib3.HTTPHeaderDict({"Content-Type": "application/json"})
        headers.add("Impersonate-User", spec["username"])
        for group in spec["groups"]:
            headers.add("Impersonate-Group", group)
        for key, values in spec.get("extra", {}).items():
            for value in values:
                headers.add(f"Impersonate-Extra-{quote(key, safe='')}", value)
        body = sample.csr | {"metadata": {"name": sample.csr["metadata"]["name"]}}
        body |= {"spec": {key: spec[key] for key in SPOKEN if key in spec}}
        try:
            answer = pool.request("POST", f"{control_plane.url}{PATH}", json.dumps(body), headers=headers)
        except (TypeError, ValueError, urllib3.exceptions.HTTPError):  # what can be sent in no such way
            return False
        return answer.status == 201

    return send


@pytest.fixture(scope="module")
def judge(control_plane, approver, post) -> Callable[[Sample], str | None]:
    """Return a function that posts a sample, makes one pass over it and gives the verdict that was written;
    None where the server did not take it as it was."""

    def decide(sample: Sample) -> str | None:
        if not post(sample):
            return None
        facts = dict(sample.facts)
        facts["now"] = datetime.now(timezone.utc) if facts["now"] == NOW else facts["now"]
        [request] = approver.items()[0]
        name = request["metadata"]["name"]
        try:
            if not is_kept(sample.csr["spec"], request["spec"]):
                return None
            kubelet_csr_pass.run(
                "demo", approver, [request], lambda _: [facts], sample.policy, lambda _: None
            )
            # kube-controller-manager approves by itself for system:masters, who may do anything.
            conditions = approver.get(name)["status"].get("conditions") or []
            types = [one["type"] for one in conditions if one["reason"] == kubelet_csr_pass.REASON]
            return types[0] if types else ""
        finally:
            admin.request("DELETE", f"{PATH}/{name}")

    admin = Api(str(control_plane.admin_kubeconfig))
    return decide


def is_kept(said: dict[str, Any], there: dict[str, Any]) -> bool:
    """Tell whether the server kept what was said: it writes some things anew, and so makes them right."""
    groups = set(said["groups"]) == set(there["groups"])
    return groups and all(there.get(key) == value for key, value in said.items() if key != "groups")


def can_be_posted(sample: Sample) -> bool:
    """Tell whether a sample's fault is in what a requestor says, or in the facts."""
    csr, facts, honest = sample.csr, sample.facts, honest_object("token", "")
    if not isinstance(csr, dict) or not isinstance(facts, dict) or not is_spoken(csr.get("spec")):
        return False
    if not isinstance(facts.get("node"), dict | None) or sample.rule == "age":
        return False  # the master has no such facts, and time can't be turned back
    rest = ("apiVersion", "kind", "metadata", "status")
    metadata = csr.get("metadata")
    named = isinstance(metadata, dict) and isinstance(metadata.get("name"), str)
    named = named and metadata | {"name": ""} == honest["metadata"] | {"name": ""}
    return named and all(csr.get(key) == honest[key] for key in rest if key != "metadata")


def is_spoken(spec: Any) -> bool:
    """Tell whether a requestor's name, groups and extra are such as an API server gives."""
    if not isinstance(spec, dict):
        return False
    texts = [spec.get("username"), *listed(spec.get("groups"))]
    extra = spec.get("extra", {})
    if not isinstance(extra, dict):
        return False
    texts += [*extra, *(text for values in extra.values() for text in listed(values))]
    return all(isinstance(text, str) and text.isascii() and text.isprintable() for text in texts)


def listed(values: Any) -> list[Any]:
    return values if isinstance(values, list) else [0]


def test_no_hostile_request_that_the_server_takes_is_approved(judge):
    samples = [sample for sample in corpus.hostile() if can_be_posted(sample)]
    verdicts = {sample.name: judge(sample) for sample in samples}
    taken = {name: verdict for name, verdict in verdicts.items() if verdict is not None}
    assert [name for name, verdict in taken.items() if verdict == "Approved"] == []
    assert len(taken) > 300, len(taken)


def test_every_honest_request_that_the_server_takes_is_approved(judge):
    samples = [sample for sample in corpus.honest_ones() if can_be_posted(sample)]
    verdicts = {sample.name: judge(sample) for sample in samples}
    taken = {name: verdict for name, verdict in verdicts.items() if verdict is not None}
    assert [name for name, verdict in taken.items() if verdict != "Approved"] == []
    assert len(taken) > 60, len(taken)
