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
