"""A kube-proxy that is strict about its flags and files and follows its node and services, but moves no packet."""
