{%- from "kube_node/map.jinja" import kube_node with context %}
docker-installed:
  pkg.installed:
    - name: {{ kube_node.runtime.docker.package }}
