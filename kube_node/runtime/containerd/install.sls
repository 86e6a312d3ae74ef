{%- from "kube_node/map.jinja" import kube_node with context %}
containerd-installed:
  pkg.installed:
    - name: {{ kube_node.runtime.containerd.package }}
