"""The approver's own settings: the key `kube_node` of the master's configuration, checked whole."""

from dataclasses import dataclass, field
from typing import Any

from kubelet_csr_policy import DEFAULT_POLICY

WAIT_SECONDS = 60
KEYS = {
    "wait_seconds": "a number of seconds",
    "policy": "a mapping",
    "audit_log": "a path",
    "metrics_file": "a path",
    "authorities": "{certificate: PATH, key: PATH} by the cluster's name",
}
# Which API server's signers these are is not the operator's to say: others' requests are never ours.
POLICY_KEYS = [key for key in DEFAULT_POLICY if key not in ("client_signer", "serving_signer")]


@dataclass(frozen=True)
class Settings:
    """What an operator may tell the approver.

    Attributes:
        policy: for `kubelet_csr_policy.decide`, whole.
        wait_seconds: how long a knock waits for requests that are still to come.
        audit_log: the path of the decisions' log, None for the one beside the master's own.
        metrics_file: the path of a file for Prometheus' textfile collector, or None.
        authorities: by cluster the paths `{certificate, key}` of the CA that signs for its minions' nodes.
    """

    policy: dict[str, Any] = field(default_factory=lambda: dict(DEFAULT_POLICY))
    wait_seconds: float = WAIT_SECONDS
    audit_log: str | None = None
    metrics_file: str | None = None
    authorities: dict[str, dict[str, str]] = field(default_factory=dict)


def settings(config: Any) -> tuple[Settings, list[str]]:
    """Return the settings, and a sentence for every fault in them, which names its key.

    Args:
        config: what the master's configuration has as `kube_node`.
    """
    config = {} if config is None else config
    if not isinstance(config, dict):
        return Settings(), [f"kube_node is {config!r}, write a mapping with some of: {', '.join(KEYS)}"]
    faults = [
        f"kube_node.{key} is no setting; there are {', '.join(KEYS)}" for key in config if key not in KEYS
    ]
    values = {key: config[key] for key in KEYS if config.get(key) is not None}
    faults += [
        f"kube_node.{key} is {value!r}, write {KEYS[key]}"
        for key, value in values.items()
        if not _fits(key, value)
    ]
    if faults:
        return Settings(), faults
    policy = values.get("policy", {})
    faults = [fault for key, value in policy.items() if (fault := _policy_fault(key, value))]
    return Settings(**values | {"policy": DEFAULT_POLICY | policy}), faults


def _fits(key: str, value: Any) -> bool:
    if key == "policy":
        return isinstance(value, dict)
    if key == "authorities":
        return isinstance(value, dict) and all(map(_is_authority, value.values()))
    if key == "wait_seconds":
        return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 3600
    return isinstance(value, str) and value.startswith("/")


def _is_authority(value: Any) -> bool:
    paths = value.values() if isinstance(value, dict) and set(value) == {"certificate", "key"} else (None,)
    return all(isinstance(path, str) and path.startswith("/") for path in paths)


def _policy_fault(key: Any, value: Any) -> str | None:
    if key not in POLICY_KEYS:
        return f"kube_node.policy.{key} is no setting; there are {', '.join(POLICY_KEYS)}"
    default = DEFAULT_POLICY[key]
    if isinstance(default, bool):
        return (
            None if isinstance(value, bool) else f"kube_node.policy.{key} is {value!r}, write true or false"
        )
    if isinstance(default, int):
        right = isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63
        return None if right else f"kube_node.policy.{key} is {value!r}, write a whole number of 0 or more"
    wrong = not isinstance(value, list) or not value or set(map(str, value)) - set(default)
    return (
        f"kube_node.policy.{key} is {value!r}, write a list of some of: {', '.join(default)}"
        if wrong
        else None
    )
