{%- from "kube_node/map.jinja" import kube_node with context %}
{%- from "kube_node/files.jinja" import managed with context %}
{{ managed(kube_node.files.docker) }}

# A unit that shadows the package's own is not seen by systemd, nor by Salt, before this.
docker-units-reloaded:
  module.run:
    - service.systemctl_reload: []
    - onchanges:
      - file: docker-unit
      - file: cri-docker-unit
      - file: cri-docker-socket-unit
