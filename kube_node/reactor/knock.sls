#!py
# A kubelet started. The event is a hint that anyone may forge: the runner looks at the API, and decides there.


def run():
    return {"kubelet-knocked": {"runner.kube_node.knock": [{"args": [{"minion": data.get("id")}]}]}}
