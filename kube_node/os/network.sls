# NetworkManager and systemd-networkd, where they run, leave the links and routes of network plugins alone.
{%- from "kube_node/map.jinja" import kube_node with context %}
{%- from "kube_node/files.jinja" import managed with context %}
{{ managed(kube_node.files.network) }}
{%- for manager in kube_node.os.network_managers %}
{{ manager }}-reloaded:
  module.run:
    - service.force_reload:
      - name: {{ manager }}
    - onchanges:
      {%- for file in kube_node.files.network if file.id.startswith(manager) %}
      - file: {{ file.id }}
      {%- endfor %}
{% endfor %}
