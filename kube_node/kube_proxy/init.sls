include:
  - kube_node.kube_proxy.config
  - kube_node.kube_proxy.service
