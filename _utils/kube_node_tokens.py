"""A bootstrap token for each minion, derived on the master from a key that never leaves it.

A token is an HMAC over cluster, minion, node name and a window of time, so nothing is stored per minion and
nobody but the master can make one. It lets nobody in until its Secret is in the cluster, which the approver
puts there when that minion's kubelet needs it, and removes once the kubelet has its certificate.
"""

import hashlib
import hmac
import os
import re
import secrets
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

# A token is its minion's for one window, and is taken for one more: a highstate has written it by then.
WINDOW_SECONDS = 86_400
SECRETS = "/api/v1/namespaces/kube-system/secrets"
_GROUP = "system:bootstrappers:kube-node:"
_ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyz"
_LINE = re.compile(r"([0-9]{1,12}) ([0-9a-f]{64})")


@dataclass(frozen=True)
class Token:
    """A bootstrap token: its id, which the API server makes the requestor's name of, and its secret."""

    id: str
    secret: str

    def __str__(self) -> str:
        return f"{self.id}.{self.secret}"

    def __repr__(self) -> str:
        return f"Token({self.id}, …)"


@dataclass(frozen=True)
class Key:
    """A key that tokens are derived from, and since when (seconds since the epoch)."""

    since: int
    key: bytes


def derive(key: bytes, cluster: str, minion_id: str, node: str, window: int) -> Token:
    """Return the token of one minion, as one node of one cluster, for one window of time.

    Source of its form: cluster-bootstrap/token/api/types.go, [a-z0-9]{6}.[a-z0-9]{16}.
    """
    message = "\0".join(("kube_node token 1", cluster, minion_id, node, str(window)))
    digest = hmac.digest(key, message.encode(), "sha256")
    return Token(_letters(digest[:12], 6), _letters(digest[12:], 16))


def current(keys: list[Key], cluster: str, minion_id: str, node: str, now: float) -> Token:
    """Return the token that a minion gets now."""
    return derive(keys[0].key, cluster, minion_id, node, _window(now))


def accepted(keys: list[Key], cluster: str, minion_id: str, node: str, now: float) -> list[Token]:
    """Return the tokens that a minion may still hold, the current one first.

    A key that was replaced counts as long as a token made with it may be on a machine.
    """
    found = []
    for number, key in enumerate(keys):
        replaced = keys[number - 1].since if number else now
        for window in (_window(now), _window(now) - 1):
            if window <= _window(replaced):
                found.append(derive(key.key, cluster, minion_id, node, window))
    return found


def group(cluster: str, minion_id: str, node: str) -> str:
    """Return the group that the API server gives the holder of a minion's token.

    Six characters of id can be the same for two minions, this can't; and nobody can give it to himself.
    Source: plugin/pkg/auth/authenticator/token/bootstrap/bootstrap.go, auth-extra-groups.
    """
    return _GROUP + hashlib.sha256("\0".join((cluster, minion_id, node)).encode()).hexdigest()[:32]


def manifest(token: Token, extra_group: str, expires: float) -> dict[str, Any]:
    """Return the Secret that makes a token valid until `expires` (seconds since the epoch)."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "bootstrap.kubernetes.io/token",
        "metadata": {"name": name(token.id), "namespace": "kube-system"},
        "stringData": {
            "description": "of one minion, by kube_node; removed once its kubelet has its certificate",
            "token-id": token.id,
            "token-secret": token.secret,
            "expiration": datetime.fromtimestamp(int(expires), timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "usage-bootstrap-authentication": "true",
            "auth-extra-groups": extra_group,
        },
    }


def name(token_id: str) -> str:
    """Return the name of a token's Secret."""
    return f"bootstrap-token-{token_id}"


def key_file(config_dir: str) -> Path:
    """Return where the keys lie below a master's configuration folder."""
    return Path(config_dir, "kube_node", "token.keys")


def of_master(config_dir: str) -> list[Key]:
    """Return a master's keys as `read` does, by its configuration folder."""
    return read(key_file(config_dir))


def read(path: Path) -> list[Key]:
    """Return the keys of a file, the newest first; made, with a first key, where it is missing.

    Raises:
        ValueError: the file holds none, as after a full disk.
    """
    try:
        text = path.read_text()
    except FileNotFoundError:
        return _write(path, [_fresh(0)], replace=False) or read(path)
    lines = filter(None, map(_LINE.fullmatch, text.splitlines()))
    keys = [Key(int(found[1]), bytes.fromhex(found[2])) for found in lines]
    if not keys:
        raise ValueError(f"{path} holds no key: remove it, or copy it from another master of these minions")
    return keys


def rotate(path: Path, now: float) -> list[Key]:
    """Put a new key before the old ones; those that no token on a machine is made with any more go."""
    keys, kept = read(path), []
    for number, key in enumerate(keys):
        replaced = keys[number - 1].since if number else now
        if _window(now) - 1 <= _window(replaced):
            kept.append(key)
    return _write(path, [_fresh(now), *kept])


def _fresh(now: float) -> Key:
    return Key(int(now), secrets.token_bytes(32))


def _write(path: Path, keys: list[Key], replace: bool = True) -> list[Key]:
    """Write keys in one step, for their owner alone; nothing where another made the file first."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    fresh = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write("".join(f"{key.since} {key.key.hex()}\n" for key in keys))
    try:
        if replace:
            fresh.replace(path)
        else:
            path.hardlink_to(fresh)
    except FileExistsError:
        return []
    finally:
        fresh.unlink(missing_ok=True)
    return keys


def _window(moment: float) -> int:
    return int(moment) // WINDOW_SECONDS


def _letters(digest: bytes, count: int) -> str:
    number, letters = int.from_bytes(digest, "big"), ""
    for _ in range(count):
        number, index = divmod(number, len(_ALPHABET))
        letters += _ALPHABET[index]
    return letters
