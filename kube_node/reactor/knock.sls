#!py
# A minion started, or says that its kubelet did or lacks something. The event is a hint that anyone may forge: it is left
# for the worker of that minion's cluster, which looks at the API and decides there. Only where none is running the runner
# is called, to start one: each call of a runner makes the master list all its keys. So it is where the modules came after
# the reactor's start.


def run():
    told = {key: data[key] for key in ("id", "data", "lacks", "token", "_stamp") if key in data}
    leave, needed = (__salt__.get(name) for name in ("kubelet_csr.leave_knock", "kube_node_minions.cluster_of"))
    if leave and needed and leave(tag, told).get("worker") != "wanted":
        return {}
    args = [{"minion": data.get("id")}, {"tag": tag}, {"said": told}]
    return {"minion-knocked": {"runner.kube_node.knock": [{"args": args}]}}
