"""Who asks: client certificates, bootstrap tokens from Secrets, tokens from a file, or nobody in particular.

Sources: apiserver `pkg/authentication/request/x509/x509.go`,
`plugin/pkg/auth/authenticator/token/bootstrap/bootstrap.go`, cluster-bootstrap `token/util/helpers.go`.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import hmac
import re
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.x509.oid import NameOID

from .request import User
from .resources import Resource
from .status import ApiError
from .store import Store

CREDENTIAL_ID = "authentication.kubernetes.io/credential-id"
_CREDENTIAL_ID_SINCE = 32  # PR 125634
ANONYMOUS = User("system:anonymous", ("system:unauthenticated",))
_TOKEN = re.compile(r"^([a-z0-9]{6})\.([a-z0-9]{16})$")
_GROUP = re.compile(r"\Asystem:bootstrappers:[a-z0-9:-]{0,255}[a-z0-9]\Z")


class Authenticator:
    """Names the user of a request.

    Args:
        store: where bootstrap token Secrets are.
        secrets: the kind Secret.
        minor: the Kubernetes minor served; credential-id came with 1.32.
        token_file: `token,user,uid,"group1,group2"` lines, or None.
    """

    def __init__(self, store: Store, secrets: Resource, minor: int, token_file: Path | None) -> None:
        self._store = store
        self._secrets = secrets
        self._with_credential_id = minor >= _CREDENTIAL_ID_SINCE
        self._known: dict[bytes, tuple[User | None, x509.Certificate]] = {}
        self._tokens = _read_tokens(token_file) if token_file else {}

    def user(self, certificate: bytes | None, authorization: str | None) -> User:
        """Return who asks, from the client certificate (DER, its chain verified by TLS) or the bearer token.

        Raises ApiError 401 for a certificate out of its time and for a token that is not known.
        """
        user = self._from_certificate(certificate) if certificate else None
        scheme, _, token = (authorization or "").partition(" ")
        if user is None and scheme.lower() == "bearer":
            user = self._tokens.get(token) or self._from_bootstrap_token(token)
            if user is None:
                raise unauthorized()
        if user is None:
            return ANONYMOUS
        return User(user.name, (*user.groups, "system:authenticated"), user.uid, user.extra)

    def _from_certificate(self, der: bytes) -> User | None:
        digest = hashlib.sha256(der).digest()
        if digest not in self._known:
            certificate = x509.load_der_x509_certificate(der)
            self._known[digest] = self._subject(certificate, digest), certificate
        user, certificate = self._known[digest]
        if (
            not certificate.not_valid_before_utc
            <= datetime.now(timezone.utc)
            <= certificate.not_valid_after_utc
        ):
            raise unauthorized()
        return user

    def _subject(self, certificate: x509.Certificate, digest: bytes) -> User | None:
        names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        if not names:
            return None
        groups = certificate.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
        extra = {CREDENTIAL_ID: [f"X509SHA256={digest.hex()}"]} if self._with_credential_id else {}
        # As Go's crypto/x509: of several common names the last counts.
        return User(str(names[-1].value), tuple(str(group.value) for group in groups), extra=extra)

    def _from_bootstrap_token(self, token: str) -> User | None:
        found = _TOKEN.match(token)
        if not found:
            return None
        identity, secret = found.groups()
        entry = self._store.find(self._secrets, ("kube-system", f"bootstrap-token-{identity}"))
        if entry is None or entry.object.get("type") != "bootstrap.kubernetes.io/token":
            return None
        data = {key: _text(value) for key, value in (entry.object.get("data") or {}).items()}
        groups = [group for group in data.get("auth-extra-groups", "").split(",") if group]
        if (
            "deletionTimestamp" in entry.object["metadata"]
            or not hmac.compare_digest(data.get("token-secret", ""), secret)
            or data.get("token-id") != identity
            or _expired(data.get("expiration", ""))
            or data.get("usage-bootstrap-authentication") != "true"
            or not all(_GROUP.match(group) for group in groups)
        ):
            return None
        return User(f"system:bootstrap:{identity}", tuple(sorted({"system:bootstrappers", *groups})))


def unauthorized() -> ApiError:
    return ApiError(401, "Unauthorized", "Unauthorized")


def _text(value: Any) -> str:
    return base64.b64decode(value).decode(errors="replace")


def _expired(expiration: str) -> bool:
    if not expiration:
        return False
    try:
        end = datetime.fromisoformat(expiration.replace("Z", "+00:00"))
    except ValueError:
        return True
    return end.tzinfo is None or end <= datetime.now(timezone.utc)


def _read_tokens(path: Path) -> dict[str, User]:
    tokens = {}
    with path.open(newline="") as lines:
        for token, name, uid, *groups in csv.reader(line for line in lines if line.strip()):
            names = groups[0].split(",") if groups else ()
            tokens[token] = User(name, tuple(group.strip() for group in names), uid)
    return tokens
