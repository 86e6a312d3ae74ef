"""What the kubelet and kube-proxy doubles have in common: their component-base and client-go."""
