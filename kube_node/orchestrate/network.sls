# The cluster's network, once, from the master:
#   salt-run state.orchestrate kube_node.orchestrate.network pillar='{"cluster": "production"}' test=True
# What it is says the pillar of the cluster's nodes; docs/network.md has the rest.
network-applied:
  kube_node_network.applied:
    - name: {{ pillar["cluster"] | json }}
    - wait_seconds: {{ pillar.get("wait_seconds", 300) | json }}
    - adopt: {{ pillar.get("adopt", False) | json }}
