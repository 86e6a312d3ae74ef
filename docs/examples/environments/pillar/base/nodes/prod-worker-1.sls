# What is this node's own.
kube_node:
  node:
    addresses: [192.168.1.42]
  certificates:
    bootstrap_token: abcdef.0123456789abcdef
