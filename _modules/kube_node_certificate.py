"""
A node's certificates where the kubelet does not get them by itself: those of mode static, kube-proxy's own,
and what becomes of the kubelet's when the mode or the cluster's CA changes.
"""

from __future__ import annotations

import os
import tempfile
import time
from datetime import datetime, timezone
from pathlib import Path

import kube_node_certificates
import kube_node_static as static
from salt.exceptions import CommandExecutionError

__virtualname__ = "kube_node_certificate"

SIGN = "kube_node_sign.certificate"
REPLACED = "signed by a CA that cluster.ca no longer has"


def fault(name):
    """
    Return why a certificate of this node has to be replaced; None where it is as the pillar wants it, and
    where the operator puts it there.

    name
        ``kubelet`` or ``kube_proxy``.

    CLI Example:

    .. code-block:: bash

        salt '*' kube_node_certificate.fault kubelet
    """
    one = _wanted(name)
    if one["from"] == static.FILES:
        return None
    certificate, key = _read(one["certificate"]), _read(one["key"])
    if one["from"] == static.MASTER:
        if wrong := static.key_fault(one, key):
            return f"{one['key']} {wrong}"
    elif (certificate, key) != _delivered(one):
        return f"{one['certificate']} is not the one in the pillar"
    wrong = static.fault(one, certificate, key, _authorities(), _now())
    return f"{one['certificate']} {wrong}" if wrong else None


def is_usable(name):
    """
    Tell whether a certificate of this node serves for now, though the next one may be due.

    name
        ``kubelet`` or ``kube_proxy``.

    CLI Example:

    .. code-block:: bash

        salt '*' kube_node_certificate.is_usable kubelet
    """
    one = {**_wanted(name), "renew_days": 0}
    return not static.fault(one, _read(one["certificate"]), _read(one["key"]), _authorities(), _now())


def delivered_fault(name):
    """
    Return what is wrong with the certificate that the pillar delivers to this node, or None.

    name
        ``kubelet`` or ``kube_proxy``.

    CLI Example:

    .. code-block:: bash

        salt '*' kube_node_certificate.delivered_fault kubelet
    """
    one = _wanted(name)
    if one["from"] != static.PILLAR:
        return None
    return static.fault(one, *_delivered(one), _authorities(), _now())


def put(name):
    """
    Put a certificate of this node and its key where they belong: out of the pillar, or signed by the master
    for a key that stays here.

    name
        ``kubelet`` or ``kube_proxy``.

    What comes is checked before it replaces anything. Returns what was changed, by path. Raises a
    CommandExecutionError where it cannot be had.

    CLI Example:

    .. code-block:: bash

        salt '*' kube_node_certificate.put kubelet
    """
    one = _wanted(name)
    certificate, key = _delivered(one) if one["from"] == static.PILLAR else _signed(one)
    if wrong := static.fault(one, certificate, key, _authorities(), _now()):
        raise CommandExecutionError(f"{one['certificate']} is left alone, for the new one {wrong}")
    changes = {}
    # The key first: an interruption between the two is seen, and mended, by the next run.
    for path, content, mode in ((one["key"], key, 0o600), (one["certificate"], certificate, 0o644)):
        if _read(path) != content:
            changes[path] = "replaced" if Path(path).exists() else "new"
            _write(path, content, mode)
    return changes


def moves():
    """
    Tell whether this node comes from mode static: its kubelet.kubeconfig names that mode's certificate, and
    the mode is bootstrap.

    CLI Example:

    .. code-block:: bash

        salt '*' kube_node_certificate.moves
    """
    node = _node()
    text = _read(f"{node['paths']['kubernetes']}/kubelet.kubeconfig")
    named = f"client-certificate: {node['paths']['certificates']}/kubelet.pem"
    return node["certificates"]["mode"] == "bootstrap" and named in map(str.strip, (text or "").splitlines())


