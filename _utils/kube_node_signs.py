"""What lines of a kubelet's log, and the messages of its node's conditions, say about the cause.

Pure: no Salt, no I/O. What brings others about stands before them: it is to be mended first.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple


class Sign(NamedTuple):
    """A sign that is known: by which words, what it means, and what to do."""

    name: str
    words: str
    cause: str
    fix: str


SIGNS: tuple[Sign, ...] = (
    Sign(
        "inotify",
        "inotify.*(?:too many open files|no space left on device)",
        "the kernel allows too few inotify instances",
        "write os.sysctl_minimums: {fs.inotify.max_user_instances: 512}",
    ),
    Sign(
        "disk_full",
        "no space left on device",
        "a disk is full",
        "make room where the line says",
    ),
    Sign(
        "swap_on",
        "unning with swap on is not supported",
        "swap is on, and this kubelet does not bear it",
        "write os.swap: off, or kubelet.config.failSwapOn: false",
    ),
    Sign(
        "cgroup_v1",
        "configured to not run on a host using cgroup v1|cgroup v1 support is unsupported",
        "the machine has cgroup v1, which Kubernetes 1.35 and later refuse",
        "boot it with cgroup v2, or write kubelet.config.failCgroupV1: false",
    ),
    Sign(
        "unknown_flag",
        "unknown flag: |unknown shorthand flag",
        "the kubelet is given a flag that this release does not have",
        "remove it from kubelet.extra_args, and from drop-ins of kubelet.service that are not ours",
    ),
    Sign(
        "config_file",
        "failed to load [kK]ubelet config file|failed to validate kubelet configuration"
        "|invalid configuration: ",
        "the kubelet does not take its configuration",
        "correct the field that the line names, in kubelet.config",
    ),
    Sign(
        "cgroup_driver",
        "kubelet cgroup driver: .* is different from|expected cgroupsPath to be of format",
        "kubelet and container runtime have different cgroup drivers",
        "set runtime.cgroup_driver alone, which both follow, and run the highstate",
    ),
    Sign(
        "reserved_cgroup",
        "Failed to enforce (?:Kube|System) Reserved Cgroup Limits",
        "a reserved cgroup is missing",
        "run the highstate, which makes its slice, or leave it out of kubelet.config.enforceNodeAllocatable",
    ),
    Sign(
        "cri_disabled",
        "unknown service runtime.v1",
        "the container runtime has its CRI plugin switched off, or speaks another version of the CRI",
        "run the highstate, which writes its configuration, and choose releases that go together",
    ),
    Sign(
        "runtime_away",
        "(?:containerd|docker|cri-dockerd)[^ ]*\\.sock: (?:connect: )?(?:no such file|connection refused)"
        "|Container runtime sanity check failed|Is the docker daemon running",
        "the container runtime does not answer",
        "look at systemctl status of its unit and at journalctl -u of it",
    ),
    Sign(
        "port_taken",
        "bind: address already in use",
        "another program listens on a port of the kubelet's",
        "stop that program: kube_node.preflight names it",
    ),
    Sign(
        "resolv_conf",
        "resolv.conf: no such file or directory",
        "the file that kubelet.config.resolvConf names is not there",
        "name the one with the real DNS servers",
    ),
    Sign(
        "clock",
        "x509: certificate has expired or is not yet valid",
        "a certificate is not valid now: the clock is wrong here or at the API server, or it has expired",
        "compare date on both; kube_node.certificates says until when the kubelet's are valid",
    ),
    Sign(
        "wrong_ca",
        "x509: certificate signed by unknown authority",
        "a certificate is by another CA than cluster.ca",
        "paste the CA of this cluster into cluster.ca",
    ),
    Sign(
        "wrong_host",
        "x509: certificate is (?:valid for|not valid for any)|x509: cannot validate certificate for",
        "the API server's certificate does not name the host of cluster.api_server",
        "write a name or an address that the line lists",
    ),
    Sign(
        "api_away",
        "dial tcp \\S+ (?:connect: )?(?:connection refused|no route to host|i/o timeout)"
        "|dial tcp: lookup \\S+.* (?:no such host|server misbehaving)|net/http: TLS handshake timeout",
        "the API server does not answer at cluster.api_server",
        "correct the URL, let firewalls pass it, start the API server",
    ),
    Sign(
        "no_bootstrap_kubeconfig",
        "unable to load bootstrap kubeconfig|bootstrap.kubeconfig: no such file or directory",
        "the kubelet has neither a certificate nor a bootstrap kubeconfig",
        "run the highstate, which writes it",
    ),
    Sign(
        "client_expired",
        "[Pp]art of the existing bootstrap client certificate .* is expired",
        "the client certificate has expired, as after a long time off",
        "run salt-call kube_node.knock, which brings a new token",
    ),
    Sign(
        "unauthorized",
        "Unauthorized",
        "the API server does not know the token or the certificate",
        "run salt-call kube_node.knock; on the master, salt-run kube_node.explain says why",
    ),
    Sign(
        "node_name",
        'is not allowed to modify node "|can only access node lease with the same name',
        "the kubelet's certificate is for another node name",
        "keep the name of before in node.name, or delete the Node and the certificates",
    ),
    Sign(
        "labels",
        "is not allowed to (?:set the following|modify) labels|unknown 'kubernetes.io' or 'k8s.io' labels",
        "node.labels has labels that a kubelet may not set",
        "set them through the API",
    ),
    Sign(
        "certificate_pending",
        "[Cc]ertificate request was not signed|no serving certificate available for the kubelet",
        "a certificate request of the kubelet's is not approved yet",
        "on the master, salt-run kube_node.explain says why",
    ),
    Sign(
        "sandbox_image",
        "failed to (?:get|pull|start)[^:]*sandbox (?:container )?image|failed to pull image .*pause",
        "the sandbox image cannot be pulled",
        "let the machine reach its registry, name another in runtime.sandbox_image, or load an archive of it "
        "(images.archives)",
    ),
    Sign(
        "cni_plugin",
        "failed to find plugin ",
        "the CNI configuration asks for a plugin that is not in paths.cni_bin",
        "put the plugin there",
    ),
    Sign(
        "network_missing",
        "NetworkPluginNotReady|cni plugin not initialized|cni config uninitialized",
        "the network has not laid down a CNI configuration that the runtime takes",
        "apply the network's manifest, and look at its pod on this node",
    ),
)
_COMPILED = tuple((re.compile(sign.words), sign) for sign in SIGNS)


def recognise(lines: Iterable[str]) -> list[Sign]:
    """Return the signs that are in some lines, each line's first, in the order in which to mend them."""
    found = {_sign(line) for line in lines}
    return [sign for sign in SIGNS if sign in found]


def _sign(line: str) -> Sign | None:
    return next((sign for pattern, sign in _COMPILED if pattern.search(line)), None)
