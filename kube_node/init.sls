# A Linux machine becomes a Kubernetes node, in this order. A pillar with faults ends the run here, in this first line,
# before any state is compiled.
{%- from "kube_node/map.jinja" import kube_node with context %}
include:
  - kube_node.preflight
  - kube_node.takeover
  - kube_node.os
  - kube_node.binaries
  - kube_node.runtime.{{ kube_node.runtime.name }}
  - kube_node.images
  - kube_node.network
  - kube_node.cni
  - kube_node.certificates
  - kube_node.kubelet
  - kube_node.kube_proxy
  - kube_node.ready
