"""
The knock that cannot get lost: looks at what is true of the kubelet, and tells the master until all is well.

While the kubelet runs and its client or serving certificate is missing, unreadable, not yet valid, expired or
within its renewal window, an event ``salt/beacon/<minion>/kube_node/knock`` goes to the master: at once when
the kubelet started or a certificate became worse, then after ever longer pauses; once all is well, no more. A
serving certificate is approved for a registered node alone, so that one being there stands for a node that
has registered: the API is never asked.

The master knows a request of this machine by the digests that are in the mine as ``kube_node.attestation``.
They are sent when they are other ones than before, and, since no send is acknowledged, with each repeated
knock.

A look starts no process and speaks to nobody; with nothing changed it is a few calls of ``stat`` and
``readlink``. The state ``kube_node.beacon`` configures it, by the pillar key ``certificates.knock_seconds``.
"""

import random
import time

import salt.loader

__virtualname__ = "kube_node"

ATTESTATION = "kube_node.attestation"

# Salt runs this file anew, in the same module, whenever modules or pillar are refreshed: what was told before
# has to outlive that.
_memory = globals().get("_memory", {})
_loaded = {}


def __init__(opts):
    # Beacons are lent no __utils__. Imported by their plain names they would stay as they are now in this
    # process, and in each job that it forks, whatever is synced later.
    _loaded["utils"] = salt.loader.utils(opts)


def __virtual__():
    return __virtualname__


def validate(config):
    """
    Validate the beacon configuration

    config
        List of single settings, as :py:func:`beacon` shows them.
    """
    fault = _utils("kube_node_beacon.fault")(config)
    return (False, f"The configuration of the beacon kube_node {fault}.") if fault else (True, "Valid")


def beacon(config):
    """
    Look at the kubelet once; return the knock where one is due.

    .. code-block:: yaml

        beacons:
          kube_node:
            - interval: 5
            - unit: kubelet.service
            - slice: system.slice
            - certificates:
                client: /var/lib/kubelet/pki/kubelet-client-current.pem
                serving: /var/lib/kubelet/pki/kubelet-server-current.pem
            - waiting_key: null
            - bootstrap_kubeconfig: /etc/kubernetes/bootstrap.kubeconfig

    unit, slice
        The kubelet's unit, and the slice that it belongs to.

    certificates
        The paths of its certificates by the names that a knock gives them, ``client`` and ``serving``;
        without ``serving`` where none is asked for.

    waiting_key
        Where a key lies that was made before its certificate, ``{key, certificate}``; null where the kubelet
        keeps it in memory.

    bootstrap_kubeconfig
        Where the kubelet's bootstrap token lies. A knock names the token's id, never the token.
    """
    settings = _utils("kube_node_beacon.settings")(config)
    look, now = _utils("kube_node_certificates.look"), time.time()
    states = {name: look(path, now).state for name, path in settings["certificates"].items()}
    invocation = _utils("kube_node_systemd.invocation")(settings["unit"], settings["slice"])
    due = _utils("kube_node_backoff.due")(_memory, invocation, states, time.monotonic(), random.random)
    _attest(settings, now, again=due == "again")
    if not due:
        return []
    lacks = [name for name, state in states.items() if state != "good"]
    token = _utils("kube_node_bootstrap.token_id")(settings["bootstrap_kubeconfig"])
    return [{"tag": "knock", "lacks": lacks, "token": token}]


def close(config):
    """
    Close nothing; in search of this function Salt would load all its beacons, at each refresh.
    """


def _attest(settings, now, again):
    """Send the attestation to the mine where it is another one, or is to be sent again."""
    client, waiting = settings["certificates"]["client"], settings["waiting_key"]
    found = _utils("kube_node_certificates.attestation")(client, now, waiting)
    # test.kwarg returns what it is given. kube_node.attestation itself would need the parameters, and those
    # the master's file server.
    if (again or found != _memory.get("attested")) and __salt__["mine.send"](
        ATTESTATION, mine_function="test.kwarg", **found
    ):
        _memory["attested"] = found


def _utils(name):
    return _loaded["utils"][name]
