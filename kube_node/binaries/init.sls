# kubelet and kube-proxy: each release in a folder of its own, switched by one atomic link.
{%- from "kube_node/map.jinja" import kube_node with context %}
{% for binary in kube_node.binaries.files %}
{{ binary.name }}-installed:
  kube_node.binary_installed:
    - name: {{ binary.link }}
    - path: {{ binary.path }}
    - source: {{ binary.source }}
    - sha256: {{ binary.sha256 | json }}
{% endfor %}
