# Kernel modules: in a file for the next boot, and now. What is built in needs no loading, and a container has no say.
{%- from "kube_node/map.jinja" import kube_node with context %}
{%- from "kube_node/files.jinja" import managed with context %}
{{ managed(kube_node.files.modules) }}
{%- for name in salt["kube_node_kernel.to_load"](kube_node.os.modules) %}
module-{{ name }}:
  kmod.present:
    - name: {{ name }}
{% endfor %}
