"""The node in a box: machines, a control plane and a Salt master in namespaces of their own. See README.md."""
