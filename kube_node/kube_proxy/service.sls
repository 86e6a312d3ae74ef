{%- from "kube_node/map.jinja" import kube_node with context %}
{%- from "kube_node/files.jinja" import restarted_if_owed with context %}
# Apart from running: a state that enables its service does not restart it for what it watches.
kube-proxy-service-enabled:
  service.enabled:
    - name: kube-proxy
    - require:
      - sls: kube_node.kube_proxy.config

kube-proxy-rules-of-its-mode:
  kube_node_proxy.mode:
    - name: {{ kube_node.kube_proxy.config.mode or "iptables" }}
    - program: {{ kube_node.paths.bin }}/kube-proxy
    - require:
      - kube_node: kube-proxy-installed
      - kube_node: kubelet-joined

# It speaks to the API with the kubelet's certificate or one of its own, as the node that the kubelet has joined.
{{ restarted_if_owed("kube-proxy") }}
kube-proxy-service-running:
  service.running:
    - name: kube-proxy
    - require:
      - service: kube-proxy-service-enabled
      - kube_node: kubelet-joined
      - kube_node_proxy: kube-proxy-rules-of-its-mode
    - watch:
      - kube_node: kube-proxy-installed
      - file: cluster-ca
      - sls: kube_node.kube_proxy.config
      {%- if kube_node.kube_proxy.client_certificate == kube_node.kubelet.client_certificate %}
      - kube_node_certificate: kubelet-certificate
      {%- endif %}
