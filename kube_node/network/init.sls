# The node's part of the network: what was another network's goes once that no longer runs. The cluster's part is
# kube_node.orchestrate.network.
{%- from "kube_node/map.jinja" import kube_node with context %}
{%- from "kube_node/files.jinja" import managed with context %}
no-other-network:
  kube_node_cni.only:
    - name: {{ kube_node.network.plugin }}
{{ managed(kube_node.files.links) }}
