include:
  - kube_node.runtime.containerd.install
  - kube_node.runtime.containerd.config
  - kube_node.runtime.containerd.registries
  - kube_node.runtime.containerd.service
