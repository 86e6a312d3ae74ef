"""What Docker says of itself on its socket."""

from __future__ import annotations

import json
import socket
from http.client import HTTPConnection
from typing import Any

SOCKET = "unix:///var/run/docker.sock"


def asked(path: str, endpoint: str = SOCKET) -> dict[str, Any]:
    """Docker's answer to GET ``path``, `/version` for example. Raises OSError where there is none."""
    connection = HTTPConnection("docker")
    connection.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.sock.settimeout(2)
    try:
        connection.sock.connect(endpoint.removeprefix("unix://"))
        connection.request("GET", path)
        return json.loads(connection.getresponse().read())
    except ValueError as fault:
        raise OSError(f"{endpoint} is not Docker's: {fault}") from fault
    finally:
        connection.close()
