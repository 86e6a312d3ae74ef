"""What a test compares of a machine: the files below its folders, and all else that a run could change."""

from __future__ import annotations

import re

from lab.machine import Machine

# Not Salt's own, nor what systemd and the runtimes write by themselves.
FOLDERS = ("/etc", "/opt", "/usr/local", "/var/lib")
OTHERS = ("/etc/salt", "/opt/salt", "/var/lib/containerd", "/var/lib/docker", "/var/lib/private")
OTHERS += (
    "/var/lib/systemd",
    "/var/lib/kubelet/pods",
    "/var/lib/kubelet/pki",
    "/etc/kubernetes/kubelet.kubeconfig",
)
# Beside these, of the network parameters, which are each machine's own: they count.
COUNTERS = re.compile(r"conntrack_count|\.neigh\.|random|nf_log")


def tree(machine: Machine, times: bool = True) -> str:
    """Return every folder, file and link with its owner, mode, time and content's digest, a line each."""
    prune = " -o ".join(f"-path {path}" for path in OTHERS)
    form = r"%p %y %m %U:%G %l" + (r" %T@" if times else "") + r"\n"
    find = f"find {' '.join(FOLDERS)} -xdev \\( {prune} \\) -prune -o"
    files = machine.run("sh", "-c", f"{find} -type d -printf '%p %m\\n' -o -printf '{form}'").stdout
    digests = machine.run("sh", "-c", f"{find} -type f -exec sha256sum {{}} +").stdout
    return "\n".join(sorted([*files.splitlines(), *digests.splitlines()]))


def beside(machine: Machine) -> dict[str, str]:
    """Return this boot's units, links, addresses, routes, firewall rules, network parameters and more."""
    commands = {
        "units": "find /run/systemd/system /run/systemd/transient -type f -o -type l | sort",
        "links": "ip -o link",
        "addresses": "ip -o address",
        "routes": "ip route; ip -6 route",
        "iptables": "iptables-save 2>&1; ip6tables-save 2>&1",
        "parameters": "sysctl -a 2>/dev/null | grep ^net",
        "modules": "cut -d' ' -f1 /proc/modules 2>/dev/null || true",
        "swap": "cat /proc/swaps",
    }
    found = {what: machine.run("sh", "-c", command).stdout for what, command in commands.items()}
    lines = found["parameters"].splitlines()
    found["parameters"] = "\n".join(line for line in lines if not COUNTERS.search(line))
    found["iptables"] = re.sub(r"^#.*$|\[\d+:\d+\]", "", found["iptables"], flags=re.MULTILINE)
    return found


def rootfs(machine: Machine) -> str:
    """Make the root of a container that has /bin/sleep, with what that needs; return its folder."""
    folder, files = "/root/idle", "/bin/sleep $(ldd /bin/sleep | grep -o '/[^ ]*')"
    machine.run("sh", "-c", f"mkdir -p {folder} && cp --parents {files} {folder}")
    return folder
