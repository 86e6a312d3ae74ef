# Before anything is replaced: a copy of what somebody else put where our files go, then a list of what is ours.
what-was-there-kept:
  kube_node.taken_over:
    - name: /var/lib/kube_node
    - failhard: True
