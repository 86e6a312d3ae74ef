"""Run the double as a program: flags as kube-apiserver and kube-controller-manager name them."""

from __future__ import annotations

import argparse
import asyncio
import logging
import signal
import sys
from pathlib import Path

from .clock import duration
from .server import Server
from .settings import Settings


def main() -> None:
    """Serve until SIGTERM or SIGINT; exit with a sentence when that cannot be."""
    arguments = vars(_parser().parse_args())
    port_file = arguments.pop("port_file")
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    try:
        asyncio.run(_serve(Settings(**arguments), port_file))
    except OSError as fault:
        sys.exit(f"lab.apiserver cannot start: {fault}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="lab.apiserver", description=__doc__)
    for name in ("client-ca", "tls-cert", "tls-private-key", "cluster-signing-cert", "cluster-signing-key"):
        parser.add_argument(f"--{name}-file", type=Path, required=True)
    parser.add_argument("--bind-address", default="127.0.0.1")
    parser.add_argument("--secure-port", type=int, default=6443, help="0 takes a free one")
    parser.add_argument("--port-file", type=Path, help="where to write the port once it listens")
    parser.add_argument("--version", default=Settings.version, help="the Kubernetes to be: 1.9.0 to 1.37.x")
    parser.add_argument(
        "--cluster-signing-duration",
        type=duration,
        default=Settings.cluster_signing_duration,
        help="lifetime of signed certificates: 8760h, 90s",
    )
    parser.add_argument("--service-cluster-ip-range", default=Settings.service_cluster_ip_range)
    parser.add_argument("--allocate-node-cidrs", type=_boolean, default=False, help="true or false")
    parser.add_argument("--cluster-cidr", help="of which each node then gets a part")
    parser.add_argument("--token-auth-file", type=Path, help='lines of token,user,uid,"group1,group2"')
    parser.add_argument("--audit-log-path", type=Path, help="one JSON line per request")
    parser.add_argument(
        "--watch-history",
        type=int,
        default=Settings.watch_history,
        help="events of one kind to remember; older resourceVersions are answered with 410",
    )
    return parser


def _boolean(text: str) -> bool:
    return bool(["false", "true"].index(text))


async def _serve(settings: Settings, port_file: Path | None) -> None:
    server = Server(settings)
    port = await server.start()
    logging.info("serving Kubernetes %s at https://%s:%d", settings.version, settings.bind_address, port)
    if port_file is not None:
        port_file.write_text(f"{port}\n")
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    await ended.wait()
    await server.stop()


if __name__ == "__main__":
    main()
