# The proxy by which runtime and kubelet reach the world; each has a drop-in that reads one file. That is root's alone, as
# its URLs may have a password in them.
{%- from "kube_node/map.jinja" import kube_node with context %}
{%- from "kube_node/files.jinja" import managed with context %}
{{ managed(kube_node.files.proxy) }}
# systemd does not notice a unit's first drop-in by itself, so neither does Salt.
proxy-units-reloaded:
  module.run:
    - service.systemctl_reload: []
    - onchanges:
      - file: {{ kube_node.runtime.name }}-proxy
      - file: kubelet-proxy
