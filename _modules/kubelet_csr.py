"""
Approves kubelets' certificate signing requests on the Salt master, after judging each of them.

Runs on the master, called by the worker that the reactor starts (``kubelet_csr_knocks``) and by the runner
``kube_node``. A cluster is known here by its name: its kubeconfig lies in the master's configuration folder
as ``kube_node/<cluster>.kubeconfig`` and needs only the rights of ``kube_node/master/files/approver.yaml``.
What may be approved is decided by ``kubelet_csr_policy`` alone, from what the Kubernetes API authenticated
and what the master itself holds; never from an event.
"""

from __future__ import annotations

import logging
import time
from contextlib import contextmanager
from pathlib import Path

import kube_api
import kube_node_audit
import kube_node_register
import kubelet_csr_facts
import kubelet_csr_pass
import kubelet_csr_policy
import salt.client
import salt.utils.event
from kube_node_knocks import Knock
from kubelet_csr_api import Requests
from kubelet_csr_nodes import Nodes
from kubelet_csr_tokens import Tokens
from kubelet_csr_worker import Worker
from salt.exceptions import CommandExecutionError, SaltClientError

log = logging.getLogger(__name__)

__virtualname__ = "kubelet_csr"

ASK_SECONDS = 10
FIRST_PAUSE, LONGEST_PAUSE = 1, 15


def __virtual__():
    if __opts__.get("__role") != "master":
        return False, "kubelet_csr runs on the Salt master"
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
    requests, decisions = _connect(cluster), []
    with _told(cluster, requests):
        _one_pass(cluster, requests, decisions, dry_run=True)
    return decisions


def approve(cluster):
    """
    Judge every pending kubelet request of a cluster; approve or deny each as the policy says.

    cluster
        The cluster's name.

    Returns a list of ``{cluster, name, uid, created, signer, requestor, node, minion, key_sha256, verdict,
    rule, message}``.

    Raises a CommandExecutionError when the API server cannot be asked, or refuses; what was not decided
    stays pending.

    CLI Example:

    .. code-block:: bash

        salt-run salt.cmd kubelet_csr.approve production
    """
    requests, decisions = _connect(cluster), []
    with _told(cluster, requests):
        try:
            _one_pass(cluster, requests, decisions)
        finally:  # what was written is told, also when the API server went away in the middle
            _record(decisions)
    return decisions


def work(cluster, mail):
    """
    Let in the nodes of a cluster for as long as there is work: make the tokens of the minions that knocked
    valid, wait for their requests, judge each, and remove the tokens. An API server that is away is waited
    for.

    cluster
        The cluster's name.

    mail
        The mailbox (``kube_node_mailbox.Mailbox``) that the knocks come into.

    CLI Example: none, it is for the worker's process; see ``salt-run kube_node.knock``.
    """
    knocks = _knocks(mail)
    if not knocks:
        return
    settings = _settings()
    deadline, pause, told = time.monotonic() + settings.wait_seconds, FIRST_PAUSE, None
    register = kube_node_register.of_master(__opts__["cachedir"])
    while True:
        requests = _connect(cluster)
        tokens = Tokens(cluster, requests.api, register, __salt__["kube_node_credentials.tokens"])
        worker = Worker(cluster, requests, _Ground(cluster), tokens, settings, _record, mail)
        try:
            with _told(cluster, requests):
                worker.run(knocks)
            return
        except CommandExecutionError as error:
            if str(error) != told:
                log.error("kube_node: %s", error)
            if not error.__cause__.is_outage or time.monotonic() > deadline:
                return
            told = str(error)
        knocks = [*worker.unanswered(), *_knocks(mail, pause)]
        pause = min(2 * pause, LONGEST_PAUSE)


