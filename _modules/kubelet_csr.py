"""
Approves kubelets' certificate signing requests on the Salt master, after judging each of them.

Runs on the master, called by the runner ``kube_node``. A cluster is known here by its name: its kubeconfig
lies in the master's configuration folder as ``kube_node/<cluster>.kubeconfig`` and needs only the rights of
``kube_node/master/files/approver.yaml``. What may be approved is decided by ``kubelet_csr_policy`` alone,
from what the Kubernetes API authenticated and what the master itself holds; never from an event.
"""

from __future__ import annotations

import logging
import time
from datetime import datetime, timezone
from pathlib import Path

import kube_api
import kube_node_approver
import kube_node_audit
import kube_node_rights
import kubelet_csr_facts
import kubelet_csr_pass
import kubelet_csr_policy
import salt.utils.event
from kubelet_csr_api import SERVING_SIGNER, Requests
from salt.exceptions import CommandExecutionError

log = logging.getLogger(__name__)

__virtualname__ = "kubelet_csr"

LOOK_SECONDS = 8


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


def pending(cluster):
    """
    Judge every pending kubelet request of a cluster, and write nothing.

    cluster
        The cluster's name.

    Returns a list of decisions, as :py:func:`approve` does.

    CLI Example:

    .. code-block:: bash

        salt-run salt.cmd kubelet_csr.pending production
    """
    settings, requests, decisions = _settings(), _connect(cluster), []
    found, _ = _ask(cluster, requests, requests.items)
    _ask(
        cluster,
        requests,
        _judge,
        cluster,
        requests,
        found,
        _undecided(found),
        settings,
        decisions.append,
        (),
        True,
    )
    return decisions


def approve(cluster, minions=(), wait_seconds=0):
    """
    Judge every pending kubelet request of a cluster; approve or deny each as the policy says.

    cluster
        The cluster's name.

    minions
        Ids of minions whose kubelets have just started: their requests are waited for.

    wait_seconds
        How long to wait for them, by one watch.

    Returns a list of ``{cluster, name, uid, created, signer, requestor, node, minion, key_sha256, verdict,
    rule, message}``.

    Raises a CommandExecutionError when the API server cannot be asked, or refuses; what was not decided
    stays pending.

    CLI Example:

    .. code-block:: bash

        salt-run salt.cmd kubelet_csr.approve production
    """
    settings, requests = _settings(), _connect(cluster)
    return _ask(cluster, requests, _approve, cluster, requests, settings, set(minions), wait_seconds)


def explain(cluster, what):
    """
    Say rule by rule why a request is, or is not, approved; with what is known of its node.

    cluster
        The cluster's name.

    what
        The name of a request, or that of a node: its newest request is taken.

    Returns ``{cluster, node, minion, request, rules}``: ``request`` is None where there is none, ``rules`` a
    list of
    ``{name, state, expected, found, todo}``.

    CLI Example:

    .. code-block:: bash

        salt-run salt.cmd kubelet_csr.explain production worker-1
    """
    requests, settings = _connect(cluster), _settings()
    found, _ = _ask(cluster, requests, requests.items)
    mine = [one for one in found if what in (one["metadata"]["name"], kubelet_csr_facts.outline(one).node)]
    request = max(mine, key=lambda one: str(one["metadata"].get("creationTimestamp")), default=None)
    node = kubelet_csr_facts.outline(request).node if request else what
    owner = __salt__["kube_node_minions.owners"](cluster, [node] if node else []).get(node)
    known = {
        "cluster": cluster,
        "node": node,
        "minion": owner and owner.minion_id,
        "request": None,
        "rules": [],
    }
    if request is None:
        return known
    (facts,) = _ask(cluster, requests, _gather, cluster, requests, found, (), [request])
    rules = kubelet_csr_policy.explain(request, facts, settings.policy)
    return known | {"request": request["metadata"]["name"], "rules": [rule._asdict() for rule in rules]}


def audit(last=50):
    """
    Return the last decisions of the audit log.

    last
        How many.

    CLI Example:

    .. code-block:: bash

        salt-run salt.cmd kubelet_csr.audit last=10
    """
    return kube_node_audit.read(_audit_log(_settings()), last)


def check_rights(kubeconfig, remove=False):
    """
    Report the bindings by which others than the approver may approve kubelets' requests.

    kubeconfig
        The path of an administrator's kubeconfig.

    remove
        Remove those by which kube-controller-manager approves for nodes.

    CLI Example:

    .. code-block:: bash

        salt-run salt.cmd kubelet_csr.check_rights /root/admin.conf
    """
    try:
        api = kube_api.Api(kubeconfig)
        return kube_node_rights.check(api, remove)
    except kube_api.ApiError as error:
        raise CommandExecutionError(str(error)) from error


