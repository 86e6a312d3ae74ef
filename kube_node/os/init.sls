# What Kubernetes needs of the kernel: in a file for the next boot, and now.
{%- from "kube_node/map.jinja" import kube_node with context %}
{%- from "kube_node/files.jinja" import managed with context %}
{{ managed(kube_node.files.os) }}
{% for name, value in kube_node.os.sysctl | dictsort %}
{{ name }}:
  sysctl.present:
    - value: {{ value | json }}
    - config: /etc/sysctl.d/95-kube-node.conf
    - require:
      - file: kernel-parameters
{% endfor %}
