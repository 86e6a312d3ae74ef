# What tells the master that the kubelet started. Not part of the kubelet's configuration: it restarts nothing.
{%- from "kube_node/map.jinja" import kube_node with context %}
{%- from "kube_node/files.jinja" import managed with context %}
{{ managed(kube_node.files.knock) }}
kubelet-knock-unit-reloaded:
  module.run:
    - service.systemctl_reload: []
    - onchanges:
      - file: kubelet-knock-unit
