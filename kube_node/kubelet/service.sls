{%- from "kube_node/map.jinja" import kube_node with context %}
{%- from "kube_node/files.jinja" import restarted_if_owed with context %}
{{ restarted_if_owed("kubelet") }}
# Apart from running: a state that enables its service does not restart it for what it watches.
kubelet-service-enabled:
  service.enabled:
    - name: kubelet
    - require:
      - sls: kube_node.kubelet.config

kubelet-service-running:
  service.running:
    - name: kubelet
    - require:
      - service: kubelet-service-enabled
      - sls: kube_node.runtime.{{ kube_node.runtime.name }}
      - sls: kube_node.images
    - watch:
      - kube_node: kubelet-installed
      - sls: kube_node.certificates
      - sls: kube_node.os.proxy
      - sls: kube_node.kubelet.config

kubelet-joined:
  kube_node.joined:
    - name: {{ kube_node.node.name | json }}
    - timeout: {{ kube_node.certificates.wait_seconds }}
    - require:
      - service: kubelet-service-running
