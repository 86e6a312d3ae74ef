# What Kubernetes needs of the kernel.
ip-forwarding-on:
  sysctl.present:
    - name: net.ipv4.ip_forward
    - value: 1
    - config: /etc/sysctl.d/95-kube-node.conf
