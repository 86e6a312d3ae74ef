# Production's nodes and no other: what this file does not name gets nothing of this environment.
base:
  'prod-worker-*':
    - cluster
  prod-worker-1:
    - nodes.prod-worker-1
