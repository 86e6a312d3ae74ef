"""The Secrets that make minions' bootstrap tokens valid: in the cluster only while a minion needs its own."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Iterable

import kube_node_tokens
from kube_api import Api, ApiError
from kube_node_identity import Identity
from kube_node_register import Made, Register
from kube_node_tokens import SECRETS, Token

log = logging.getLogger(__name__)

VALID_SECONDS = 3600
# A minion that still knocks a minute later may have lost its Secret: it is made again.
SETTLED_SECONDS = 60


class Tokens:
    """The tokens' Secrets in one cluster.

    Args:
        cluster: its name.
        api: the connection to its API server.
        register: remembers which Secrets there are, so that none is left behind.
        of: gives the tokens that a minion may hold, the current one first.
    """

    def __init__(
        self, cluster: str, api: Api, register: Register, of: Callable[[Identity], list[Token]]
    ) -> None:
        self._cluster, self._api, self._register, self._of = cluster, api, register, of

    def make_valid(self, wanted: Iterable[tuple[Identity, str | None]]) -> set[str]:
        """Let the tokens of some minions in for an hour: of each the one that its kubelet is said to have, or
        any that it may have.

        Returns:
            The minions whose tokens the API server did not take for the moment.

        Raises:
            ApiError: the API server cannot be asked. A missing right is logged: what can be approved without
                tokens still is.
        """
        there = {one.token_id: one.expires for one in self._register.made(self._cluster)}
        todo = [
            (owner, token)
            for owner, held in wanted
            for token in _of_those(self._of(owner), held)
            if there.get(token.id, 0) < time.time() + VALID_SECONDS - SETTLED_SECONDS
        ]
        # Remembered before they are made, as over: a sweep removes what was cut short in between.
        self._register.put_made([self._made(owner, token, time.time()) for owner, token in todo])
        done = self._api.each(self._make, todo)
        self._register.put_made([one for one in done if isinstance(one, Made)])
        return {owner.minion_id for (owner, _), one in zip(todo, done, strict=True) if one is False}

    def remove_of(self, minions: Collection[str]) -> None:
        """Remove the tokens of some minions: their kubelets have their certificates."""
        self._remove([one for one in self._register.made(self._cluster) if one.minion in minions])

    def sweep(self, ready: Callable[[set[str]], set[str]]) -> None:
        """Remove the tokens that have expired, and those of nodes that are at work.

        Args:
            ready: tells which of some Nodes are Ready.
        """
        there, now = self._register.made(self._cluster), time.time()
        at_work = ready({one.node for one in there}) if there else set()
        self._remove([one for one in there if one.expires < now or one.node in at_work])

    def _made(self, owner: Identity, token: Token, expires: float) -> Made:
        return Made(token.id, self._cluster, owner.minion_id, owner.name, expires)

    def _make(self, item: tuple[Identity, Token]) -> Made | bool | None:
        """Return the token that was made valid, None where it may not be, False where it may be later."""
        owner, token = item
        expires = time.time() + VALID_SECONDS
        group = kube_node_tokens.group(owner.cluster, owner.minion_id, owner.name)
        body = kube_node_tokens.manifest(token, group, expires)
        try:
            try:
                self._api.request("POST", SECRETS, body)
            except ApiError as error:
                if error.status != 409:
                    raise
                # One that expired, or of another master: nobody but a minion's own holder knows its secret.
                self._delete(token.id)
                self._api.request("POST", SECRETS, body)
        except ApiError as error:
            if error.status in (0, 401):
                raise
            log.error(
                "kube_node: minion %s of %s gets no valid bootstrap token: %s; see kube_node/master/files",
                owner.minion_id,
                self._cluster,
                error,
            )
            return False if error.passing else None
        return self._made(owner, token, expires)

    def _remove(self, those: list[Made]) -> None:
        gone = self._api.each(lambda one: self._delete(one.token_id) and one, those)
        self._register.drop_made([one for one in gone if one])

    def _delete(self, token_id: str) -> bool:
        try:
            self._api.request("DELETE", f"{SECRETS}/{kube_node_tokens.name(token_id)}")
        except ApiError as error:
            if error.status in (0, 401):
                raise
            if error.status != 404:
                log.error("kube_node: the token %s of %s was not removed: %s", token_id, self._cluster, error)
                return False
        return True


def _of_those(tokens: list[Token], held: str | None) -> list[Token]:
    named = [token for token in tokens if token.id == held]
    return named or tokens
