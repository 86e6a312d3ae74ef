# A Linux machine becomes a Kubernetes node, in this order.
include:
  - kube_node.preflight
  - kube_node.os
  - kube_node.binaries
  - kube_node.runtime
  - kube_node.cni
  - kube_node.certificates
  - kube_node.kubelet
  - kube_node.kube_proxy
