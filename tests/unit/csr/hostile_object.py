"""Hostile or foreign API objects, and facts that do not carry an approval."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from unit.csr import der, keys
from unit.csr.samples import ALL, IGNORE, MISSING, SERVING, TOKEN, Sample, sample

# One value of every JSON type, and a few that only Python has.
ODD: dict[str, Any] = {
    "true": True,
    "zero": 0,
    "huge": 10**5000,
    "float": 1e3,
    "nan": float("nan"),
    "empty text": "",
    "surrogate": "\ud800",
    "list": ["a"],
    "object": {"a": 1},
    "bytes": b"a",
}


def ignored(name: str, rule: str, flow: str = TOKEN, **changes: Any) -> Sample:
    return sample(name, rule, flow, verdict=IGNORE, **changes)


def objects() -> Iterator[Sample]:
    for name, value in {**ODD, "null": None}.items():
        yield ignored(f"the object is {name}", "kind", csr={"": value})
    for part in ("metadata", "spec"):
        for name in ("true", "list", "empty text"):
            rule = "kind"
            yield ignored(f"{part} is {name}", rule, csr={part: ODD[name]})
        yield ignored(f"no {part}", "kind", csr={part: MISSING})
    for version in (
        "v1",
        "certificates.k8s.io/v1beta1",
        "certificates.k8s.io/v1 ",
        "Certificates.k8s.io/v1",
        None,
        1,
    ):
        yield ignored(f"apiVersion {version!r}", "kind", csr={"apiVersion": version})
    for kind in ("CertificateSigningRequestList", "Pod", "certificatesigningrequest", None, ["x"]):
        yield ignored(f"kind {kind!r}", "kind", SERVING, csr={"kind": kind})
    for key in ("apiVersion", "kind"):
        yield ignored(f"no {key}", "kind", csr={key: MISSING})


def signers() -> Iterator[Sample]:
    others = (
        "kubernetes.io/kube-apiserver-client",
        "kubernetes.io/legacy-unknown",
        "example.com/kubelet-serving",
        "kubernetes.io/kubelet-serving ",
        "Kubernetes.io/kubelet-serving",
        "kubernetes.io/kube-apiserver-client-kubelet\0",
    )
    for signer in (*others, None, 1, ["kubernetes.io/kubelet-serving"], ""):
        yield ignored(f"signer {signer!r}", "signer", csr={"spec.signerName": signer})
    yield ignored("no signer", "signer", csr={"spec.signerName": MISSING})
    yield ignored(
        "a serving request to another signer", "signer", SERVING, csr={"spec.signerName": others[0]}
    )


def decided() -> Iterator[Sample]:
    def status(name: str, value: Any, flow: str = TOKEN) -> Sample:
        return ignored(name, "undecided", flow, csr={"status": value})

    for kind in ("Approved", "Denied", "Failed", "denied", " Approved ", None, 7, ["Denied"]):
        yield status(f"condition {kind!r}", {"conditions": [{"type": kind, "status": "True"}]})
    yield status(
        "denied after another condition", {"conditions": [{"type": "Seen"}, {"type": "Denied"}]}, SERVING
    )
    yield status("a denial whose status is False", {"conditions": [{"type": "Denied", "status": "False"}]})
    yield status("conditions that are text", {"conditions": "Denied"})
    yield status("conditions that are an object", {"conditions": {"type": "Denied"}})
    yield status("a condition that is text", {"conditions": ["Denied"]})
    yield status("a condition that is null", {"conditions": [None]})
    yield status("issued already", {"certificate": "LS0tLS1CRUdJTg=="}, SERVING)
    yield status("a certificate that is a list", {"certificate": []})
    yield status("a certificate that is false", {"certificate": False})
    for name in ("true", "zero", "empty text", "list"):
        yield status(f"status is {name}", ODD[name])
    for value in ("2026-11-23T11:59:59Z", "", 0, False):
        yield ignored(f"deleted at {value!r}", "undecided", csr={"metadata.deletionTimestamp": value})


def identities() -> Iterator[Sample]:
    for key, values in {
        "uid": ("", None, 7, ["u"], MISSING),
        "resourceVersion": ("", None, 81524, "0", "000", ["1"], MISSING),
    }.items():
        for value in values:
            shown = "missing" if value is MISSING else repr(value)
            yield ignored(f"{key} {shown}", "preconditions", csr={f"metadata.{key}": value})


def times() -> Iterator[Sample]:
    created = {
        "an hour and a second old": "2026-11-23T10:59:59Z",
        "a year old": "2025-11-23T11:59:30Z",
        "a minute and a second ahead": "2026-11-23T12:01:01Z",
        "a year ahead": "2027-11-23T12:00:00Z",
        "with an offset": "2026-11-23T12:59:30+01:00",
        "without a zone": "2026-11-23T11:59:30",
        "of lower case": "2026-11-23t11:59:30z",
        "with a space": "2026-11-23 11:59:30Z",
        "with a newline": "2026-11-23T11:59:30Z\n",
        "in other digits": "\uff12\uff10\uff12\uff16-11-23T11:59:30Z",
        "in month 13": "2026-13-23T11:59:30Z",
        "at second 60": "2026-11-23T11:59:60Z",
        "as seconds": 1795435170,
        "of garbage": "yesterday",
        "of year 0": "0000-11-23T11:59:30Z",
        "of nothing": None,
        "as a list": ["2026-11-23T11:59:30Z"],
        "missing": MISSING,
    }
    for name, value in created.items():
        yield ignored(f"creation {name}", "age", csr={"metadata.creationTimestamp": value})
    for value in (None, "now", 1795435200, True, "2026-11-23T12:00:00"):
        yield ignored(f"the master's time is {value!r}", "age", SERVING, facts={"now": value})
    yield ignored("older than the policy allows", "age", policy={"max_csr_age_seconds": 29})
    ahead = {"metadata.creationTimestamp": "2026-11-23T12:00:01Z"}
    yield ignored("ahead of a policy without skew", "age", csr=ahead, policy={"max_future_skew_seconds": 0})


def nodes() -> Iterator[Sample]:
    for name, value in {**ODD, "null": None, "missing": MISSING}.items():
        yield ignored(f"the pillar's node is {name}", "node_known", facts={"node": value})
    for value in (None, "", 7, ["m"], MISSING):
        shown = "missing" if value is MISSING else repr(value)
        sweep = {"node.minion_id": value, "event_minion_id": None}
        yield ignored(f"the node's minion is {shown}", "node_known", facts=sweep)
        yield ignored(f"the node's name is {shown}", "node_known", SERVING, facts={"node.name": value})
    for value in (False, None, 1, "true", ["worker-1.example.com"], MISSING):
        shown = "missing" if value is MISSING else repr(value)
        yield ignored(f"accepted is {shown}", "minion_accepted", facts={"minion_accepted": value})
    for flow in ALL:
        yield ignored("decommissioned", "minion_accepted", flow, facts={"minion_accepted": False})
        yield ignored(
            "another minion's event", "event_minion", flow, facts={"event_minion_id": "worker-2.example.com"}
        )
        yield ignored("superseded", "newest", flow, facts={"superseded": True})
        yield ignored("a stranger in the pillar", "node_known", flow, facts={"node": None})
    for value in ("", "Worker-1.example.com", "worker-1", 7, ["worker-1.example.com"], True):
        yield ignored(f"the event is of {value!r}", "event_minion", facts={"event_minion_id": value})
    for value in (1, 0, "", "false", [], {}):
        yield ignored(f"superseded is {value!r}", "newest", facts={"superseded": value})
    for name, value in ODD.items():
        if name != "object":
            yield ignored(f"the facts are {name}", "age", facts={"": value})
    yield ignored("no facts", "age", facts={"": None})


def policies() -> Iterator[Sample]:
    wrong = {
        "deny": "false",
        "max_rsa_bits": "8192",
        "min_rsa_bits": True,
        "rsa_exponent": 65537.0,
        "allowed_curves": "P-256",
        "allowed_sig_hashes": ["sha256", 256],
        "max_request_bytes": -1,
        "max_csr_age_seconds": None,
        "max_future_skew_seconds": 10**5000,
        "min_expiration_seconds": [600],
        "max_expiration_seconds": {},
        "check_name_digest": 0,
        "client_signer": None,
        "serving_signer": "kubernetes.io/kube-apiserver-client-kubelet",
    }
    for key, value in wrong.items():
        yield ignored(f"policy.{key} is wrong", "policy", policy={key: value})
    for value in (None, [], "deny", 1, True):
        yield sample(f"the policy is {value!r}", "policy", verdict=IGNORE)._replace(policy=value)


def field_types() -> Iterator[Sample]:
    wrong = {
        "metadata.name": (7, True, ["csr-7xkz2"], {}),
        "spec.request": (7, True, ["TFM="], {}, b"TFM="),
        "spec.username": (7, True, ["system:bootstrap:abcdef"], {}),
        "spec.uid": (7, ["u"]),
        "spec.groups": (
            "system:bootstrappers,system:authenticated",
            {"system:bootstrappers": 1},
            [["a"]],
            [None],
            7,
        ),
        "spec.usages": (
            "client auth",
            {"client auth": 1},
            ["digital signature", "client auth", None],
            7,
            True,
        ),
        "spec.extra": ("x", ["x"], {"x": "y"}, {"x": [1]}, 7),
        "spec.expirationSeconds": (True, 3600.0, "3600", [3600], {}, float("inf")),
    }
    for path, values in wrong.items():
        for value in values:
            yield sample(f"{path} is {value!r}", "field_types", csr={path: value})


def object_names() -> Iterator[Sample]:
    foreign = "node-csr-" + "A" * 43
    odd = (
        "x?dryRun=All",
        "Pending",
        "--all",
        "..",
        "csr-7xkz",
        "csr-7xkz22",
        "csr-abcde",
        "csr-7XKZ2",
        "CSR-7xkz2",
        "csr-7xkz2\n",
        "csr-7xkz2/approval",
        "csr-7xkz\u0662",
        foreign,
        foreign[:-1],
        foreign + "A",
        foreign.replace("A", "=", 1),
        "",
        None,
        MISSING,
    )
    for name in odd:
        shown = "missing" if name is MISSING else repr(name)
        yield sample(f"name {shown}", "object_name", csr={"metadata.name": name})
    yield sample(
        "a serving request by another name", "object_name", SERVING, csr={"metadata.name": "worker-1"}
    )


def names_of_digests() -> Iterator[Sample]:
    """Digests over another key, another node, and in a form that no policy takes."""
    own = keys.curve("P-256")
    for name, (key, node) in {
        "the digest of another key": (keys.curve("P-256", 1), "worker-1"),
        "the digest of another node": (own, "worker-2"),
    }.items():
        digest = der.digested_name(der.spki(key), node, ["digital signature", "client auth"])
        yield sample(name, "object_name", csr={"metadata.name": digest})
    unchecked = {"check_name_digest": False}
    yield sample("no name, digests unchecked", "object_name", csr={"metadata.name": "x"}, policy=unchecked)


def samples() -> Iterator[Sample]:
    yield from objects()
    yield from signers()
    yield from decided()
    yield from identities()
    yield from times()
    yield from nodes()
    yield from policies()
    yield from field_types()
    yield from object_names()
    yield from names_of_digests()
