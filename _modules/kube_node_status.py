"""
How a node fares, and why it does not get on: it asks the kubelet, systemd, and the API server by the node's
own certificate. Nothing is changed.
"""

from __future__ import annotations

import time
from datetime import datetime, timezone
from pathlib import Path

import kube_api
import kube_node_diagnosis
import kube_node_ready as readiness
import kube_node_rollout
import kubelet_csr_api
import salt.utils.path
from salt.exceptions import CommandExecutionError

__virtualname__ = "kube_node"

NODES = "/api/v1/nodes"
POLL_SECONDS = 0.5
HEALTHZ_SECONDS = 2
# An API server that is away, or refuses, is asked again after this.
PAUSE_SECONDS = 1
LOG_LINES, LOG_SECONDS = 500, 600
# One that crashes again and again told why before its last start.
CRASH_SECONDS = 15
SHOWN_OF_CONDITION = ("type", "status", "reason", "message", "lastTransitionTime")
DAY = 86_400


def __virtual__():
    # Its functions stand beside those of kube_node.py: the loader joins modules of one virtual name.
    return __virtualname__


def wait_until_ready(wait_for, seconds=0):
    """
    Wait until the kubelet is healthy, its Node registered, and Ready, as far as asked for.

    wait_for
        ``registered``; ``ready``, which a node that lacks but a network of others' passes; or ``network``,
        which waits for that too.

    seconds
        How long to wait; with 0 everything is looked at once.

    Returns ``{done, said}``: whether the node is that far, and what is true, as a sentence.

    CLI Example:

    .. code-block:: bash

        salt '*' kube_node.wait_until_ready ready 60
    """
    node, deadline = __salt__["kube_node.parameters"](), time.monotonic() + seconds
    verdict = _healthy(node, deadline)
    if verdict.done:
        verdict = _watched(node, wait_for, deadline)
    return verdict._asdict()


def status():
    """
    Return how this node fares: what it should be, what it is, and what it lacks.

    Returns ``{node, cluster, version, units, healthz, certificates, api, conditions, network}``.
    ``version`` has ``wanted`` and ``running``, by the API; ``units`` each unit's state, start and restarts;
    ``certificates`` the days that are left of each; ``healthz`` and ``api`` ``ok``, or why the kubelet is not
    healthy and the Node could not be asked for; ``conditions`` the Node's, Ready first; ``network`` the
    plugin and what of its files is missing. Times are in UTC.

    CLI Example:

    .. code-block:: bash

        salt-call kube_node.status
        salt '*' kube_node.status
    """
    node = __salt__["kube_node.parameters"]()
    found, fault = _own_node(node)
    units = _units("kubelet", "kube-proxy", node["runtime"]["unit"])
    return {
        "node": node["node"]["name"],
        "cluster": node["cluster"]["name"],
        "version": {
            "wanted": node["version"],
            "running": readiness.release(found or {}),
        },
        "units": {name: _shown(unit) for name, unit in units.items()},
        "healthz": _healthz(node) or "ok",
        "certificates": [_with_days(one) for one in __salt__["kube_node.certificates"]()],
        "api": fault or "ok",
        "conditions": [
            {key: one.get(key) for key in SHOWN_OF_CONDITION} for one in readiness.conditions(found or {})
        ],
        "network": {"plugin": node["network"]["plugin"], "missing": _missing(node)},
    }


def diagnosis():
    """
    Say in one screen why this node does not get on: likely causes and what to do, the kubelet, the Node's
    conditions, its certificates and requests, the network's files, and the telling lines of the log.

    What a node may not see is not in it: ``salt-run kube_node.explain`` on the master says why a request is
    not approved.

    CLI Example:

    .. code-block:: bash

        salt-call kube_node.diagnosis
        salt 'worker-1' kube_node.diagnosis
    """
    node = __salt__["kube_node.parameters"]()
    certificates = __salt__["kube_node.certificates"]()
    found, fault = _own_node(node)
    missing = _missing(node)
    unit, healthz = _units("kubelet")["kubelet.service"], _healthz(node)
    return kube_node_diagnosis.screen(
        {
            "node": node["node"]["name"],
            "unit": unit,
            "healthz": healthz,
            "certificates": certificates,
            "requests": _own_requests(node, certificates),
            "object": found,
            "api": fault,
            "plugin": node["network"]["plugin"],
            "missing": missing,
            "pods": _lacking_pods(node) if missing else [],
            "log": _log("kubelet", unit["started"] - (CRASH_SECONDS if healthz else 0)),
        }
    )


def _healthy(node, deadline):
    """Wait for the kubelet's own word; there is nothing to watch, so it is asked again and again."""
    while (fault := _healthz(node)) and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
    return readiness.Verdict(not fault, fault and f"the kubelet is not healthy: {fault}")


def _healthz(node):
    """Return what is wrong by the kubelet's own word; None where it is healthy, or does not say."""
    import urllib3  # here, for it is large, and most of what minions do needs none of it

    url = readiness.healthz_url(node)
    if url is None:
        return None
    try:
        with urllib3.PoolManager(retries=False, timeout=HEALTHZ_SECONDS) as pool:
            answer = pool.request("GET", url)
    except urllib3.exceptions.HTTPError:
        return f"{url} does not answer"
    if answer.status == 200:
        return None
    return f"{url} answers {answer.status}: {answer.data.decode(errors='replace').strip()}"


