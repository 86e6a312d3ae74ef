{%- from "kube_node/map.jinja" import kube_node with context %}
{%- from "kube_node/files.jinja" import restarted_if_owed with context %}
{{ restarted_if_owed("containerd") }}
containerd-service-running:
  service.running:
    - name: containerd
    - enable: True
    - require:
      - sls: kube_node.runtime.containerd.install
    - watch:
      - sls: kube_node.os.proxy
      - sls: kube_node.runtime.containerd.config
      {%- if kube_node.binaries.runtime %}
      - kube_node: containerd-installed
      {%- endif %}
