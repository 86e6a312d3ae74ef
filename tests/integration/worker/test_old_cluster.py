"""Clusters older than 1.19, which know v1beta1 alone: requests may name no signer."""

from __future__ import annotations

import pytest
from kube_node_knocks import CLIENT, SERVING
from unit.ground import Ground

from integration.double import conditions
from integration.worker.parts import ONE, OldKubelet, knock, secrets


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
