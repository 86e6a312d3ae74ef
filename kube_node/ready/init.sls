# The last of the run: the node is as far as the pillar says that it is waited for.
{%- from "kube_node/map.jinja" import kube_node with context %}
node-ready:
  kube_node.ready:
    - name: {{ kube_node.node.name | json }}
    - wait_for: {{ kube_node.ready.wait_for }}
    - timeout: {{ kube_node.ready.seconds }}
    - require:
      - kube_node: kubelet-joined
