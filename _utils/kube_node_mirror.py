"""A file from a mirror: in a bounded time, whole or not at all, and never by a detour without TLS.

It speaks with the mirror and writes the file; no Salt.
"""

from __future__ import annotations

import ssl
import time
import urllib.error
import urllib.request
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from urllib.parse import urlsplit

import kube_node_archive as archive

# How long a mirror may say nothing, and how long a file may take.
SILENT_SECONDS = 30
FETCH_SECONDS = 3600


class MissingError(OSError):
    """The mirror has no such file."""


def fetch(url: str, target: Path, ca_bundle: str | None, proxies: dict[str, str] | None) -> None:
    """Fetch a file.

    Args:
        url: where from.
        target: where to; it is there when the answer has ended, and not before.
        ca_bundle: the file of the CAs that are trusted; None for those of the machine.
        proxies: URLs by scheme; None for those of the environment.

    Raises:
        MissingError: the mirror says that it has no such file.
        OSError: it cannot be reached, is silent or too slow, or the file cannot be written.
    """
    handlers = (
        urllib.request.ProxyHandler(proxies),
        urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=ca_bundle)),
        _StaySafe,
    )
    try:
        with urllib.request.build_opener(*handlers).open(url, timeout=SILENT_SECONDS) as answer:
            archive.put(_Bounded(answer), target)
    except urllib.error.HTTPError as error:
        raise MissingError(f"{error.code} {error.reason}") from None
    except urllib.error.URLError as error:
        raise OSError(str(error.reason)) from None
    except HTTPException as error:
        raise OSError(f"it does not speak HTTP: {error!r}") from None


def proxies(url: str, proxy: dict[str, object]) -> dict[str, str] | None:
    """Return the proxies for a URL by the pillar's `proxy`; None, for the minion's own, where it has none."""
    known = {scheme: proxy[scheme] for scheme in ("http", "https") if proxy.get(scheme)}
    direct = {"no": ",".join(proxy.get("no_proxy") or [])}
    if known and urllib.request.proxy_bypass_environment(urlsplit(url).netloc, direct):
        return {}
    return known or None


class _StaySafe(urllib.request.HTTPRedirectHandler):
    """Follow a mirror to another place, but never from https to http."""

    def redirect_request(self, req, fp, code, msg, headers, newurl):
        if req.type == "https" and not newurl.startswith("https://"):
            raise urllib.error.URLError(f"it leads to {newurl}, which is not https")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


class _Bounded:
    """An answer that may not take for ever, though each piece of it comes in time."""

    def __init__(self, answer: HTTPResponse) -> None:
        self._answer, self._deadline = answer, time.monotonic() + FETCH_SECONDS

    def read(self, size: int) -> bytes:
        if time.monotonic() > self._deadline:
            raise TimeoutError(f"it was not done after {FETCH_SECONDS} s")
        return self._answer.read1(size)
