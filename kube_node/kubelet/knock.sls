# What tells the master that the kubelet started or lacks a certificate: a unit beside the kubelet's own, and a beacon
# in the minion. Not part of the kubelet's configuration: it restarts nothing.
{%- from "kube_node/map.jinja" import kube_node with context %}
{%- from "kube_node/files.jinja" import managed with context %}
{{ managed(kube_node.files.knock) }}
kubelet-knock-unit-reloaded:
  module.run:
    - service.systemctl_reload: []
    {%- if salt["service.show"]("kube-node-knock").get("NeedDaemonReload") != "yes" %}
    - onchanges:
      - file: kubelet-knock-unit
    {%- endif %}
kubelet-looked-after:
  kube_node.beacon:
    - name: kube_node
    - config: {{ kube_node.kubelet.beacon | json }}
