#!py
# A minion started, or says that its kubelet did or lacks something. The event is a hint that anyone may forge: it is left
# for the worker of that minion's cluster, which looks at the API and decides there. Where none is running one is forked from
# here, the reactor's main thread: what is forked beside it, as a runner is that a reaction calls, may wait forever for a lock
# that this thread held. The runner is called only where the modules came after the reactor's start.

NEEDED = ("kubelet_csr_knocks.knock", "kubelet_csr.clusters", "kube_node_minions.cluster_of")


def run():
    told = {key: data[key] for key in ("id", "data", "lacks", "token", "_stamp") if key in data}
    knock, *others = map(__salt__.get, NEEDED)
    if knock and all(others):
        knock(tag, told)
        return {}
    args = [{"minion": data.get("id")}, {"tag": tag}, {"said": told}]
    return {"minion-knocked": {"runner.kube_node.knock": [{"args": args}]}}
