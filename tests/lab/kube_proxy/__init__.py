"""A kube-proxy that is strict about its flags and file, follows node and services, and moves no packet."""
