"""What the master found out about its minions by compiling their pillars, and which of their bootstrap tokens
it made valid: kept, so that neither is done anew at each request.

One SQLite file in the master's cache folder, for all processes of the master. It may be removed at any time:
minions are looked at anew, and tokens end by themselves within the hour.
"""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

from kube_node_identity import Identity

_TABLE = """
CREATE TABLE IF NOT EXISTS minions (
    minion TEXT PRIMARY KEY, cluster TEXT, node TEXT, identity TEXT, made REAL, hint TEXT, sources TEXT
);
CREATE INDEX IF NOT EXISTS nodes ON minions (cluster, node);
CREATE TABLE IF NOT EXISTS tokens (
    token_id TEXT, cluster TEXT, minion TEXT, node TEXT, expires REAL, PRIMARY KEY (cluster, token_id)
);
"""
_BUSY_SECONDS = 10


class Entry(NamedTuple):
    """An identity (None: the minion is nobody by its pillar) and what it was compiled from.

    `made` is the time in seconds since the epoch, `hint` what the minion's cached pillar said then, and
    `sources` the state of the pillar's files.
    """

    identity: Identity | None
    made: float
    hint: str
    sources: str


class Made(NamedTuple):
    """A bootstrap token that is valid: whose, and until when (seconds since the epoch)."""

    token_id: str
    cluster: str
    minion: str
    node: str
    expires: float


class Register:
    """The minions that are known, and the tokens that were made valid for them.

    Args:
        path: the SQLite file, made where it is missing.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def entries(self, minions: Iterable[str]) -> dict[str, Entry]:
        """Return by minion what is known of some."""
        with self._open() as database:
            rows = [
                database.execute("SELECT * FROM minions WHERE minion = ?", [one]).fetchone()
                for one in minions
            ]
        return {row[0]: _entry(row) for row in rows if row}

    def claims(self, cluster: str, names: Iterable[str]) -> dict[str, set[str]]:
        """Return by node name the minions that were found to be it."""
        question = "SELECT minion FROM minions WHERE cluster = ? AND node = ?"
        with self._open() as database:
            return {name: {row[0] for row in database.execute(question, [cluster, name])} for name in names}

    def current(self, sources: str, since: float) -> set[str]:
        """Return the minions that were looked at since a time, with the pillar's files as they are now."""
        question = "SELECT minion FROM minions WHERE sources = ? AND made > ?"
        with self._open() as database:
            return {row[0] for row in database.execute(question, [sources, since])}

    def put(self, entries: dict[str, Entry]) -> None:
        """Keep what was found out about some minions."""
        rows = [_row(minion, entry) for minion, entry in entries.items()]
        with self._open() as database:
            database.executemany("INSERT OR REPLACE INTO minions VALUES (?, ?, ?, ?, ?, ?, ?)", rows)

    def made(self, cluster: str) -> list[Made]:
        """Return the tokens of a cluster that were made valid and not removed since."""
        with self._open() as database:
            return [
                Made(*row) for row in database.execute("SELECT * FROM tokens WHERE cluster = ?", [cluster])
            ]

    def put_made(self, tokens: Iterable[Made]) -> None:
        """Remember tokens that were made valid."""
        with self._open() as database:
            database.executemany("INSERT OR REPLACE INTO tokens VALUES (?, ?, ?, ?, ?)", tokens)

    def drop_made(self, tokens: Iterable[Made]) -> None:
        """Forget tokens that were removed."""
        rows = [(one.cluster, one.token_id) for one in tokens]
        with self._open() as database:
            database.executemany("DELETE FROM tokens WHERE cluster = ? AND token_id = ?", rows)

    def _open(self) -> Any:
        if not self._path.exists():  # at first, or it was removed meanwhile
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            os.close(os.open(self._path, os.O_CREAT, 0o600))
        return _Session(self._path)


class _Session:
    """One transaction: committed where it ends well; connections are not shared between processes."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, timeout=_BUSY_SECONDS)
        self._connection.executescript(_TABLE)

    def __enter__(self) -> sqlite3.Connection:
        return self._connection.__enter__()

    def __exit__(self, *error: Any) -> None:
        with closing(self._connection):
            self._connection.__exit__(*error)


def of_master(cachedir: str) -> Register:
    """Return the register of the master with this cache folder."""
    return Register(Path(cachedir, "kube_node", "minions.db"))


def fingerprint(folders: Iterable[str]) -> str:
    """Return a digest of the names, sizes and times of all files below some folders."""
    found = hashlib.sha256()
    for folder in folders:
        for root, names, files in os.walk(folder):
            names.sort()
            for name in sorted(files):
                path = os.path.join(root, name)  # noqa: PTH118 - a pillar of thousands of files, at each pass
                try:
                    state = os.stat(path)  # noqa: PTH116
                except OSError:
                    continue
                found.update(
                    f"{path}\0{state.st_mtime_ns}\0{state.st_size}\n".encode(errors="surrogateescape")
                )
    return found.hexdigest()


def _entry(row: tuple) -> Entry:
    content = json.loads(row[3])
    if content is not None:
        content = Identity(
            **{key: tuple(value) if isinstance(value, list) else value for key, value in content.items()}
        )
    return Entry(content, *row[4:])


def _row(minion: str, entry: Entry) -> tuple:
    found = entry.identity
    content = json.dumps(found and asdict(found))
    return (minion, found and found.cluster, found and found.name, content, *entry[1:])
