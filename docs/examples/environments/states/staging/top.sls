staging:
  'staging-worker-*':
    - kube_node
