{%- from "kube_node/map.jinja" import kube_node with context %}
{%- from "kube_node/binaries/installed.jinja" import installed with context %}
{%- if kube_node.binaries.runtime %}
{{ installed(kube_node.binaries.runtime) }}
{%- else %}
containerd-installed:
  pkg.installed:
    - name: {{ kube_node.runtime.containerd.package }}
{%- endif %}
