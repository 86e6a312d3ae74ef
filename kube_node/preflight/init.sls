# Reads and changes nothing; what it finds stops the whole run before anything is touched.
preflight-passed:
  kube_node.preflight:
    - failhard: True
