include:
  - kube_node.runtime.docker.install
  - kube_node.runtime.docker.config
  - kube_node.runtime.docker.service
