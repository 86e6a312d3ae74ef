{%- from "kube_node/map.jinja" import kube_node with context %}
{%- from "kube_node/files.jinja" import managed with context %}
containerd-config-understood:
  kube_node.containerd_takes:
    - name: /etc/containerd/config.toml
    - require:
      - sls: kube_node.runtime.containerd.install
    - require_in:
      - file: containerd-config
{{ managed(kube_node.files.containerd) }}
{%- if kube_node.binaries.runtime %}
# A unit that shadows the package's own is not seen by systemd, nor by Salt, before this.
containerd-unit-reloaded:
  module.run:
    - service.systemctl_reload: []
    - onchanges:
      - file: containerd-unit
{%- endif %}
