"""One certificate request before the judge: the object, the facts and the policy, and what rules say of them.

Nothing in a case has the type that it should have until a rule has looked. The properties below never raise,
except for those that read the request: `Unreadable`.
"""

import hmac
import re
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from functools import cached_property
from typing import Any

import kubelet_csr_pem as pem
import kubelet_csr_request as csr_request

APPROVE = "approve"
DENY = "deny"
IGNORE = "ignore"

# What rules found if it is what they expected, and what to do about what no kubelet does.
AS_EXPECTED = "as expected"
STRANGE = "a kubelet does not do that, look who made this request"

BOOTSTRAP = "bootstrap"
RENEWAL = "renewal"
SERVING = "serving"

DEFAULT_POLICY: dict[str, Any] = {
    # --cluster-signing-duration's default, 8760h: the signer gives no more unless told to.
    "max_expiration_seconds": 31_536_000,
    "min_expiration_seconds": 600,
    "min_rsa_bits": 2048,
    "max_rsa_bits": 8192,
    "rsa_exponent": 65537,
    "allowed_curves": ("P-256", "P-384", "P-521"),
    "allowed_sig_hashes": ("sha256", "sha384", "sha512"),
    "max_request_bytes": 16384,
    "max_csr_age_seconds": 3600,
    "max_future_skew_seconds": 60,
    "client_signer": "kubernetes.io/kube-apiserver-client-kubelet",
    "serving_signer": "kubernetes.io/kubelet-serving",
    "deny": True,
    # Off for kubelets up to 1.15 only: their node-csr-* names are a digest over the private key.
    "check_name_digest": True,
}

_SHOWN = 80
_SECONDS = r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})"
_TIME = re.compile(_SECONDS + r"(?:\.([0-9]{1,6})[0-9]{0,3})?(?:Z|\+00:00)")
_SHA256 = re.compile(r"[0-9a-fA-F]{64}")


@dataclass(frozen=True)
class Finding:
    """What a rule expected and found; verdict None means that it passed."""

    expected: str
    found: str
    verdict: str | None = None
    todo: str = ""

    @property
    def message(self) -> str:
        """One sentence for an operator."""
        advice = f"; {self.todo}" if self.todo else ""
        return f"Expected {self.expected}, but found {self.found}{advice}."


def check(ok: bool, otherwise: str, expected: str, found: str, todo: str = "") -> Finding:
    """A finding that passes if ok, and else carries the verdict and what to do."""
    return Finding(expected, found) if ok else Finding(expected, found, otherwise, todo)


@dataclass(frozen=True)
class Case:
    """The three inputs of a decision, and typed ways into them."""

    csr: Any
    facts: Any
    policy: Any

    @cached_property
    def settings(self) -> dict[str, Any]:
        """The policy over its defaults."""
        return {**DEFAULT_POLICY, **mapping(self.policy)}

    @cached_property
    def metadata(self) -> dict[str, Any]:
        """The object's metadata."""
        return mapping(mapping(self.csr).get("metadata"))

    @cached_property
    def spec(self) -> dict[str, Any]:
        """The object's spec."""
        return mapping(mapping(self.csr).get("spec"))

    @cached_property
    def node(self) -> dict[str, Any]:
        """The pillar's node."""
        return mapping(self.fact("node"))

    @cached_property
    def username(self) -> str:
        """The requestor as the API server authenticated it."""
        return text(self.spec.get("username"))

    @cached_property
    def node_username(self) -> str:
        """The identity of the pillar's node, which is also its certificates' common name."""
        return f"system:node:{text(self.node.get('name'))}"

    @cached_property
    def flow(self) -> str:
        """Which of the three requests of a kubelet this is."""
        if self.spec.get("signerName") == self.settings["serving_signer"]:
            return SERVING
        return RENEWAL if self.username.startswith("system:node:") else BOOTSTRAP

    @cached_property
    def pem(self) -> bytes:
        """What spec.request's base64 stands for."""
        return pem.from_base64(text(self.spec.get("request")))

    @cached_property
    def der(self) -> bytes:
        """What the PEM block holds."""
        return pem.from_pem(self.pem)

    @cached_property
    def request(self) -> csr_request.Request:
        """The request as it was read."""
        return csr_request.read(self.der)

    @property
    def is_attested(self) -> bool:
        """Whether the node's minion attests this very key."""
        return same_digest(self.fact("attested_spki_sha256"), self.request.spki_sha256)

    def fact(self, name: str) -> Any:
        """One fact, or None."""
        return mapping(self.facts).get(name)


def mapping(value: Any) -> dict[Any, Any]:
    """The value if it is a JSON object, else an empty one."""
    return value if isinstance(value, dict) else {}


def text(value: Any) -> str:
    """The value if it is a string, else an empty one."""
    return value if isinstance(value, str) else ""


def texts(value: Any) -> list[str]:
    """The strings of a list; what is no string or no list is left out."""
    return [item for item in value if isinstance(item, str)] if isinstance(value, list | tuple) else []


def is_sha256(value: Any) -> bool:
    """Whether a fact is a whole SHA-256 in hex."""
    return isinstance(value, str) and _SHA256.fullmatch(value) is not None


def same_digest(fact: Any, digest: str) -> bool:
    """Whether a fact is this SHA-256, told in constant time."""
    return is_sha256(fact) and hmac.compare_digest(fact.lower(), digest)


def show(value: Any) -> str:
    """A value for a message: escaped, cut, and cheap whatever it is."""
    if value is None:
        return "nothing"
    if isinstance(value, str):
        return ascii(value[:_SHOWN]) + ("..." if len(value) > _SHOWN else "")
    if isinstance(value, bytes):
        return show(value[: _SHOWN + 1].decode("ascii", "backslashreplace"))
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return str(value) if value.bit_length() <= 64 else f"a number of {value.bit_length()} bits"
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list | tuple | set | frozenset):
        return "a list"
    return "a value of no JSON type"


def show_all(values: list[Any]) -> str:
    """Some values for a message: the first five, and how many more."""
    if not values:
        return "none"
    more = f" and {len(values) - 5} more" if len(values) > 5 else ""
    return ", ".join(map(show, values[:5])) + more


def moment(value: Any) -> datetime | None:
    """A time in UTC, from a datetime (without a zone: UTC) or RFC 3339 text; None for anything else.

    The API server writes its times in UTC (apimachinery, meta/v1/time.go), so another offset is not its time.
    """
    if isinstance(value, datetime):
        return value.replace(tzinfo=timezone.utc) if value.utcoffset() in (None, timedelta(0)) else None
    found = _TIME.fullmatch(text(value)[:40])
    if not found:
        return None
    try:
        whole = datetime.fromisoformat(found[1])
    except ValueError:
        return None
    return whole.replace(microsecond=int((found[2] or "").ljust(6, "0")), tzinfo=timezone.utc)
