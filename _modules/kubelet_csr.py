"""
Approves kubelets' certificate signing requests on the Salt master, after judging each of them.

Runs on the master, called by the runner ``kube_node``. A cluster is known here by its name: its kubeconfig lies in the
master's configuration folder as ``kube_node/<cluster>.kubeconfig`` and needs only the rights of
``kube_node/master/files/approver.yaml``. What may be approved is decided by ``kubelet_csr_policy`` alone, from what the
Kubernetes API authenticated and what the master itself holds; never from an event.
"""

from __future__ import annotations

import logging
import time
from datetime import datetime, timezone
from pathlib import Path

import kube_api
import kube_node_identity
import kubelet_csr_policy
import kubelet_csr_request
import salt.key
import salt.pillar
import salt.utils.event
import salt.utils.minions
from salt.exceptions import CommandExecutionError

log = logging.getLogger(__name__)

__virtualname__ = "kubelet_csr"

REQUESTS = "/apis/certificates.k8s.io/v1/certificatesigningrequests"
NODES = "/api/v1/nodes"
TRIES = 3
LOOK_SECONDS = 8
CLIENT_SIGNER = kubelet_csr_policy.DEFAULT_POLICY["client_signer"]
SERVING_SIGNER = kubelet_csr_policy.DEFAULT_POLICY["serving_signer"]


def __virtual__():
    if __opts__.get("__role") != "master":
        return False, "kubelet_csr runs on the Salt master, through the runner kube_node"
    return __virtualname__


def clusters():
    """
    Return the names of the clusters that this master has a kubeconfig for.

    CLI Example:

    .. code-block:: bash

        salt-run salt.cmd kubelet_csr.clusters
    """
    return sorted(path.stem for path in _kubeconfigs().glob("*.kubeconfig"))


def cluster_of(minion):
    """
    Return the name of the cluster that a minion belongs to, or None where it is not an accepted one of ours.

    minion
        A minion id; any value is taken, since it may come from a forged event.

    CLI Example:

    .. code-block:: bash

        salt-run salt.cmd kubelet_csr.cluster_of worker-1
    """
    if not isinstance(minion, str) or minion not in _accepted():
        return None
    found = _identity(minion)
    return found.cluster if found else None


def pending(cluster):
    """
    Judge every pending kubelet request of a cluster, and write nothing.

    cluster
        The cluster's name.

    Returns a list of ``{cluster, name, signer, node, minion, verdict, rule, message}``.

    CLI Example:

    .. code-block:: bash

        salt-run salt.cmd kubelet_csr.pending production
    """
    api = _connect(cluster)
    requests, _ = _ask(cluster, api, api.items, REQUESTS)
    return [_judge(api, cluster, request, requests)[0] for request in requests if _undecided(request)]


def approve(cluster, minions=(), wait_seconds=0):
    """
    Judge every pending kubelet request of a cluster; approve or deny each as the policy says.

    cluster
        The cluster's name.

    minions
        Ids of minions whose kubelets have just started: their requests are waited for.

    wait_seconds
        How long to wait for them, by one watch.

    Returns a list of ``{cluster, name, signer, node, minion, verdict, rule, message}``.

    Raises a CommandExecutionError when the API server cannot be asked, or refuses; what was not decided stays pending.

    CLI Example:

    .. code-block:: bash

        salt-run salt.cmd kubelet_csr.approve production
    """
    api = _connect(cluster)
    return _ask(cluster, api, _approve, api, cluster, set(minions), wait_seconds)


def _approve(api, cluster, minions, wait_seconds):
    requests, version = api.items(REQUESTS)
    known = {request["metadata"]["name"]: request for request in requests}
    decisions, waiting, deadline = {}, set(minions), time.monotonic() + wait_seconds
    pause = 1
    while True:
        for name, request in known.items():
            if _undecided(request) and decisions.get(name, {}).get("verdict") in (None, "ignore"):
                decisions[name] = _told(_settle(api, cluster, request, known.values()), decisions.get(name))
        waiting -= _served(decisions.values())
        left = deadline - time.monotonic()
        if not waiting or left <= 0:
            return list(decisions.values())
        # What was left alone is looked at again: its node may have registered meanwhile.
        version, came = _await_request(api, version, known, min(left, pause))
        pause = 1 if came else min(2 * pause, LOOK_SECONDS)


def _await_request(api, version, known, seconds):
    """Watch for at most `seconds`; return the resourceVersion to go on from, and whether a request came."""
    for event in api.watch(REQUESTS, version, seconds):
        if event["type"] == "ERROR":  # 410: the server no longer knows that version
            requests, version = api.items(REQUESTS)
            known.update((request["metadata"]["name"], request) for request in requests)
            return version, True
        changed = event["object"]
        name, version = changed["metadata"]["name"], changed["metadata"]["resourceVersion"]
        known[name] = changed
        if event["type"] == "DELETED":
            del known[name]
        elif event["type"] == "ADDED" and _undecided(changed):
            return version, True
    return version, False


def _served(decisions):
    """Return the minions whose last request, the one for the serving certificate, is among the approved ones."""
    return {
        decision["minion"]
        for decision in decisions
        if decision["verdict"] == "approve" and decision["signer"] == SERVING_SIGNER
    }


def _settle(api, cluster, request, others):
    """Judge one request and write the decision; a request that changed meanwhile is judged anew."""
    for _ in range(TRIES):
        decision, judged = _judge(api, cluster, request, others)
        if judged.verdict == "ignore":
            return decision
        try:
            _write(api, request, judged)
            return decision
        except kube_api.ApiError as error:
            if error.status not in (404, 409):
                raise
        try:
            request = api.request("GET", f"{REQUESTS}/{request['metadata']['name']}")
        except kube_api.ApiError as error:
            if error.status != 404:
                raise
            break
    return decision | {"verdict": "ignore", "rule": "conflict", "message": "was changed while it was judged"}