def _watched(node, wait_for, deadline):
    """Watch the own Node until it is as far as is waited for, or the time is up."""
    name, plugin = node["node"]["name"], node["network"]["plugin"]
    own = {"fieldSelector": f"metadata.name={name}"}
    started = _units("kubelet")["kubelet.service"]["started"]

    def judge(found):
        return readiness.judge(name, wait_for, plugin, found, started, _missing(node))

    while True:
        try:
            api = _api(node)
            listed, version = api.items(NODES, own)
            verdict = judge(listed[0] if listed else None)
            if verdict.done or time.monotonic() > deadline:
                return verdict
            for event in api.watch(NODES, version, deadline - time.monotonic(), own):
                if event["type"] == "ERROR":  # too old, for instance: listed anew
                    break
                verdict = judge(None if event["type"] == "DELETED" else event["object"])
                if verdict.done:
                    return verdict
        except kube_api.ApiError as error:
            verdict = readiness.Verdict(False, f"the API server cannot be asked: {error}")
            if time.monotonic() > deadline:
                return verdict
            time.sleep(PAUSE_SECONDS)


def _own_node(node):
    """Return the Node, None where there is none, and why it could not be asked for, or None."""
    try:
        return _api(node).request("GET", f"{NODES}/{node['node']['name']}"), None
    except kube_api.ApiError as error:
        return None, None if error.status == 404 else f"not known: {error}"


def _lacking_pods(node):
    """Return why the network's own pod on this node has not brought its files, where that can be asked."""
    plugin, name = node["network"]["plugin"], node["node"]["name"]
    if plugin == "none":
        return []
    try:
        pods, _ = _api(node).items("/api/v1/pods", {"fieldSelector": f"spec.nodeName={name}"})
    except kube_api.ApiError:
        return []
    return kube_node_rollout.on_node(readiness.DAEMON_SETS[plugin], pods)


def _own_requests(node, certificates):
    """Return the requests for a serving certificate, where that is wanting; None where none can be seen.

    Those for the first client certificate are in the name of a bootstrap token.
    """
    if not certificates[0]["usable"] or certificates[-1]["usable"]:
        return None
    user = f"system:node:{node['node']['name']}"
    try:
        found, _ = kubelet_csr_api.Requests(_api(node)).items(kubelet_csr_api.SERVING_SIGNER)
    except kube_api.ApiError:
        return None
    mine = [one for one in found if one["spec"].get("username") == user]
    return sorted(mine, key=lambda one: one["metadata"]["creationTimestamp"])


def _api(node):
    kubelet = node["kubelet"]
    certificate, key = kubelet["client_certificate"], kubelet["client_key"]
    return kube_api.Api.of_node(node["cluster"]["api_server"], node["paths"]["ca"], certificate, key)


def _missing(node):
    return [path for path in readiness.network_files(node) if not Path(path).exists()]


def _units(*names):
    """Return `{state, started, restarts}` of each unit by its full name, `started` in seconds since 1970."""
    names = [name if "." in name else f"{name}.service" for name in names]
    wanted = "Id,ActiveState,SubState,ExecMainStartTimestampMonotonic,NRestarts"
    try:
        shown = __salt__["cmd.run_stdout"](
            ["systemctl", "show", f"--property={wanted}", *names], python_shell=False, ignore_retcode=True
        )
    except CommandExecutionError:  # no systemd, so no units
        shown = ""
    blocks = (dict(line.partition("=")[::2] for line in block.splitlines()) for block in shown.split("\n\n"))
    by_name = {block.get("Id"): block for block in blocks}
    boot = time.time() - time.monotonic()
    return {name: _unit(by_name.get(name, {}), boot) for name in names}


def _unit(block, boot):
    since_boot = int(block.get("ExecMainStartTimestampMonotonic") or 0) / 1e6
    state, detail = block.get("ActiveState", "unknown"), block.get("SubState", "")
    return {
        "state": state if detail in ("", "running", "dead", state) else f"{state} ({detail})",
        "started": boot + since_boot if since_boot else 0.0,
        "restarts": int(block.get("NRestarts") or 0),
    }


def _log(unit, since):
    """Return the last lines of a unit's journal since a time, of the last ten minutes at most."""
    if not salt.utils.path.which("journalctl"):
        return []
    lines, since = f"--lines={LOG_LINES}", f"--since=@{max(int(since), int(time.time()) - LOG_SECONDS)}"
    said = __salt__["cmd.run_stdout"](
        ["journalctl", f"--unit={unit}", "--no-pager", "--quiet", "--output=cat", lines, since],
        python_shell=False,
        ignore_retcode=True,
        output_loglevel="quiet",
    )
    return said.splitlines()


def _shown(unit):
    return unit | {"started": _time(unit["started"])}


def _with_days(certificate):
    end = certificate["ends"] and datetime.fromisoformat(certificate["ends"]).timestamp()
    left = None if end is None else round((end - time.time()) / DAY, 1)
    return {key: certificate[key] for key in ("name", "path", "state")} | {"days_left": left}


def _time(seconds):
    return datetime.fromtimestamp(seconds, timezone.utc).isoformat(timespec="seconds") if seconds else None
