"""One pass over requests: each is judged and its decision written, many at once, and none of them ends the
pass.

What runs in threads here gets all it needs as arguments: nothing of Salt is at hand in them.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, NamedTuple

import kubelet_csr_facts
import kubelet_csr_policy
from kube_api import ApiError
from kubelet_csr_api import Requests, condition

TRIES = 3
REASON = "KubeNodePolicy"
TYPES = {"approve": "Approved", "deny": "Denied"}

Request = dict[str, Any]
Decision = dict[str, Any]
Gather = Callable[[list[Request]], list[dict[str, Any]]]

_NO_RIGHT = re.compile(r'cannot (\S+) resource "([^"]+)"')
_NO_SIGNER = re.compile(r'not permitted to approve requests with signerName "([^"]+)"')


class Outcome(NamedTuple):
    """What became of one request: a decision, and what is left to do about it."""

    decision: Decision
    changed: Request | None = None
    error: ApiError | None = None


def run(
    cluster: str,
    requests: Requests,
    todo: Iterable[Request],
    gather: Gather,
    policy: Mapping[str, Any],
    tell: Callable[[Decision], None],
    dry_run: bool = False,
) -> None:
    """Judge requests and write the decisions; what changed meanwhile is judged again from nothing, twice at
    most.

    Args:
        cluster: its name.
        requests: its requests' API.
        todo: the requests to judge, as certificates.k8s.io/v1 shows them.
        gather: gives the facts about some requests, in their order; called in this thread alone.
        policy: for `kubelet_csr_policy.decide`.
        tell: takes each decision; called in this thread alone.
        dry_run: judge, and write nothing.

    Raises:
        ApiError: the API server is gone or a right is missing; what was not decided stays pending.
    """
    todo, stop = list(todo), threading.Event()
    for attempt in range(1, TRIES + 1):
        settle = partial(_settle, cluster, requests, policy, dry_run, stop)
        outcomes = requests.api.each(settle, zip(todo, gather(todo), strict=True))
        for outcome in outcomes:
            if outcome.error is None and (outcome.changed is None or attempt == TRIES):
                tell(outcome.decision)
        if failed := [outcome.error for outcome in outcomes if outcome.error]:
            raise max(failed, key=lambda error: error.status)
        todo = [outcome.changed for outcome in outcomes if outcome.changed]
        if not todo:
            return


def _settle(
    cluster: str,
    requests: Requests,
    policy: Mapping[str, Any],
    dry_run: bool,
    stop: threading.Event,
    item: tuple[Request, dict[str, Any]],
) -> Outcome:
    """Judge one request and write the decision; never raises."""
    request, facts = item
    judged = kubelet_csr_policy.decide(request, facts, policy)
    decision = describe(cluster, request, facts, judged)
    if judged.verdict == "ignore" or dry_run:
        return Outcome(decision)
    left = decision | {"verdict": "ignore"}
    if stop.is_set():
        return Outcome(left | {"rule": "stopped", "message": "The pass was stopped before this was written."})
    try:
        requests.decide(request, condition(TYPES[judged.verdict], REASON, judged.message))
        return Outcome(decision)
    except ApiError as error:
        if error.status in (404, 409):
            return _again(requests, request, judged, decision)
        if error.status in (0, 401, 403):  # the next one would fare no better
            stop.set()
            return Outcome(left, error=with_right(error))
        return Outcome(left | {"rule": "not_written", "message": f"The API server did not take it: {error}."})


def _again(requests: Requests, request: Request, judged: Any, decision: Decision) -> Outcome:
    """Read a request that is not the one judged any more."""
    message = "It was changed while it was judged; the next pass judges it anew."
    left = decision | {"verdict": "ignore", "rule": "conflict", "message": message}
    try:
        changed = requests.get(request["metadata"]["name"])
    except ApiError as error:
        return Outcome(left, error=with_right(error))
    if changed is None:
        return Outcome(left | {"rule": "gone", "message": "It was deleted while it was judged."})
    same = changed["metadata"].get("uid") == request["metadata"].get("uid")
    if same and _is_written(changed, judged):  # by us: its answer got lost on the way, and it was sent again
        return Outcome(decision)
    return Outcome(left, changed)


def _is_written(request: Request, judged: Any) -> bool:
    conditions = (request.get("status") or {}).get("conditions") or []
    wanted = (TYPES[judged.verdict], REASON, judged.message)
    return any(wanted == (item.get("type"), item.get("reason"), item.get("message")) for item in conditions)


def describe(cluster: str, request: Request, facts: Mapping[str, Any], judged: Any) -> Decision:
    """Return a decision as operators, the event bus and the audit get it."""
    node = facts.get("node") or {}
    metadata, spec = request.get("metadata") or {}, request.get("spec") or {}
    return {
        "cluster": cluster,
        "name": metadata.get("name"),
        "uid": metadata.get("uid"),
        "created": metadata.get("creationTimestamp"),
        "signer": spec.get("signerName"),
        "requestor": spec.get("username"),
        "node": node.get("name"),
        "minion": node.get("minion_id"),
        "key_sha256": kubelet_csr_facts.outline(request).spki_sha256,
        "verdict": judged.verdict,
        "rule": judged.rule,
        "message": judged.message,
    }


def with_right(error: ApiError) -> ApiError:
    """Return an error that names the right which is missing, where it is a 403."""
    if error.status != 403:
        return error
    signer, verb = _NO_SIGNER.search(str(error)), _NO_RIGHT.search(str(error))
    if signer:
        right = f"approve on the signer {signer[1]}"
    elif verb:
        right = f"{verb[1]} on {verb[2]}"
    else:
        right = "one of kube_node/master/files/approver.yaml"
    return ApiError(
        403, f"the approver lacks the right: {right}; apply kube_node/master/files/approver.yaml ({error})"
    )
