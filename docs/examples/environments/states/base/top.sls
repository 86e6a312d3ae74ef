base:
  'prod-worker-*':
    - kube_node
