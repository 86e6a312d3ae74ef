"""
The master signs the certificates of its minions' nodes, where the operator gave it a cluster's CA for that.

Each minion gets its own node's and nothing else, whatever it asks: by the id that the master authenticated
and the pillar that it compiled for that minion. docs/certificates.md says what the master's configuration has
to hold.
"""

from __future__ import annotations

import stat
from datetime import datetime, timezone
from pathlib import Path

import kube_node_merge
import kube_node_signing
import kube_node_static as static
import yaml
from kube_node_identity import node_name
from salt.exceptions import CommandExecutionError

__virtualname__ = "kube_node_authority"

SIGNER = "kube_node/master"


def __virtual__():
    if __opts__.get("__role") != "master":
        return False, "kube_node_authority runs on the Salt master, through the runner kube_node_sign"
    return __virtualname__


def sign(minion, name, request):
    """
    Sign a certificate of the node that a minion is by its pillar, and record that; or refuse, and record why.

    minion
        The minion's id, as the master authenticated it.

    name
        ``kubelet`` or ``kube_proxy``; any value is taken, since a minion sends it.

    request
        A PEM certificate request; any value is taken.

    Returns ``{certificate: PEM}``, or ``{refused: why}``.

    CLI Example: none; the runner kube_node_sign calls it.
    """
    decision = {"signer": SIGNER, "requestor": f"minion {minion}", "name": name, "minion": minion}
    try:
        settings = __salt__["kube_node_master.settings"]()
        one = _wanted(minion, name, decision)
        authority = _authority(settings, decision["cluster"])
    except CommandExecutionError as error:
        return _refused(decision, "not_entitled", str(error))
    case, rule, message = kube_node_signing.judge(str(request), one, settings.policy)
    if rule:
        return _refused(decision, rule, message)
    decision["key_sha256"] = case.request.spki_sha256
    pem = kube_node_signing.sign(case, one, authority, datetime.now(timezone.utc))
    _record({**decision, "verdict": "approve", "rule": "signed", "message": message})
    return {"certificate": pem}


def _refused(decision, rule, message):
    _record({**decision, "verdict": "deny", "rule": rule, "message": message})
    return {"refused": message}


def _wanted(minion, name, decision):
    """Return the certificate that a minion's pillar stands for; say in the decision whose it is."""
    if __opts__.get("minimum_auth_version", 0) < 3:
        raise CommandExecutionError(
            "the master's minimum_auth_version is below 3, so it cannot tell who asks"
        )
    pillar = __salt__["kube_node_minions.pillar"](minion)
    if not pillar or "name" not in pillar.get("cluster", {}):
        raise CommandExecutionError("the minion is not accepted, or its pillar has no sound kube_node")
    node, cluster = node_name(pillar, minion), pillar["cluster"]["name"]
    decision |= {"cluster": cluster, "node": node}
    owner = __salt__["kube_node_minions.owners"](cluster, [node]).get(node)
    if owner is None or owner.minion_id != minion:
        raise CommandExecutionError(f"node {node} of {cluster} is not this minion's alone, by the pillars")
    for one in static.wanted(_tree(pillar, node)):
        if one["name"] == name and one["from"] == static.MASTER:
            return one
    place = "certificates.kubelet.from or certificates.kube_proxy.from"
    raise CommandExecutionError(f"the minion's pillar does not have this one from the master, see {place}")


def _tree(pillar, node):
    """Return a minion's pillar over defaults and profile; what its machine tells has no say."""
    defaults = _formula_data("kube_node/defaults.yaml")
    profile = _formula_data(f"kube_node/profiles/{pillar.get('profile', defaults['profile'])}.yaml")
    layers = (("defaults", defaults), ("profile", profile), ("pillar", pillar))
    return kube_node_merge.merge([*layers, ("name", {"node": {"name": node}})])[0]


def _authority(settings, cluster):
    """Return a cluster's authority; its key has to be readable by the master's user alone."""
    place = f"kube_node.authorities.{cluster}"
    if cluster not in settings.authorities:
        raise CommandExecutionError(f"the master's configuration has no {place}")
    paths = {what: Path(path) for what, path in settings.authorities[cluster].items()}
    try:
        if stat.S_IMODE(paths["key"].stat().st_mode) & 0o077:
            raise CommandExecutionError(f"{place}.key can be read by others than its owner: chmod 600")
        return kube_node_signing.authority(*(paths[what].read_bytes() for what in ("certificate", "key")))
    except (OSError, ValueError, TypeError, IndexError) as error:
        raise CommandExecutionError(f"{place} cannot be used: {error}") from None


def _record(decision):
    __salt__["kube_node_master.record"]([{"cluster": None, **decision}], "kube_node/certificate")


def _formula_data(name):
    return yaml.safe_load(__salt__["kube_node_master.formula_file"](name)) or {}
