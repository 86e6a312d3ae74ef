# Reads and changes nothing; what it finds stops the whole run before anything is touched.
{%- from "kube_node/map.jinja" import kube_node with context %}

preflight-passed:
  kube_node.preflight:
    - binaries: {{ kube_node.binaries.files | json }}
    - brought: {{ kube_node.brought | json }}
    - failhard: True
