"""In whatever order a node's first highstate and its cluster's network come, both end in the same state.

Flannel's pod is played: its files are written as its manifest has them.
"""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from lab import host
from lab.lab import Lab

from nodes.conftest import await_ready, changed, highstate
from nodes.networks import give, grant, orchestrate

KEPT = "/etc/cni /etc/kubernetes /etc/modules-load.d /etc/sysctl.d /etc/systemd /opt/kube_node"
KEPT += " /var/lib/kube_node /var/lib/kube-proxy /var/lib/kubelet/config.yaml"


def node(lab: Lab) -> None:
    highstate(lab)


def network(lab: Lab) -> None:
    done = orchestrate(lab)
    assert done["result"] is True, done


def both(lab: Lab) -> None:
    with ThreadPoolExecutor() as pool:
        for done in [pool.submit(one, lab) for one in (node, network)]:
            done.result()


def network_state(lab: Lab) -> None:
    """Apply the node's part of the network alone."""
    [states] = lab.master.salt("*", "state.apply", "kube_node.network", "sync_mods=all").values()
    assert isinstance(states, dict), states
    assert all(state["result"] for state in states.values()), states


ORDERS = {
    "node first": (node, network),
    "network first": (network, node),
    "both at once": (both,),
    "network alone": (network, network_state, node),
}


@pytest.fixture(scope="module")
def ground():
    """Return a lab of one machine whose pillar is of flannel, and the end states so far."""
    if reason := host.unable():
        pytest.skip(reason)
    with Lab("orders", nodes=1) as lab:
        grant(lab)
        give(lab, "flannel")
        lab.ends = []
        yield lab


@pytest.fixture
def lab(ground):
    """Return that lab with a machine and a cluster that have had nothing yet."""
    yield ground
    [machine] = ground.machines
    give(ground, "none")
    network(ground)
    give(ground, "flannel")
    machine.destroy()
    ground.control_plane.kubectl("delete", "node", machine.minion_id, "--ignore-not-found")
    ground.master.forget(machine)
    machine.start()
    ground.master.accept(machine)


def play_flannels_pod(lab: Lab) -> None:
    """Write what flannel's pod writes on a node."""
    [machine] = lab.machines
    data = json.loads(
        lab.control_plane.kubectl("get", "cm/kube-flannel-cfg", "--namespace=kube-system", "--output=json")
    )["data"]
    files = {
        "/etc/cni/net.d/10-flannel.conflist": data["cni-conf.json"],
        "/run/flannel/subnet.env": "FLANNEL_SUBNET=172.20.0.1/24\n",
    }
    for path, text in files.items():
        machine.run("sh", "-c", f"mkdir -p $(dirname {path}) && cat >{path}", input=text)


def end(lab: Lab) -> tuple[str, list]:
    """Return the files that the formula keeps on the node, and the objects that it keeps in the cluster."""
    listed = ("configmap/kube-node-network", "--namespace=kube-system", "--output=jsonpath={.data.objects}")
    objects = []
    for reference in lab.control_plane.kubectl("get", *listed).splitlines():
        _, kind, place = reference.split(" ")
        namespace, _, name = place.rpartition("/")
        found = json.loads(
            lab.control_plane.kubectl("get", kind, name, f"--namespace={namespace}", "--output=json")
        )
        objects.append({key: value for key, value in found.items() if key not in ("metadata", "status")})
    files = lab.machines[0].run("sh", "-c", f"find {KEPT} -type f -exec sha256sum {{}} + | sort").stdout
    return files, objects


@pytest.mark.parametrize("order", ORDERS)
def test_every_order_ends_in_the_same_state(lab, order: str):
    for step in ORDERS[order]:
        step(lab)
    play_flannels_pod(lab)
    await_ready(lab, lab.machines[0])
    assert changed(highstate(lab)["worker-1"]) == set()
    assert orchestrate(lab)["changes"] == {}
    lab.ends.append(end(lab))
    assert lab.ends[-1] == lab.ends[0]
