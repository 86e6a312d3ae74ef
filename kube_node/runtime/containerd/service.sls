containerd-service-running:
  service.running:
    - name: containerd
    - enable: True
    - require:
      - sls: kube_node.runtime.containerd.install
    - watch:
      - sls: kube_node.runtime.containerd.config
