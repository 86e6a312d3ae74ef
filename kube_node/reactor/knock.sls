#!py
# A minion started, or says that its kubelet did or lacks something. The event is a hint that anyone may forge: the runner
# looks at the API, and decides there.


def run():
    told = {key: data.get(key) for key in ("id", "data", "lacks", "token", "_stamp") if key in data}
    return {"minion-knocked": {"runner.kube_node.knock": [{"args": [{"minion": data.get("id")}, {"tag": tag}, {"said": told}]}]}}
