{%- from "kube_node/map.jinja" import kube_node with context %}
{%- from "kube_node/files.jinja" import managed with context %}
kubelet-folder:
  file.directory:
    - name: {{ kube_node.paths.kubelet }}
    - makedirs: True
kubelet-static-pods-folder:
  file.directory:
    - name: {{ kube_node.paths.static_pods }}
    - makedirs: True
{{ managed(kube_node.files.kubelet) }}
