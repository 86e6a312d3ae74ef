"""The approver's settings: every fault is a sentence that names its key."""

from __future__ import annotations

import pytest
from kube_node_approver import settings
from kubelet_csr_policy import DEFAULT_POLICY


@pytest.mark.parametrize(
    ("config", "fault"),
    [
        (
            [],
            "kube_node is [], write a mapping with some of: wait_seconds, policy, audit_log, metrics_file, "
            "authorities",
        ),
        (
            {"polisy": {}},
            "kube_node.polisy is no setting; there are wait_seconds, policy, audit_log, metrics_file, "
            "authorities",
        ),
        ({"wait_seconds": "1m"}, "kube_node.wait_seconds is '1m', write a number of seconds"),
        ({"audit_log": "here.log"}, "kube_node.audit_log is 'here.log', write a path"),
        ({"policy": {"deny": "no"}}, "kube_node.policy.deny is 'no', write true or false"),
        (
            {"policy": {"max_csr_age_seconds": True}},
            "kube_node.policy.max_csr_age_seconds is True, write a whole number of 0 or more",
        ),
        (
            {"policy": {"allowed_curves": ["P-192"]}},
            "kube_node.policy.allowed_curves is ['P-192'], write a list of some of: P-256, P-384, P-521",
        ),
    ],
)
def test_a_fault_names_its_key(config, fault: str):
    assert settings(config)[1] == [fault]


def test_another_signer_cannot_be_made_ours():
    assert settings({"policy": {"client_signer": "example.com/x"}})[1][0].startswith(
        "kube_node.policy.client_signer is no setting; there are "
    )


def test_what_is_not_said_has_its_default():
    found, faults = settings({"policy": {"deny": False}})
    assert faults == []
    assert found.policy == DEFAULT_POLICY | {"deny": False}
    assert found.wait_seconds == 60
