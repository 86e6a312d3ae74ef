"""A double of the Kubernetes API server, with the signer of the controller manager, for tests and the demo.

`python -m lab.apiserver --help` runs it as a program, `start()` in a thread of the caller.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from .server import Server
from .settings import Settings

__all__ = ["Running", "Settings", "start"]


@dataclass(frozen=True)
class Running:
    """A started server."""

    url: str
    port: int


@contextmanager
def start(**settings: Any) -> Iterator[Running]:
    """Run the server in a thread while the context lasts.

    Args:
        settings: the fields of `Settings`; without `secure_port` the system picks a free one.

    Raises:
        OSError: the address is taken, or a file cannot be read.
    """
    server = Server(Settings(**settings))
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="lab.apiserver", daemon=True)
    thread.start()
    try:
        port = asyncio.run_coroutine_threadsafe(server.start(), loop).result(30)
        try:
            yield Running(f"https://{server.settings.bind_address}:{port}", port)
        finally:
            asyncio.run_coroutine_threadsafe(server.stop(), loop).result(30)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(30)
        loop.close()
