"""
Which minions are nodes of which cluster, by this master's own knowledge: accepted keys and pillars.

A pillar is compiled here for the minion in question before it is believed. What Salt keeps in its cache of
pillars (``kube_node_hints``) says only where to look, and when to look again. What was found out stands in a
register (``kube_node_register``), for compiling a pillar takes a tenth of a second.
"""

from __future__ import annotations

import logging
import time

import kube_node_identity
import kube_node_register
import kube_node_schema
import kube_node_tokens
import salt.cache
import salt.key
import salt.pillar
import salt.utils.minions
import salt.utils.verify
from kube_node_hints import Hints
from kube_node_lately import Lately
from kube_node_register import Entry

log = logging.getLogger(__name__)

__virtualname__ = "kube_node_minions"

# A pillar that comes from files alone is compiled anew when one of them changed; what external pillars say
# may change without notice.
DAY, TEN_MINUTES = 86_400, 600
# A minion that keeps changing what its cached pillar says costs a compilation now and then, not at each look.
SETTLE_SECONDS = 10
# So many keys are looked up in the list of all.
MANY = 100


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
    if not isinstance(minion, str) or not salt.utils.verify.valid_id(__opts__, minion):
        return False
    states = _lately("states", dict)
    if minion not in states:
        states[minion] = (_master_keys().cache.fetch("keys", minion) or {}).get("state")
    return states[minion] == "accepted"


def accepted():
    """
    Return the ids of the minions whose keys are accepted now.

    CLI Example:

    .. code-block:: bash

        salt-run salt.cmd kube_node_minions.accepted
    """
    return set(_master_keys().list_keys().get("minions", []))


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
    entry = _register().entries([minion]).get(minion)
    found = (entry and entry.identity) or _hint(minion).identity
    if found is None and not _hint(minion).is_foreign:
        found = _identities({minion})[minion]
    return found and found.cluster


def owners(cluster, names):
    """
    Return by node name the one accepted minion whose pillar says that it is this node; a name without one is
    left out.

    cluster
        The cluster's name.

    names
        Node names, as requests give them.

    CLI Example:

    .. code-block:: bash

        salt-run salt.cmd kube_node_minions.owners production '[worker-1]'
    """
    claims = _claims(cluster, set(names))
    found = _identities({minion for minions in claims.values() for minion in minions})
    for one in found.values():  # one whose pillar changed may be another of them now
        if one and one.cluster == cluster and one.name in claims:
            claims[one.name].add(one.minion_id)
    owned = {
        name: _owner(cluster, name, [one for one in map(found.get, sorted(minions)) if one])
        for name, minions in claims.items()
    }
    return {name: one for name, one in owned.items() if one}


def known(cluster, names):
    """
    Return those of some node names whose owners are known without compiling a pillar.

    cluster
        The cluster's name.

    names
        Node names, as requests give them.

    CLI Example:

    .. code-block:: bash

        salt-run salt.cmd kube_node_minions.known production '[worker-1]'
    """
    claims = _claims(cluster, set(names))
    fresh = known_minions({minion for minions in claims.values() for minion in minions})
    return {name for name, minions in claims.items() if minions <= fresh}


def identities(minions):
    """
    Return by id who some minions are by their pillars, None for one that is no node or not accepted.

    minions
        Minion ids; any values are taken, since they may come from forged events.

    CLI Example:

    .. code-block:: bash

        salt-run salt.cmd kube_node_minions.identities '[worker-1]'
    """
    return _identities(_accepted(minions))


def last_known(minions):
    """
    Return as :py:func:`identities`, but by what was last found out of each minion, however old, or by the
    pillar that it fetched where nothing was: good for showing a fleet, not for deciding. A pillar is compiled
    only of whom there is neither, or whose two differ.

    minions
        Minion ids; any values are taken, since they may come from forged events.

    CLI Example:

    .. code-block:: bash

        salt-run salt.cmd kube_node_minions.last_known '[worker-1]'
    """
    ids = _accepted(minions)
    entries, found = _register().entries(ids), {}
    for minion in ids:
        entry, hint = entries.get(minion), _hint(minion)
        if entry and entry.hint == hint.digest:
            found[minion] = entry.identity
        elif entry is None and (hint.identity or hint.is_foreign):
            found[minion] = hint.identity
    return found | _identities(ids - found.keys())


def known_minions(minions):
    """
    Return those of some minions of whom it is known without compiling a pillar who they are.

    minions
        Minion ids; any values are taken, since they may come from forged events.

    CLI Example:

    .. code-block:: bash

        salt-run salt.cmd kube_node_minions.known_minions '[worker-1]'
    """
    ids = _accepted(minions)
    entries = _register().entries(ids)
    fresh = {minion for minion, entry in entries.items() if _is_fresh(minion, entry)}
    return (set(minions) - ids) | fresh | _foreign(ids - fresh)


