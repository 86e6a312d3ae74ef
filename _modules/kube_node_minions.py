"""
Which minions are nodes of which cluster, by this master's own knowledge: accepted keys and pillars.

A pillar is compiled anew for the minion in question before it is believed. What Salt keeps in its cache of
pillars says only where to look: a minion may override values of its pillar when it asks for it
(``pillar.items pillar={...}``), and the master caches the result.
"""

from __future__ import annotations

import logging
import time

import kube_node_identity
import salt.cache
import salt.key
import salt.pillar
import salt.utils.minions
import salt.utils.verify

log = logging.getLogger(__name__)

__virtualname__ = "kube_node_minions"

# Compiling a pillar takes a tenth of a second and more; a node's first two requests come within seconds.
BELIEVED_SECONDS = 60


def __virtual__():
    if __opts__.get("__role") != "master":
        return False, "kube_node_minions runs on the Salt master"
    return __virtualname__


def is_accepted(minion):
    """
    Tell whether a minion's key is accepted on this master now.

    minion
        A minion id; any value is taken, since it may come from a forged event.

    CLI Example:

    .. code-block:: bash

        salt-run salt.cmd kube_node_minions.is_accepted worker-1
    """
    return isinstance(minion, str) and salt.utils.verify.valid_id(__opts__, minion) and minion in accepted()


def accepted():
    """
    Return the ids of the minions whose keys are accepted now.

    CLI Example:

    .. code-block:: bash

        salt-run salt.cmd kube_node_minions.accepted
    """
    return set(salt.key.get_key(__opts__).list_keys().get("minions", []))


def cluster_of(minion):
    """
    Return the name of the cluster that a minion says it belongs to, or None: enough to know where to look.

    minion
        A minion id; any value is taken, since it may come from a forged event.

    CLI Example:

    .. code-block:: bash

        salt-run salt.cmd kube_node_minions.cluster_of worker-1
    """
    if not is_accepted(minion):
        return None
    if hint := _hint(salt.cache.factory(__opts__), minion):
        return hint[0]
    found = _identity(minion)
    return found.cluster if found else None


def owners(cluster, names, also=()):
    """
    Return by node name the one accepted minion whose pillar says that it is this node; a name without one is
    left out.

    cluster
        The cluster's name.

    names
        Node names, as requests give them.

    also
        Ids of minions that may be among them though no cached pillar says so, those that knocked.

    CLI Example:

    .. code-block:: bash

        salt-run salt.cmd kube_node_minions.owners production '[worker-1]'
    """
    ids = accepted()
    claims = {name: set() for name in names}
    for minion, (where, name) in _hints(ids).items():
        if where == cluster and name in claims:
            claims[name].add(minion)
    for minion in ids:
        if minion.lower() in claims:
            claims[minion.lower()].add(minion)
    for minion in ids.intersection(also):
        if (found := _identity(minion)) and found.name in claims:
            claims[found.name].add(minion)
    owned = {name: _owner(cluster, name, sorted(minions)) for name, minions in claims.items()}
    return {name: found for name, found in owned.items() if found}


def _owner(cluster, name, minions):
    found = [one for one in map(_identity, minions) if one and (one.cluster, one.name) == (cluster, name)]
    if len(found) > 1:
        claimants = ", ".join(one.minion_id for one in found)
        log.error(
            "kube_node: node %s of %s is claimed by the minions %s: none of them gets it, "
            "give each a node.name of its own",
            name,
            cluster,
            claimants,
        )
    return found[0] if len(found) == 1 else None


def _identity(minion):
    """Return who an accepted minion is by the pillar compiled for it here, at most a minute ago."""
    known = __context__.setdefault("kube_node.identities", {})
    made, found = known.get(minion, (float("-inf"), None))
    if time.monotonic() - made > BELIEVED_SECONDS:
        found = _compiled(minion)
        known[minion] = (time.monotonic(), found)
    return found


def _compiled(minion):
    grains = salt.utils.minions.get_minion_data(minion, __opts__)[1] or {}
    compiled = salt.pillar.Pillar(
        {**__opts__, "file_client": "local"}, grains, minion, "base"
    ).compile_pillar()
    if errors := compiled.get("_errors"):
        log.error(
            "kube_node: the pillar of minion %s has errors, so it is nobody: %s", minion, "; ".join(errors)
        )
        return None
    return kube_node_identity.identity(compiled.get("kube_node"), minion)


def _hints(ids):
    """Return by minion the cluster and node name that its cached pillar says."""
    cache = salt.cache.factory(__opts__)
    hints = {minion: _hint(cache, minion) for minion in ids}
    return {minion: hint for minion, hint in hints.items() if hint}


def _hint(cache, minion):
    """Return the cluster and node name that a minion's cached pillar says, read again only when it was
    written anew."""
    known = __context__.setdefault("kube_node.hints", {})
    written = cache.updated("pillar", minion)
    if minion not in known or known[minion][0] != written:
        pillar = cache.fetch("pillar", minion) if written else {}
        known[minion] = (written, kube_node_identity.hint(pillar, minion))
    return known[minion][1]
