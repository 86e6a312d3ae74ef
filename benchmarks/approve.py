"""How fast requests are approved: the shell line, ours, and a bare client that judges nothing.

`make -s bench-approve N=300` prints a table; its last line is one JSON object. The API server is Kubernetes'
own where KUBEBUILDER_ASSETS names a folder with it, and the lab's double elsewhere. Ours is the pass that
the worker makes once a minion knocked: its pillar is known (what Salt takes to compile one has a row of its
own), and so is its Node, which the worker asked for when it made the minion's token valid.
"""

from __future__ import annotations

import argparse
import base64
import json
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "_utils")]

import kube_api  # noqa: E402
import kubelet_csr_facts  # noqa: E402
import kubelet_csr_pass  # noqa: E402
import kubelet_csr_policy  # noqa: E402
from cryptography import x509  # noqa: E402
from cryptography.hazmat.primitives import hashes, serialization  # noqa: E402
from cryptography.hazmat.primitives.asymmetric import ec  # noqa: E402
from cryptography.x509.oid import NameOID  # noqa: E402
from kube_node_identity import Identity  # noqa: E402
from kubelet_csr_api import CLIENT_SIGNER, Requests  # noqa: E402
from kubelet_csr_nodes import Nodes  # noqa: E402
from lab.controlplane import ControlPlane  # noqa: E402
from report import table  # noqa: E402
from unit.ground import Ground  # noqa: E402

TOKEN = "bench0.0123456789abcdef"
SHELL_LINE = "{kubectl} get csr | grep Pending | awk '{{print $1}}' | xargs {kubectl} certificate approve"
REQUEST = re.compile(
    r"\"?(GET|PUT|POST|PATCH|DELETE)\"? ?.*https://.*(?:milliseconds|status=)", re.IGNORECASE
)


class Counting(kube_api.Api):
    """A connection that counts its requests, and notes when each approval was written."""

    def __init__(self, kubeconfig: str) -> None:
        super().__init__(kubeconfig)
        self.sent = 0
        self.approved: list[float] = []

    def _send(self, method: str, *args: Any) -> Any:
        self.sent += 1
        return super()._send(method, *args)

    def request(self, method: str, *args: Any, **kwargs: Any) -> Any:
        answer = super().request(method, *args, **kwargs)
        if method == "PUT":
            self.approved.append(time.perf_counter())
        return answer


class Bench:
    """A control plane with requests to approve."""

    def __init__(self, plane: ControlPlane, nodes: int) -> None:
        self.plane, self.names = plane, [f"node-{number}" for number in range(nodes)]
        self.bodies = [_body(f"system:node:{name}", CLIENT_SIGNER) for name in self.names]
        self.ground = Ground.of(
            *(Identity(name, "bench", name, (), (name,), TOKEN[:6]) for name in self.names)
        )
        self.admin = Counting(str(plane.admin_kubeconfig))
        self.approver = str(plane.kubeconfig("kube-node-approver"))
        self.bootstrapper = Counting(str(_token_kubeconfig(plane)))

    def fresh(self) -> None:
        """Leave exactly one new pending request of every node."""
        self.admin.request("DELETE", Requests(self.admin).path)
        post = self.bootstrapper.request
        self.bootstrapper.each(lambda body: post("POST", Requests(self.bootstrapper).path, body), self.bodies)

    def ours(self) -> tuple[float, int, list[float]]:
        """Return the seconds and requests of our pass, and after how many milliseconds each was approved."""
        self.fresh()
        api = Counting(self.approver)
        nodes = Nodes(api)
        nodes.states(dict.fromkeys(self.names, False))  # as the worker does when it makes the tokens valid
        api.sent = 0
        requests, decisions, start = Requests(api), [], time.perf_counter()
        found, _ = requests.items()
        todo = [one for one in found if kubelet_csr_facts.is_pending(one)]

        def gather(those: list[dict]) -> list[dict]:
            return kubelet_csr_facts.gather(self.ground, nodes, those, todo)

        policy = kubelet_csr_policy.DEFAULT_POLICY
        kubelet_csr_pass.run("bench", requests, todo, gather, policy, decisions.append)
        seconds = time.perf_counter() - start
        wrong = [one for one in decisions if one["verdict"] != "approve"]
        assert not wrong, wrong[0]
        assert len(decisions) == len(self.names), len(decisions)
        return seconds, api.sent, [(at - start) * 1000 for at in api.approved]

    def bare(self) -> tuple[float, int]:
        """Return the seconds and requests of a client that approves what it finds."""
        self.fresh()
        api = Counting(self.approver)
        requests, start = Requests(api), time.perf_counter()
        found, _ = requests.items()
        condition = {"type": "Approved", "status": "True", "reason": "Bare", "message": "not judged"}
        api.each(lambda one: requests.decide(one, condition), found)
        return time.perf_counter() - start, api.sent

    def shell_line(self) -> tuple[float, int]:
        """Return the seconds and requests of the shell line, without its sleep."""
        self.fresh()
        cache = Path(tempfile.mkdtemp(dir=self.plane.directory))
        kubectl = f"kubectl -v=6 --kubeconfig={self.plane.admin_kubeconfig} --cache-dir={cache}"
        start = time.perf_counter()
        done = subprocess.run(
            ["bash", "-c", SHELL_LINE.format(kubectl=kubectl)], capture_output=True, text=True, check=True
        )
        return time.perf_counter() - start, len(REQUEST.findall(done.stderr))

    def judge_ms(self) -> float:
        """Return the median milliseconds that judging one request takes."""
        self.fresh()
        found, times = Requests(self.admin).items()[0][:200], []
        for one, facts in zip(found, self._facts(found), strict=True):
            start = time.perf_counter()
            kubelet_csr_policy.decide(one, facts, kubelet_csr_policy.DEFAULT_POLICY)
            times.append((time.perf_counter() - start) * 1000)
        return statistics.median(times)

    def _facts(self, found: list[dict]) -> list[dict]:
        return kubelet_csr_facts.gather(self.ground, Nodes(self.admin), found, found)

    def foreign_ms(self, count: int = 500) -> float:
        """Return how many milliseconds more a list takes when others have requests pending."""

        def listing() -> float:
            times = []
            for _ in range(5):
                start = time.perf_counter()
                found, _ = Requests(self.admin).items()
                kubelet_csr_facts.superseded([one for one in found if kubelet_csr_facts.is_pending(one)])
                times.append((time.perf_counter() - start) * 1000)
            return statistics.median(times)

        self.admin.request("DELETE", Requests(self.admin).path)
        alone = listing()
        body = _body("somebody", "example.com/signer")
        post = self.admin.request
        self.admin.each(lambda one: post("POST", Requests(self.admin).path, one), [body] * count)
        return listing() - alone


