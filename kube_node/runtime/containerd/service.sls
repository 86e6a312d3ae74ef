{%- from "kube_node/map.jinja" import kube_node with context %}
{%- from "kube_node/files.jinja" import restarted_if_owed with context %}
{{ restarted_if_owed("containerd") }}
# Apart from running: a state that enables its service does not restart it for what it watches.
containerd-service-enabled:
  service.enabled:
    - name: containerd
    - require:
      - sls: kube_node.runtime.containerd.install
      - sls: kube_node.runtime.containerd.config

containerd-service-running:
  service.running:
    - name: containerd
    - require:
      - service: containerd-service-enabled
    - watch:
      - sls: kube_node.os.proxy
      - sls: kube_node.runtime.containerd.config
      {%- if kube_node.binaries.runtime %}
      - kube_node: containerd-installed
      {%- endif %}