def adoptable():
    """
    Tell whether the kubelet can go on with the certificate of mode static, and renew that by itself: a node
    that comes from there need not leave Ready to get its first one by a token.

    CLI Example:

    .. code-block:: bash

        salt '*' kube_node_certificate.adoptable
    """
    node = _node()
    if not moves() or _is_usable_file(node["kubelet"]["client_certificate"]):
        return False
    one = static.kubelet(node) | {"from": static.PILLAR, "hosts": []}
    return not static.fault(one, _read(one["certificate"]), _read(one["key"]), _authorities(), _now())


def leaving():
    """
    Return which of the kubelet's own certificates no CA of the pillar's has signed, though one of the CA file
    that is still there has.

    CLI Example:

    .. code-block:: bash

        salt '*' kube_node_certificate.leaving
    """
    node = _node()
    before, after = _read(node["paths"]["ca"]), node["cluster"]["ca"]
    if node["certificates"]["mode"] != "bootstrap" or not before or not after:
        return []
    return [
        path
        for path in node["kubelet"]["certificates"]
        if (pem := _read(path))
        and static.signed_by_one_of(pem, before)
        and not static.signed_by_one_of(pem, after)
    ]


def carry_over():
    """
    Let the kubelet go on with the certificate of mode static, or ask for new ones where those it has are of a
    CA that went. Nothing is lost: what is set aside keeps lying there by another name.

    Returns what was changed, by path.

    CLI Example:

    .. code-block:: bash

        salt '*' kube_node_certificate.carry_over
    """
    changes = dict.fromkeys(leaving(), f"set aside, {REPLACED}")
    for path in changes:
        Path(path).replace(f"{path}.replaced")
    if adoptable():
        one, current = static.kubelet(_node()), Path(_node()["kubelet"]["client_certificate"])
        pair = current.with_name("kubelet-client-static.pem")
        _write(pair, f"{_read(one['certificate']).rstrip()}\n{_read(one['key'])}", 0o600)
        fresh = current.with_name(f"{current.name}.new")
        fresh.unlink(missing_ok=True)
        fresh.symlink_to(pair)  # the kubelet insists on a link here
        fresh.replace(current)
        changes[str(current)] = f"taken over from {one['certificate']}"
    return changes


def _signed(one):
    """Have the master sign a certificate; the key that is there stays where it is of the right kind."""
    key = _read(one["key"])
    if static.key_fault(one, key):
        key = static.new_key(one)
    answer = __salt__["publish.runner"](SIGN, [one["name"], static.request(one, key)], timeout=60)
    if isinstance(answer, dict) and "certificate" in answer:
        return answer["certificate"], key
    if isinstance(answer, dict) and "refused" in answer:
        raise CommandExecutionError(f"The master did not sign: {answer['refused']}")
    raise CommandExecutionError(
        f"The master did not answer ({str(answer)[:200]!a}): its peer_run has to allow {SIGN} "
        "(docs/certificates.md), and this run to go through the master"
    )


def _node():
    return __salt__["kube_node.parameters"]()


def _wanted(name):
    found = [one for one in _node()["certificates"]["static"] if one["name"] == name]
    if not found:
        raise CommandExecutionError(f"{name}: the pillar gives this node no such certificate of its own")
    return found[0]


def _delivered(one):
    """Return what the pillar delivers: the certificate, and its key."""
    place = f"kube_node:certificates:{one['name']}:private_key"
    return _text(one["pem"]), _text(__salt__["pillar.get"](place, None, unmask=True))


def _text(pem):
    return pem and f"{pem.strip()}\n"


def _authorities():
    node = _node()
    return node["cluster"]["ca"] or _read(node["paths"]["ca"]) or ""


def _is_usable_file(path):
    return kube_node_certificates.look(path, time.time()).usable


def _now():
    return datetime.now(timezone.utc)


def _read(path):
    try:
        return Path(path).read_text(encoding="ascii", errors="replace")
    except (FileNotFoundError, NotADirectoryError):
        return None


def _write(path, text, mode):
    """Put a file there in one step."""
    folder = Path(path).parent
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor, fresh = tempfile.mkstemp(dir=folder)  # for its owner alone
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(text)
    Path(fresh).chmod(mode)
    Path(fresh).replace(path)
