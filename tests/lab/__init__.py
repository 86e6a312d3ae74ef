"""The lab: machines with systemd in a network of their own, a Salt master, a control plane. See README.md."""
