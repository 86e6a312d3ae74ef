{%- from "kube_node/map.jinja" import kube_node with context %}
kubelet-service-running:
  service.running:
    - name: kubelet
    - enable: True
    - require:
      - sls: kube_node.certificates
      - sls: kube_node.runtime.{{ kube_node.runtime.name }}
    - watch:
      - kube_node: kubelet-installed
      - file: cluster-ca
      - file: bootstrap-kubeconfig
      - sls: kube_node.kubelet.config

kubelet-joined:
  kube_node.joined:
    - name: {{ kube_node.node.name | json }}
    - timeout: {{ kube_node.certificates.wait_seconds }}
    - require:
      - service: kubelet-service-running
