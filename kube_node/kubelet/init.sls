include:
  - kube_node.kubelet.knock
  - kube_node.kubelet.config
  - kube_node.kubelet.service
