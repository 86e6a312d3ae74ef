"""The states of a cluster's Nodes, as far as decisions need them: asked for once, not for each request."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from kube_api import Api, ApiError

PATH = "/api/v1/nodes"
ABSENT: dict[str, bool] = {"exists": False, "ready": False}
# A state that was read when a token was made valid is still believed when the request comes by that token.
BELIEVED_SECONDS = 60


class _Read(NamedTuple):
    at: float
    state: dict[str, bool]


class Nodes:
    """What is known of the Nodes.

    Args:
        api: the connection to the cluster's API server.
    """

    def __init__(self, api: Api) -> None:
        self._api = api
        self._read: dict[str, _Read] = {}

    def states(self, wanted: Mapping[str, bool]) -> dict[str, dict[str, bool]]:
        """Return `{exists, ready}` by name.

        A state that was read a moment ago is enough where the answer would be what is hoped for: a Node that
        is there (`True`), or one that is not at work (`False`). Otherwise it is read: one question for one
        Node, one list for more.

        Args:
            wanted: by name of a Node whether it is hoped to be there.

        Raises:
            ApiError: the API server cannot be asked.
        """
        self._ask([name for name, hoped in wanted.items() if not self._is_known(name, hoped)])
        return {name: self._read[name].state for name in wanted}

    def forget(self, name: str) -> None:
        """Read a Node anew when it is next asked for: it was just let in."""
        self._read.pop(name, None)

    def _is_known(self, name: str, hoped: bool) -> bool:
        found = self._read.get(name)
        if found is None or time.monotonic() - found.at > BELIEVED_SECONDS:
            return False
        return found.state["exists"] if hoped else not found.state["ready"]

    def _ask(self, names: Iterable[str]) -> None:
        names, now = list(names), time.monotonic()
        if not names:
            return
        if len(names) == 1:
            found = {names[0]: self._one(names[0])}
        else:
            # Ten kilobytes each and more: of thousands of Nodes only what is asked for is kept.
            found = dict(self._api.items(PATH, keep=lambda item: (item["metadata"]["name"], _state(item)))[0])
        self._read |= {name: _Read(now, found.get(name, ABSENT)) for name in {*names, *found}}

    def _one(self, name: str) -> dict[str, bool]:
        try:
            return _state(self._api.request("GET", f"{PATH}/{name}"))
        except ApiError as error:
            if error.status != 404:
                raise
            return ABSENT


def _state(node: Mapping[str, Any]) -> dict[str, bool]:
    conditions = (node.get("status") or {}).get("conditions") or []
    ready = any(item.get("type") == "Ready" and item.get("status") == "True" for item in conditions)
    return {"exists": True, "ready": ready}