def explain(cluster, what):
    """
    Say rule by rule why a request is, or is not, approved; with what is known of its node.

    cluster
        The cluster's name.

    what
        The name of a request, or that of a node: its newest request is taken.

    Returns ``{cluster, node, minion, request, rules}``: ``request`` is None where there is none, ``rules`` a
    list of ``{name, state, expected, found, todo}``.

    CLI Example:

    .. code-block:: bash

        salt-run salt.cmd kubelet_csr.explain production worker-1
    """
    requests, ground = _connect(cluster), _Ground(cluster)
    with _told(cluster, requests):
        found, _ = requests.items()
        mine = [
            one for one in found if what in (one["metadata"]["name"], kubelet_csr_facts.outline(one).node)
        ]
        request = max(mine, key=lambda one: str(one["metadata"].get("creationTimestamp")), default=None)
        node = kubelet_csr_facts.outline(request).node if request else what
        owner = ground.owners([node] if node else []).get(node)
        known = {"cluster": cluster, "node": node, "minion": owner and owner.minion_id}
        if request is None:
            return known | {"request": None, "rules": []}
        (facts,) = kubelet_csr_facts.gather(ground, Nodes(requests.api), [request], _undecided(found))
    rules = kubelet_csr_policy.explain(request, facts, _settings().policy)
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
    return kube_node_audit.read(kube_node_audit.path(_settings(), __opts__), last)


def _knocks(mail, seconds=0):
    """Return the knocks that are there; where there is none, those that come first within some seconds."""
    until = time.monotonic() + seconds
    while True:
        found = [one for one in mail.take(until - time.monotonic()) if isinstance(one, Knock)]
        if found or time.monotonic() >= until:
            return found


def _one_pass(cluster, requests, decisions, dry_run=False):
    found, _ = requests.items()
    ground, nodes, todo = _Ground(cluster), Nodes(requests.api), _undecided(found)

    def gather(those):
        return kubelet_csr_facts.gather(ground, nodes, those, todo)

    kubelet_csr_pass.run(cluster, requests, todo, gather, _settings().policy, decisions.append, dry_run)


def _undecided(requests):
    return [request for request in requests if kubelet_csr_facts.is_pending(request)]


class _Ground:
    """What this master knows of its minions, for one cluster: `kubelet_csr_worker.Ground`."""

    def __init__(self, cluster):
        self._cluster = cluster
        self._asked = {}
        self.tokens = __salt__["kube_node_credentials.tokens"]
        self.attestation = __salt__["kube_node_credentials.attestation"]
        for name in ("accepted", "identities", "known_minions"):
            setattr(self, name, __salt__[f"kube_node_minions.{name}"])

    def owners(self, names):
        """Return by node name the one accepted minion that is it."""
        return __salt__["kube_node_minions.owners"](self._cluster, names)

    def known(self, names):
        """Return the names whose owners are known without compiling a pillar."""
        return __salt__["kube_node_minions.known"](self._cluster, names)

    def ask(self, minion):
        """Let a minion attest again, now and then at most; its answer comes into the mine by itself."""
        now = time.monotonic()
        if now - self._asked.get(minion, float("-inf")) < ASK_SECONDS:
            return
        self._asked[minion] = now
        try:
            with salt.client.get_local_client(mopts={**__opts__}) as client:
                client.cmd_async([minion], "mine.send", ["kube_node.attestation"], tgt_type="list")
        except SaltClientError as error:
            log.error("kube_node: minion %s could not be asked to attest its certificate: %s", minion, error)


def _record(decisions):
    __salt__["kube_node_master.record"](decisions, "kube_node/csr")


def _settings():
    return __salt__["kube_node_master.settings"]()


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
        return Requests(kube_api.Api(__salt__["kube_node_master.kubeconfig"](cluster)))
    except kube_api.ApiError as error:
        raise CommandExecutionError(f"cluster {cluster}: {error}") from error


@contextmanager
def _told(cluster, requests):
    """Tell what fails with the cluster and its address."""
    try:
        yield
    except kube_api.ApiError as error:
        raise CommandExecutionError(
            f"cluster {cluster} at {requests.api.server}: {kubelet_csr_pass.with_right(error)}; "
            "undecided requests stay pending for the next knock"
        ) from error
