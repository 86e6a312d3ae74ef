{%- from "kube_node/map.jinja" import kube_node with context %}
{%- from "kube_node/files.jinja" import managed with context %}
kube-proxy-folder:
  file.directory:
    - name: {{ kube_node.paths.kube_proxy }}
    - makedirs: True
{{ managed(kube_node.files.kube_proxy) }}
