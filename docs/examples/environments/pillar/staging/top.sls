# Staging's nodes and no other: what this file does not name gets nothing of this environment.
staging:
  'staging-worker-*':
    - cluster
  staging-worker-1:
    - nodes.staging-worker-1