def pillar(minion):
    """
    Return the sound part of a minion's ``kube_node`` pillar, compiled here and now; None for a minion that is
    not accepted, and where it has a fault.

    minion
        The minion's id.

    CLI Example: none, for a pillar may hold secrets.
    """
    if not is_accepted(minion):
        return None
    compiled = _compile(minion)
    sound, faults = kube_node_schema.check(compiled.get("kube_node"))
    return None if faults or compiled.get("_errors") else sound


def _accepted(minions):
    """Return those of some minions whose keys are accepted."""
    minions = {minion for minion in minions if isinstance(minion, str)}
    if len(minions) > MANY:
        return minions & _lately("accepted", accepted)
    return {minion for minion in minions if is_accepted(minion)}


def _claims(cluster, names):
    """Return by node name the accepted minions that may be it."""
    register = _register()
    claims = register.claims(cluster, names)
    for name in names:
        claims[name].add(name)
    alive = _accepted(set().union(*claims.values()))
    claims = {name: minions & alive for name, minions in claims.items()}
    unsure = _lately("accepted", accepted) - register.current(_sources(), time.time() - _believed_seconds())
    for minion in unsure - _foreign(unsure):
        hint = _hint(minion).identity
        if hint and hint.cluster == cluster and hint.name in claims:
            claims[hint.name].add(minion)
    return claims


def _foreign(minions):
    """Return those of some minions whose cached pillar says that they are no nodes, and remember it."""
    found = {minion: _nobody(minion) for minion in minions if _hint(minion).is_foreign}
    _register().put(found)
    return set(found)


def _owner(cluster, name, claimants):
    found = [one for one in claimants if (one.cluster, one.name) == (cluster, name)]
    if len(found) > 1:
        log.error(
            "kube_node: node %s of %s is claimed by the minions %s: none of them gets it, "
            "give each a node.name of its own",
            name,
            cluster,
            ", ".join(one.minion_id for one in found),
        )
    return found[0] if len(found) == 1 else None


def _identities(minions):
    """Return by minion who each accepted one is, None for nobody; compiled anew where that is needed."""
    entries = _register().entries(minions)
    for minion in sorted(minions):
        if minion not in entries or not _is_fresh(minion, entries[minion]):
            entries[minion] = _compiled(minion)
    return {minion: entry.identity for minion, entry in entries.items()}


def _is_fresh(minion, entry):
    """Tell whether an entry still stands."""
    age = time.time() - entry.made
    if age < 0 or age > _believed_seconds() or entry.sources != _sources():
        return False
    return age < SETTLE_SECONDS or entry.hint == _hint(minion).digest


def _believed_seconds():
    foreign = [one for one in __opts__.get("ext_pillar") or [] if "kube_node" not in one]
    return TEN_MINUTES if foreign else DAY


def _sources():
    """Return the state of the pillar's files."""
    roots = [folder for folders in __opts__["pillar_roots"].values() for folder in folders]
    return _lately("sources", lambda: kube_node_register.fingerprint(roots))


def _compiled(minion):
    """Compile a minion's pillar, keep who it is by that, and return the entry."""
    hint, sources, made = _hint(minion).digest, _sources(), time.time()
    compiled = _compile(minion)
    found = kube_node_identity.identity(compiled.get("kube_node"), minion)
    if errors := compiled.get("_errors"):
        log.error(
            "kube_node: the pillar of minion %s has errors, so it is nobody: %s", minion, "; ".join(errors)
        )
        found = None
    if found and found.bootstrap_token_id:
        keys = kube_node_tokens.of_master(__opts__["config_dir"])
        derived = kube_node_tokens.accepted(keys, found.cluster, minion, found.name, made)
        found = kube_node_identity.with_derived_token(found, {token.id for token in derived})
    entry = Entry(found, made, hint, sources)
    _register().put({minion: entry})
    return entry


def _compile(minion):
    grains = salt.utils.minions.get_minion_data(minion, __opts__)[1] or {}
    opts = {**__opts__, "file_client": "local"}
    try:
        return salt.pillar.Pillar(opts, grains, minion, "base").compile_pillar()
    except KeyError as error:
        # Seen on a busy master: `compound_match.match`. Where Salt's loader meets an OSError while it loads a
        # module it tells of a missing key, from then on (`LazyLoader._load`); a new pillar has a new loader.
        log.warning("kube_node: the pillar of minion %s is compiled once more: %s is missing", minion, error)
        return salt.pillar.Pillar(opts, grains, minion, "base").compile_pillar()


def _nobody(minion):
    return Entry(None, time.time(), _hint(minion).digest, _sources())


def _hint(minion):
    return _kept("hints", lambda: Hints(salt.cache.factory(__opts__))).of(minion)


def _lately(name, look):
    return _kept("lately", Lately).seen(name, look)


def _master_keys():
    return _kept("keys", lambda: salt.key.get_key(__opts__))


def _register():
    return _kept("register", lambda: kube_node_register.of_master(__opts__["cachedir"]))


def _kept(name, make):
    """Return what this process has made once."""
    name = f"kube_node_minions.{name}"
    if name not in __context__:
        __context__[name] = make()
    return __context__[name]
