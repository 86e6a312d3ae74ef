# It speaks to the API with the kubelet's certificate, so it starts once that is there.
kube-proxy-service-running:
  service.running:
    - name: kube-proxy
    - enable: True
    - require:
      - kube_node: kubelet-joined
    - watch:
      - kube_node: kube-proxy-installed
      - file: cluster-ca
      - sls: kube_node.kube_proxy.config
