# What is this node's own.
kube_node:
  node:
    addresses: [192.168.2.42]
  certificates:
    bootstrap_token: fedcba.fedcba9876543210
