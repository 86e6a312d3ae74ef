"""What the kubelet and kube-proxy doubles have in common, as k8s.io/component-base and client-go are in theirs."""
