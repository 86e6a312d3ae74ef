# Apart from running: a state that enables its service does not restart it for what it watches.
kube-proxy-service-enabled:
  service.enabled:
    - name: kube-proxy
    - require:
      - sls: kube_node.kube_proxy.config

# It speaks to the API with the kubelet's certificate, so it starts once that is there.
{%- from "kube_node/files.jinja" import restarted_if_owed with context %}
{{ restarted_if_owed("kube-proxy") }}
kube-proxy-service-running:
  service.running:
    - name: kube-proxy
    - require:
      - service: kube-proxy-service-enabled
      - kube_node: kubelet-joined
    - watch:
      - kube_node: kube-proxy-installed
      - file: cluster-ca
      - sls: kube_node.kube_proxy.config
