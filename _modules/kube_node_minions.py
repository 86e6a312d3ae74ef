"""
Which minions are nodes of which cluster, by this master's own knowledge: accepted keys and pillars.

A pillar is compiled anew for the minion in question before it is believed. What Salt keeps in its cache of pillars says
only where to look: a minion may override values of its pillar when it asks for it (``pillar.items pillar={...}``), and
the master caches the result.
"""

from __future__ import annotations

import logging
import time
from pathlib import Path

import kube_node_identity
import salt.cache
import salt.key
import salt.pillar
import salt.utils.minions

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


def identity(minion):
    """
    Return who an accepted minion is by the pillar that this master compiles for it, or None; at most a minute old.

    minion
        Its id.

    CLI Example:

    .. code-block:: bash

        salt-run salt.cmd kube_node_minions.identity worker-1
    """
    known = __context__.setdefault("kube_node.identities", {})
    made, found = known.get(minion, (float("-inf"), None))
    if time.monotonic() - made > BELIEVED_SECONDS:
        known[minion] = (time.monotonic(), found := _compile(minion))
    return found
