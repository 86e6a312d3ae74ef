"""The watch on a cluster's requests: a thread that puts what happens to them into the worker's mail."""

import threading
import time
from typing import Any, NamedTuple

from kube_api import ApiError
from kube_node_mailbox import Mailbox
from kubelet_csr_api import Requests

WATCH_SECONDS = 30


class Listed(NamedTuple):
    """All requests, read anew."""

    requests: list[dict[str, Any]]


class Seen(NamedTuple):
    """What a watch saw: an event, a list or the fault that ended it; and which watch, for an old one may
    still be speaking."""

    watch: threading.Event
    what: Any


def watch(requests: Requests, version: str, mail: Mailbox, stop: threading.Event) -> None:
    """Put each change into the mail until `stop` is set, and the fault that ended it.

    Args:
        requests: the requests' API.
        version: the resourceVersion after which it begins.
        mail: takes what is `Seen`.
        stop: ends it.
    """
    try:
        while not stop.is_set():
            began = time.monotonic()
            for event in requests.watch(version, WATCH_SECONDS):
                if event["type"] == "ERROR":  # 410: the server no longer knows that version
                    listed, version = requests.items()
                    mail.put(Seen(stop, Listed(listed)))
                    break
                version = event["object"]["metadata"]["resourceVersion"]
                mail.put(Seen(stop, event))
                if stop.is_set():
                    return
            if time.monotonic() - began < 1:  # one that ends each watch at once is not asked at once again
                stop.wait(1)
    except ApiError as error:
        mail.put(Seen(stop, error))
    except Exception as error:  # a worker that waits must hear of whatever ended its watch
        mail.put(Seen(stop, ApiError(0, f"the watch on its requests broke off: {error!r}")))