def _body(common_name: str, signer: str) -> dict[str, Any]:
    subject = [(NameOID.ORGANIZATION_NAME, "system:nodes"), (NameOID.COMMON_NAME, common_name)]
    name = x509.Name([x509.NameAttribute(*attribute) for attribute in subject])
    key = ec.generate_private_key(ec.SECP256R1())
    request = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, hashes.SHA256())
    pem = base64.b64encode(request.public_bytes(serialization.Encoding.PEM)).decode()
    return {
        "apiVersion": "certificates.k8s.io/v1",
        "kind": "CertificateSigningRequest",
        "metadata": {"generateName": "csr-"},
        "spec": {"request": pem, "signerName": signer, "usages": ["digital signature", "client auth"]},
    }


def _token_kubeconfig(plane: ControlPlane) -> Path:
    config = json.loads(plane.kubectl("config", "view", "--raw", "--output=json"))
    config["users"] = [{"name": config["users"][0]["name"], "user": {"token": TOKEN}}]
    path = plane.directory / "bootstrapper.kubeconfig"
    path.write_text(json.dumps(config))
    return path


def _pillar_ms() -> float:
    """Return the median milliseconds that Salt takes to compile one small pillar."""
    import salt.config
    import salt.pillar

    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "top.sls").write_text("base: {'*': [node]}\n")
        (Path(folder) / "node.sls").write_text("kube_node: {cluster: {name: bench}}\n")
        opts = dict(salt.config.master_config(None))
        opts |= {"root_dir": folder, "cachedir": f"{folder}/cache", "extension_modules": f"{folder}/modules"}
        opts |= {"pillar_roots": {"base": [folder]}, "file_roots": {"base": [folder]}, "file_client": "local"}
        Path(opts["cachedir"]).mkdir()
        times = []
        for number in range(5):
            start = time.perf_counter()
            salt.pillar.Pillar(dict(opts), {}, f"node-{number}", "base").compile_pillar()
            times.append((time.perf_counter() - start) * 1000)
    return statistics.median(times)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def _best(*arms: Callable[[], tuple], times: int = 5) -> list[tuple]:
    """Return the fastest run of each arm; they take turns, so that all see the same machine."""
    runs = [[arm() for arm in arms] for _ in range(times)]
    return [min(results, key=lambda result: result[0]) for results in zip(*runs, strict=True)]


def measure(bench: Bench, shell: bool) -> dict[str, Any]:
    """Measure the arms and return the numbers."""
    (bare_seconds, bare_requests), (seconds, requests, approved) = _best(bench.bare, bench.ours)
    shell_seconds, shell_requests = bench.shell_line() if shell else (None, None)
    cuts = statistics.quantiles(approved, n=20) if len(approved) > 1 else approved * 19
    return {
        "nodes": len(bench.names),
        "seconds": round(seconds, 4),
        "requests": requests,
        "shell_line_seconds": shell_seconds and round(shell_seconds, 3),
        "shell_line_requests": shell_requests,
        "bare_seconds": round(bare_seconds, 4),
        "bare_requests": bare_requests,
        "judge_ms_p50": round(bench.judge_ms(), 3),
        "approve_ms_p50": round(statistics.median(approved), 1),
        "approve_ms_p95": round(cuts[18], 1),
        "foreign_500_ms": round(bench.foreign_ms(), 1),
        "pillar_ms_p50": round(_pillar_ms(), 1),
        "api": bench.plane.flavour,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nodes", type=int, default=300)
    parser.add_argument("--delay-ms", type=float, default=0, help="added to each answer of the double")
    parser.add_argument("--no-shell-line", action="store_true", help="it takes 0.4 s a request")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, ControlPlane(Path(folder), port=_free_port()) as plane:
        for manifest in sorted((ROOT / "kube_node/master/files").glob("*.yaml")):
            plane.apply(manifest.read_text())
        plane.bootstrap_token(TOKEN)
        bench = Bench(plane, options.nodes)
        if options.delay_ms:
            fault = {"action": "delay", "seconds": options.delay_ms / 1000}
            bench.admin.request("POST", "/lab/faults", fault)
        numbers = measure(bench, not options.no_shell_line)
    table(numbers)
    print(json.dumps(numbers))


if __name__ == "__main__":
    main()