def _write(api, request, judged):
    """Write a decision with the uid and resourceVersion it was made on, so that it falls on that object or on none."""
    now = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    condition = {
        "type": "Approved" if judged.verdict == "approve" else "Denied",
        "status": "True",
        "reason": "KubeNodePolicy",
        "message": judged.message,
        "lastUpdateTime": now,
    }
    status = request.get("status") or {}
    body = request | {"status": status | {"conditions": [*(status.get("conditions") or []), condition]}}
    api.request("PUT", f"{REQUESTS}/{request['metadata']['name']}/approval", body)


def _judge(api, cluster, request, others):
    """Return the decision on a request as operators read it, and as the policy gave it."""
    facts = _facts(api, cluster, request, others)
    policy = __opts__.get("kube_node", {}).get("policy", {})
    judged = kubelet_csr_policy.decide(request, facts, kubelet_csr_policy.DEFAULT_POLICY | policy)
    node = facts["node"] or {}
    metadata, spec = request.get("metadata") or {}, request.get("spec") or {}
    return {
        "cluster": cluster,
        "name": metadata.get("name"),
        "signer": spec.get("signerName"),
        "node": node.get("name"),
        "minion": node.get("minion_id"),
        "verdict": judged.verdict,
        "rule": judged.rule,
        "message": judged.message,
    }, judged


def _facts(api, cluster, request, others):
    """Gather what the policy decides on: csr-policy's inputs, from the API and from this master alone."""
    name = kubelet_csr_request.outline(request).node
    ours = _node(cluster, name) if name else None
    return {
        "now": datetime.now(timezone.utc),
        "event_minion_id": None,
        "minion_accepted": ours is not None,
        "node": ours
        and {
            "name": ours.name,
            "minion_id": ours.minion_id,
            "dns_names": list(ours.dns_names),
            "ips": list(ours.addresses),
            "roles": [],
        },
        "attested_spki_sha256": None,
        "bootstrap_token_id": ours and ours.bootstrap_token_id,
        "attested_client_cert_sha256": None,
        "node_object": _node_object(api, name) if ours else {"exists": False, "ready": False},
        "superseded": _superseded(request, others),
    }


def _node(cluster, name):
    """Return the one accepted minion whose pillar names it node `name` of `cluster`, or None."""
    claims = [
        found
        for found in map(_identity, sorted(_accepted()))
        if found and found.cluster == cluster and found.name == name
    ]
    if len(claims) > 1:
        log.error(
            "kube_node: node %s of %s is claimed by the minions %s: give each a node.name of its own",
            name,
            cluster,
            ", ".join(found.minion_id for found in claims),
        )
    return claims[0] if len(claims) == 1 else None


def _accepted():
    return set(salt.key.get_key(__opts__).list_keys().get("minions", []))


def _identity(minion):
    """Return who a minion is by the pillar that this master compiles for it now."""
    grains = salt.utils.minions.get_minion_data(minion, __opts__)[1] or {}
    compiled = salt.pillar.Pillar({**__opts__, "file_client": "local"}, grains, minion, "base").compile_pillar()
    return kube_node_identity.identity(compiled.get("kube_node"), minion)


def _node_object(api, name):
    try:
        conditions = (api.request("GET", f"{NODES}/{name}").get("status") or {}).get("conditions") or []
    except kube_api.ApiError as error:
        if error.status != 404:
            raise
        return {"exists": False, "ready": False}
    ready = any(condition.get("type") == "Ready" and condition.get("status") == "True" for condition in conditions)
    return {"exists": True, "ready": ready}


def _superseded(request, others):
    """Tell whether a newer pending request of the same requestor for the same signer and node exists."""
    return any(
        _same_asker(request, other) and _undecided(other) and _created(other) > _created(request) for other in others
    )


def _same_asker(one, other):
    keys = ("username", "signerName")
    return all((one.get("spec") or {}).get(key) == (other.get("spec") or {}).get(key) for key in keys) and (
        kubelet_csr_request.outline(one).node == kubelet_csr_request.outline(other).node
    )


def _created(request):
    return str((request.get("metadata") or {}).get("creationTimestamp"))


def _undecided(request):
    conditions = (request.get("status") or {}).get("conditions")
    return (request.get("spec") or {}).get("signerName") in (CLIENT_SIGNER, SERVING_SIGNER) and not conditions


def _told(decision, before):
    """Log a decision that is news and put it on the master's event bus; return it."""
    if decision != before:
        log.info("kube_node: %(verdict)s %(name)s of %(cluster)s: %(rule)s: %(message)s", decision)
        with salt.utils.event.get_event("master", opts=__opts__, listen=False) as bus:
            bus.fire_event(dict(decision), f"kube_node/csr/{decision['verdict']}")
    return decision


def _kubeconfigs():
    return Path(__opts__["config_dir"], "kube_node")


def _connect(cluster):
    try:
        return kube_api.Api(str(_kubeconfigs() / f"{cluster}.kubeconfig"))
    except kube_api.ApiError as error:
        raise CommandExecutionError(f"cluster {cluster}: {error}") from error


def _ask(cluster, api, function, *args):
    """Call a function that speaks to the API; what fails is told with the cluster and its address."""
    try:
        return function(*args)
    except kube_api.ApiError as error:
        raise CommandExecutionError(
            f"cluster {cluster} at {api.server}: {error}; undecided requests stay pending for the next knock"
        ) from error
