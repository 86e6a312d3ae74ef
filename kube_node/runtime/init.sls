# The container runtime that the pillar chose.
{%- from "kube_node/map.jinja" import kube_node with context %}
include:
  - kube_node.runtime.{{ kube_node.runtime.name }}