def _approve(cluster, requests, settings, minions, wait_seconds):
    listed, version = requests.items()
    known = {request["metadata"]["name"]: request for request in listed}
    decisions, waiting, deadline = {}, set(minions), time.monotonic() + wait_seconds
    pause = 1
    while True:
        todo = [one for one in _undecided(known.values()) if _is_open(decisions.get(one["metadata"]["name"]))]
        news = []
        try:
            _judge(cluster, requests, known.values(), todo, settings, news.append, minions)
        finally:  # what was written is told, also when the API server went away in the middle
            _record([one for one in news if one != decisions.get(one["name"])], settings)
            decisions |= {decision["name"]: decision for decision in news}
        waiting -= _served(decisions.values())
        left = deadline - time.monotonic()
        if not waiting or left <= 0:
            return list(decisions.values())
        # What was left alone is looked at again: its node may have registered meanwhile.
        version, came = _await_request(requests, version, known, min(left, pause))
        pause = 1 if came else min(2 * pause, LOOK_SECONDS)


def _judge(cluster, requests, found, todo, settings, tell, also=(), dry_run=False):
    def gather(those):
        return _gather(cluster, requests, found, also, those)

    kubelet_csr_pass.run(cluster, requests, todo, gather, settings.policy, tell, dry_run)


def _gather(cluster, requests, found, also, those):
    """Return the facts about requests: of their minions from this master, of their Nodes from the API."""
    names = [kubelet_csr_facts.outline(one).node for one in those]
    owners = __salt__["kube_node_minions.owners"](cluster, {name for name in names if name}, also)
    nodes = kubelet_csr_facts.nodes(requests.api, owners)
    old = kubelet_csr_facts.superseded(_undecided(found))
    return [
        kubelet_csr_facts.facts(owners.get(name), nodes.get(name), one["metadata"].get("uid") in old)
        for one, name in zip(those, names, strict=True)
    ]


def _await_request(requests, version, known, seconds):
    """Watch for at most `seconds`; return the resourceVersion to go on from, and whether a request came."""
    for event in requests.watch(version, seconds):
        if event["type"] == "ERROR":  # 410: the server no longer knows that version
            listed, version = requests.items()
            known.update((request["metadata"]["name"], request) for request in listed)
            return version, True
        changed = event["object"]
        name, version = changed["metadata"]["name"], changed["metadata"]["resourceVersion"]
        known[name] = changed
        if event["type"] == "DELETED":
            del known[name]
        elif event["type"] == "ADDED" and kubelet_csr_facts.is_pending(changed):
            return version, True
    return version, False


def _undecided(requests):
    return [request for request in requests if kubelet_csr_facts.is_pending(request)]


def _is_open(decision):
    return decision is None or decision["verdict"] == "ignore"


def _served(decisions):
    """Return the minions whose last request, the one for the serving certificate, is among the approved
    ones."""
    return {
        decision["minion"]
        for decision in decisions
        if decision["verdict"] == "approve" and decision["signer"] == SERVING_SIGNER
    }


def _record(decisions, settings):
    """Put decisions into the master's log, the audit log, the counters, and on the master's event bus."""
    if not decisions:
        return
    now = datetime.now(timezone.utc)
    for decision in decisions:
        log.info("kube_node: %(verdict)s %(name)r of %(cluster)s: %(rule)s: %(message)s", decision)
    try:
        kube_node_audit.append(
            _audit_log(settings), "".join(kube_node_audit.line(one, now) for one in decisions)
        )
        if settings.metrics_file:
            kube_node_audit.count(Path(settings.metrics_file), decisions, now)
    except OSError as error:  # a full disk keeps no node out: the decisions stand in the master's own log
        log.error("kube_node: decisions could not be recorded: %s", error)
    with salt.utils.event.get_event("master", opts=__opts__, listen=False) as bus:
        for decision in decisions:
            bus.fire_event(dict(decision), f"kube_node/csr/{decision['verdict']}")


def _audit_log(settings):
    return Path(settings.audit_log or Path(__opts__["log_file"]).with_name("kube_node_audit.log"))


def _settings():
    settings, faults = kube_node_approver.settings(__opts__.get("kube_node"))
    if faults:
        raise CommandExecutionError(f"the master's configuration: {'; '.join(faults)}")
    return settings


def _kubeconfigs():
    return Path(__opts__["config_dir"], "kube_node")


def _connect(cluster):
    if cluster not in clusters():
        folder, known = _kubeconfigs(), ", ".join(clusters()) or "none"
        raise CommandExecutionError(
            f"cluster {cluster}: there is no kubeconfig {folder / f'{cluster}.kubeconfig'}; "
            f"clusters with one: {known}"
        )
    try:
        return Requests(kube_api.Api(str(_kubeconfigs() / f"{cluster}.kubeconfig")))
    except kube_api.ApiError as error:
        raise CommandExecutionError(f"cluster {cluster}: {error}") from error


def _ask(cluster, requests, function, *args):
    """Call a function that speaks to the API; what fails is told with the cluster and its address."""
    try:
        return function(*args)
    except kube_api.ApiError as error:
        raise CommandExecutionError(
            f"cluster {cluster} at {requests.api.server}: {kubelet_csr_pass.with_right(error)}; "
            "undecided requests stay pending for the next knock"
        ) from error
