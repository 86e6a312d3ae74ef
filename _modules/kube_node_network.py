"""
The cluster's network, applied from the Salt master: once per cluster, by ``kube_node.orchestrate.network``.

What it is says the pillar of the cluster's nodes. The kubeconfig with the rights for it, and no others, is
``kube_node/network/<cluster>.kubeconfig`` in the master's configuration folder.
"""

from __future__ import annotations

import re
from pathlib import Path

import kube_api
import kube_node_apply
import kube_node_calico
import kube_node_flannel
import kube_node_manifest
import kube_node_milestones
import kube_node_network
import kube_node_parameters
import kube_node_rollout
import kube_node_sources
import kube_node_versions
import salt.utils.minions
from salt.exceptions import CommandExecutionError

__virtualname__ = "kube_node_network"

# So many minions are named at once.
MOST = 5


def __virtual__():
    if __opts__.get("__role") != "master":
        return False, "kube_node_network runs on the Salt master"
    return __virtualname__


def apply(cluster, wait_seconds=300, adopt=False, test=False):
    """
    Make a cluster's network what the pillar of its nodes says, and take away what was ours and is not that.

    cluster
        The cluster's name, as the pillars have it.

    wait_seconds
        How long to wait until the network's workloads are out; 0 not to wait.

    adopt
        Take over objects that somebody else made, and fields that somebody else set.

    test
        Tell what would be changed, and write nothing.

    Returns ``{changes, kept, waiting}``: what was changed, by object; the references of objects that are no
    longer wanted, and left because they hold more than ours; a sentence for each workload that is not out.

    Raises a CommandExecutionError when the pillar, the manifest or the cluster is not as it must be. Nothing
    was written then, unless it says that the API server went away: the next run ends the work.

    CLI Example:

    .. code-block:: bash

        salt-run salt.cmd kube_node_network.apply production test=True
    """
    path = Path(__salt__["kube_node_master.kubeconfig"](cluster, network=True))
    if not path.is_file():
        remedy = f"salt-run kube_node.grant_network {cluster} <an administrator's kubeconfig> puts one there"
        raise CommandExecutionError(f"cluster {cluster}: {path} is not there, {remedy}")
    sources = kube_node_sources.load(__salt__["kube_node_master.formula_file"])
    node = _node(cluster, sources)
    try:
        api = kube_api.Api(str(path))
        minor = _minor(api)
        objects, workloads = _manifest(node, sources["facts"], minor)
        _check_subnets(api, node)
        server_side = kube_node_milestones.holds(sources["facts"], "server_side_apply", minor)
        target = kube_node_apply.Cluster(api, server_side, test=test, adopt=adopt)
        changes, kept = target.apply(kube_node_manifest.marked(objects))
        waiting = [] if test or not wait_seconds else kube_node_rollout.wait(api, workloads, wait_seconds)
    except (
        kube_api.ApiError,
        kube_node_apply.Refused,
        kube_node_manifest.ManifestError,
    ) as error:
        raise CommandExecutionError(f"cluster {cluster}: {error}") from error
    return {"changes": changes, "kept": kept, "waiting": waiting}


def _node(cluster, sources):
    """Return the parameters of one of the cluster's nodes; all must be of one network.

    What each says of it is known by the register. Of minions that do not say the same in their pillars one
    each is looked at with all its layers: one may say what another has by default.
    """
    identities = __salt__["kube_node_minions.identities"](sorted(__salt__["kube_node_minions.accepted"]()))
    alike = {}
    for minion, found in sorted(identities.items()):
        if found and found.cluster == cluster:
            alike.setdefault(found.network, []).append(minion)
    if not alike:
        raise CommandExecutionError(
            f"cluster {cluster}: no accepted minion's pillar has cluster.name: {cluster}"
        )
    (first, *_), *others = alike.values()
    node = _parameters(first, sources)
    wrong = [
        f"{', '.join(keys)} of {_named(minions)}"
        for minions in others
        if (keys := kube_node_network.differing(node, _parameters(minions[0], sources)))
    ]
    if wrong:
        told = f"by {first} the network is another than by {'; '.join(wrong)}"
        raise CommandExecutionError(f"cluster {cluster}: {told}: let their pillars say the same")
    return node


def _named(minions):
    more = f" and {len(minions) - MOST} more" if len(minions) > MOST else ""
    return f"{', '.join(minions[:MOST])}{more}"


def _parameters(minion, sources):
    pillar = __salt__["kube_node_minions.pillar"](minion)
    if pillar is None:
        remedy = f"salt {minion} kube_node.parameters names each"
        raise CommandExecutionError(f"The kube_node pillar of {minion} has faults, {remedy}")
    grains = salt.utils.minions.get_minion_data(minion, __opts__)[1] or {}
    machine = {
        "id": minion,
        "address": None,
        "salt_call": "",
        "os_family": grains.get("os_family"),
        "os_release": grains.get("osfinger"),
        "processor": grains.get("cpuarch"),
    }
    try:
        return kube_node_parameters.compile_node(pillar, machine, sources)
    except kube_node_parameters.ParameterError as error:
        told = f"The kube_node pillar of {minion} cannot be used:\n{error}"
        raise CommandExecutionError(told) from None


def _minor(api):
    """Return the API server's minor; managed ones say 36+."""
    told = api.request("GET", "/version")
    return f"{told['major']}.{re.match('[0-9]+', told['minor'])[0]}"


def _manifest(node, facts, minor):
    if minor not in kube_node_versions.minors(facts):
        known = kube_node_versions.minors(facts)
        message = f"its API server is of {minor}, which is not known: {known[0]} to {known[-1]} are"
        raise kube_node_manifest.ManifestError(message)
    plugin = node["network"]["plugin"]
    if plugin == "none":
        return [], []
    if plugin == "flannel":
        template = __salt__["kube_node_master.formula_file"](kube_node_flannel.TEMPLATE)
        return kube_node_flannel.objects(node, facts, minor, template), kube_node_flannel.WORKLOADS
    source = node["network"]["calico"]["manifest"]["source"]
    if not source:
        remedy = "write where calico's manifest is, salt://, file:// or https://, and its sha256"
        raise kube_node_manifest.ManifestError(f"network.calico.manifest.source: is missing, {remedy}")
    text = _fetched(source, node["network"]["calico"]["manifest"]["sha256"])
    return kube_node_calico.objects(node, kube_node_manifest.parse(text, source), source)


def _check_subnets(api, node):
    if node["network"]["plugin"] != "flannel":
        return
    nodes, _ = api.items("/api/v1/nodes")
    if faults := kube_node_flannel.subnet_faults(nodes, node["cluster"]["pod_cidr"]):
        raise kube_node_manifest.ManifestError("; ".join(faults))


def _fetched(source, sha256):
    try:
        cached = __salt__["kube_node_binaries.fetched"](source, sha256)
    except CommandExecutionError as error:
        raise kube_node_manifest.ManifestError(f"network.calico.manifest.{error.key}: {error}") from error
    return Path(cached).read_text(encoding="utf-8", errors="replace")
