"""Knocks: a minion's word that its kubelet may need the master. Hints all of them, for anyone may forge one.

They come as events; those that no worker heard are left as files in a folder, one per minion, so that none is
lost. Whoever works a folder off holds its lock.
"""

from __future__ import annotations

import fcntl
import json
import re
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote, unquote

CLIENT, SERVING = "client", "serving"
# What is lacked is not said: what the minion last attested tells it.
UNSAID = "unsaid"
START = "kube_node/kubelet/start"
MINION_START = "salt/minion/*/start"
TAGS = (START, "salt/beacon/*/kube_node/*", MINION_START)
_TOKEN_ID = re.compile(r"[a-z0-9]{6}")
_SWEEP, _KNOCK = ".sweep", ".knock"
_LONGEST = 64


class Knock(NamedTuple):
    """One knock.

    `minion` is whose (None: a sweep, all of them); `lacks` which certificates are missing; `token` the id of
    the bootstrap token that its kubelet has; `stamp` when the event was fired.
    """

    minion: str | None
    lacks: frozenset[str] = frozenset({UNSAID})
    token: str | None = None
    stamp: str | None = None

    def is_before(self, moment: datetime | None) -> bool:
        """Tell whether this knock is known to be from before a moment, to the second as the API has times."""
        try:
            fired = datetime.fromisoformat(self.stamp or "").replace(tzinfo=timezone.utc)
        except ValueError:
            return False
        return moment is not None and fired < moment + timedelta(seconds=1)


def merged(one: Knock | None, other: Knock) -> Knock:
    """Return what two knocks of one minion say together: a forged one takes nothing away from an honest one.

    Of two tokens it is not known which the kubelet has.
    """
    if one is None:
        return other
    tokens = {one.token, other.token} - {None}
    stamps = {one.stamp, other.stamp} - {None}
    return Knock(
        other.minion,
        one.lacks | other.lacks,
        tokens.pop() if len(tokens) == 1 else None,
        max(stamps, default=None),
    )


def from_event(tag: str, data: Mapping[str, Any]) -> Knock | None:
    """Return the knock in an event, None where it has no minion id. What has a wrong type is left out.

    A kubelet that started lacks what its event says, or both certificates where it says nothing. Of a minion
    that started it is not known.
    """
    minion, stamp = data.get("id"), data.get("_stamp")
    if not isinstance(minion, str):
        return None
    said = data["data"] if isinstance(data.get("data"), dict) else data
    lacks, token = said.get("lacks", [CLIENT, SERVING]), said.get("token")
    is_said = _is_flat(lacks) and not fnmatchcase(tag, MINION_START)
    return Knock(
        minion,
        frozenset({CLIENT, SERVING, UNSAID}.intersection(lacks[:3] if is_said else [UNSAID])),
        token if isinstance(token, str) and _TOKEN_ID.fullmatch(token) else None,
        stamp[:_LONGEST] if isinstance(stamp, str) else None,
    )


def is_knock(tag: str) -> bool:
    """Tell whether an event is a knock."""
    return any(fnmatchcase(tag, one) for one in TAGS)


def folder(cachedir: str, cluster: str) -> Path:
    """Return where the knocks of a cluster are left, below a master's cache folder."""
    return Path(cachedir, "kube_node", cluster)


def leave(folder: Path, knock: Knock) -> None:
    """Leave a knock for the worker that is or will be there; those of one minion are merged."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    name = _SWEEP if knock.minion is None else quote(knock.minion, safe="") + _KNOCK
    knock = merged(_read(folder / name, knock.minion), knock)
    content = {
        "id": knock.minion,
        "lacks": sorted(knock.lacks),
        "token": knock.token,
        "_stamp": knock.stamp,
    }
    fresh = folder / f"{name}.{secrets.token_hex(4)}"
    fresh.write_text(json.dumps(content))
    fresh.replace(folder / name)


def take(folder: Path) -> list[Knock]:
    """Take the knocks that were left; one that comes from here on is for the next look."""
    found = []
    for path in _left(folder):
        taken = path.rename(path.with_name(f"{path.name}.taken"))
        if path.name == _SWEEP:
            found.append(Knock(None))
        else:
            minion = unquote(path.name.removesuffix(_KNOCK))
            found.append(_read(taken, minion) or Knock(minion))
        taken.unlink()
    return found


def any_left(folder: Path) -> bool:
    """Tell whether knocks wait in a folder."""
    return bool(_left(folder))


@contextmanager
def lock(folder: Path) -> Iterator[Any]:
    """Give the lock of a folder, not yet taken; a process that is forked meanwhile shares it."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with folder.with_name(f"{folder.name}.lock").open("w") as file:
        yield file


def take_lock(file: Any) -> bool:
    """Take a lock; tells whether it was free."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def release_lock(file: Any) -> None:
    """Give a lock back."""
    fcntl.flock(file, fcntl.LOCK_UN)


def _left(folder: Path) -> list[Path]:
    found = folder.iterdir() if folder.exists() else ()
    return [path for path in found if path.name == _SWEEP or path.name.endswith(_KNOCK)]


def _read(path: Path, minion: str | None) -> Knock | None:
    """Return the knock that was left, None where none can be read."""
    try:
        found = from_event(START, json.loads(path.read_text()))
    except (OSError, ValueError):
        return None
    return found if found and found.minion == minion else None


def _is_flat(values: Any) -> bool:
    return isinstance(values, list) and all(isinstance(value, str) for value in values[:3])
