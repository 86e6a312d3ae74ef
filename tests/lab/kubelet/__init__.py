"""A kubelet that is strict about its flags and files and does all of a node's identity, but runs no pods."""
