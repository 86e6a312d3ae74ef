# What Kubernetes needs of the kernel: in a file for the next boot, and now. Parameters of bridges are there when
# br_netfilter is; in a container they may never be.
{%- from "kube_node/map.jinja" import kube_node with context %}
{%- from "kube_node/files.jinja" import managed with context %}
include:
  - kube_node.os.modules
{{ managed(kube_node.files.sysctl) }}
{% for name, value in salt["kube_node_kernel.to_set"](kube_node.os.sysctl) | dictsort %}
{{ name }}:
  sysctl.present:
    - value: {{ value | json }}
    - config: /etc/sysctl.d/95-kube-node.conf
    - require:
      - sls: kube_node.os.modules
      - file: kernel-parameters
{% endfor %}
# A minimum stands in a file of its own that others come after, so that none is lowered at the next boot either.
{%- for name, value in salt["kube_node_kernel.to_raise"](kube_node.os.sysctl_minimums) | dictsort %}
{{ name }}-at-least:
  sysctl.present:
    - name: {{ name }}
    - value: {{ value }}
    - config: /etc/sysctl.d/10-kube-node-minimums.conf
    - require:
      - sls: kube_node.os.modules
{%- endfor %}
