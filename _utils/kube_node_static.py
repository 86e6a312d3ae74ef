"""A node's static certificates: which it keeps, how it asks for one, and what is wrong with one.

Pure: no Salt, no I/O. Minion and master each build the same from the pillar, so the master compares a request
with what it would have asked for itself. Subject and hosts are those of kubeasz's kubelet-csr.json.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

Tree = dict[str, Any]
FILES, PILLAR, MASTER, NODE = "files", "pillar", "master", "node"
KUBELET, KUBE_PROXY = "kubelet", "kube_proxy"
PROXY_USER = "system:kube-proxy"
KEYS = {
    "rsa-2048": lambda: rsa.generate_private_key(65537, 2048),
    "rsa-3072": lambda: rsa.generate_private_key(65537, 3072),
    "rsa-4096": lambda: rsa.generate_private_key(65537, 4096),
    "ecdsa-256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "ecdsa-384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "ecdsa-521": lambda: ec.generate_private_key(ec.SECP521R1()),
}
# In the order in which cfssl writes them.
SUBJECT = {
    "C": NameOID.COUNTRY_NAME,
    "ST": NameOID.STATE_OR_PROVINCE_NAME,
    "L": NameOID.LOCALITY_NAME,
    "O": NameOID.ORGANIZATION_NAME,
    "OU": NameOID.ORGANIZATIONAL_UNIT_NAME,
    "CN": NameOID.COMMON_NAME,
}
_PURPOSES = {"client auth": ExtendedKeyUsageOID.CLIENT_AUTH, "server auth": ExtendedKeyUsageOID.SERVER_AUTH}


def wanted(tree: Tree) -> list[Tree]:
    """Return the certificates that a node keeps beside those that its kubelet asks for by itself.

    Args:
        tree: parameters with `node`, `certificates` and `paths.certificates`.

    Returns:
        For each `{name, from, certificate, key, subject, hosts, purposes, kind, days, renew_days, pem}`:
        `certificate` and `key` are paths, `subject` by the names of SUBJECT, `hosts` names and addresses,
        `pem` what the pillar delivers.
    """
    found = [kubelet(tree)] if tree["certificates"]["mode"] == "static" else []
    if tree["certificates"][KUBE_PROXY]["from"] != NODE:
        found.append(_one(tree, KUBE_PROXY, "kube-proxy", {"CN": PROXY_USER}, [], ["client auth"]))
    return found


def kubelet(tree: Tree) -> Tree:
    """Return the kubelet's certificate as it is in mode static, whatever the mode is; as `wanted`."""
    node = tree["node"]
    subject = {"O": "system:nodes", "CN": f"system:node:{node['name']}"}
    hosts = dict.fromkeys(["127.0.0.1", *(node["addresses"] or ()), node["name"], *node["dns_names"]])
    return _one(tree, KUBELET, "kubelet", subject, list(hosts), list(_PURPOSES))


def _one(tree: Tree, name: str, file: str, subject: Tree, hosts: list[str], purposes: list[str]) -> Tree:
    settings, folder = tree["certificates"], tree["paths"]["certificates"]
    names = {key: value for key, value in settings["subject"].items() if value is not None} | subject
    return {
        "name": name,
        "from": settings[name]["from"],
        "certificate": f"{folder}/{file}.pem",
        "key": f"{folder}/{file}-key.pem",
        "subject": {key: names[key] for key in SUBJECT if key in names},
        "hosts": hosts,
        "purposes": purposes,
        "kind": settings["key"],
        "days": settings["days"],
        "renew_days": settings["renew_days"],
        "pem": settings[name]["certificate"],
    }


def subject(one: Tree) -> x509.Name:
    """Return the subject of a certificate that is wanted."""
    return x509.Name([x509.NameAttribute(SUBJECT[key], value) for key, value in one["subject"].items()])


def alternative_names(one: Tree) -> x509.SubjectAlternativeName | None:
    """Return the names and addresses of a certificate that is wanted; None where it has none."""
    return (
        x509.SubjectAlternativeName([_general_name(host) for host in one["hosts"]]) if one["hosts"] else None
    )


def purposes(one: Tree) -> x509.ExtendedKeyUsage:
    """Return what a certificate that is wanted is for."""
    return x509.ExtendedKeyUsage([_PURPOSES[name] for name in one["purposes"]])


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def new_key(one: Tree) -> str:
    """Make a private key of the kind that is wanted; return it as PEM."""
    form = serialization.PrivateFormat.TraditionalOpenSSL  # which every minor reads, EC keys too
    key = KEYS[one["kind"]]()
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()


def request(one: Tree, key_pem: str) -> str:
    """Return the certificate request, as PEM, by which a minion asks for a certificate that is wanted."""
    builder = x509.CertificateSigningRequestBuilder().subject_name(subject(one))
    if names := alternative_names(one):
        builder = builder.add_extension(names, critical=False)
    made = builder.sign(_key(key_pem), hashes.SHA256())
    return made.public_bytes(serialization.Encoding.PEM).decode()


def key_fault(one: Tree, key_pem: str | None) -> str | None:
    """Return what is wrong with a key that the minion makes; None where it may stay."""
    if key_pem is None:
        return "is missing"
    key = _key(key_pem)
    if key is None:
        return "is no private key"
    kind = f"rsa-{key.key_size}" if isinstance(key, rsa.RSAPrivateKey) else f"ecdsa-{key.key_size}"
    return None if kind == one["kind"] else f"is of the kind {kind}, not {one['kind']}"


def fault(one: Tree, pem: str | None, key_pem: str | None, authorities: str, now: datetime) -> str | None:
    """Return why a certificate is not the one that is wanted; None where it is.

    Args:
        one: as `wanted` returns it.
        pem: the certificate, and after it those between it and the authority.
        key_pem: the private key.
        authorities: the cluster's CA certificates.
        now: with a time zone.
    """
    if pem is None:
        return "is missing"
    try:
        chain = x509.load_pem_x509_certificates(pem.encode())
    except ValueError:
        return "is no PEM certificate"
    certificate, key = chain[0], _key(key_pem)
    if key is None:
        return "has no private key beside it"
    if key.public_key() != certificate.public_key():
        return "is of another private key"
    known = _certificates(authorities)
    return (
        _wrong_names(one, certificate)
        or (None if _leads_to(chain, known) else "is not signed by a CA of cluster.ca")
        or _wrong_dates(one, certificate, known, now)
    )


def _wrong_names(one: Tree, certificate: x509.Certificate) -> str | None:
    """What the master signs is compared whole; made elsewhere, it may say more than the node needs."""
    found = certificate.subject
    if one["from"] == MASTER:
        right = found == subject(one)
    else:
        needed = {(SUBJECT[key], one["subject"][key]) for key in ("CN", "O") if key in one["subject"]}
        right = needed <= {(item.oid, item.value) for item in found}
        right = right and len(found.get_attributes_for_oid(NameOID.COMMON_NAME)) == 1
    if not right:
        return f"is for {found.rfc4514_string()[:200]!a}, not {subject(one).rfc4514_string()!a}"
    usages = set(_extension(certificate, x509.ExtendedKeyUsage) or ())
    if missing := set(purposes(one)) - usages:
        names = (name for name, oid in _PURPOSES.items() if oid in missing)
        return f"is not for {' and '.join(names)}"
    carried = {str(name.value) for name in _extension(certificate, x509.SubjectAlternativeName) or ()}
    hosts = {str(_general_name(host).value) for host in one["hosts"]}
    if missing := hosts - carried - (set() if one["from"] == MASTER else {"127.0.0.1"}):
        return f"does not name {', '.join(sorted(missing))}"
    if one["from"] == MASTER and (more := carried - hosts):
        return f"names {', '.join(sorted(more))[:200]!a}, which the pillar does not"
    return None


def _wrong_dates(
    one: Tree, certificate: x509.Certificate, authorities: list[x509.Certificate], now: datetime
) -> str | None:
    begin, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if now < begin:
        return f"is not valid before {begin:%Y-%m-%d %H:%M}Z"
    if now > end:
        return f"expired at {end:%Y-%m-%d %H:%M}Z"
    # None can be had that outlives its authority.
    issuers = (authority for authority in authorities if authority.subject == certificate.issuer)
    lasting = any(end < issuer.not_valid_after_utc for issuer in issuers)
    if one["from"] == MASTER and lasting and end - now < timedelta(days=one["renew_days"]):
        return f"ends at {end:%Y-%m-%d %H:%M}Z, which is within {one['renew_days']} days"
    return None


def signed_by_one_of(pem: str, authorities: str) -> bool:
    """Tell whether the first certificate in a PEM text is signed by one of some authorities."""
    chain = _certificates(pem)
    return bool(chain) and _leads_to(chain, _certificates(authorities))


def _leads_to(chain: list[x509.Certificate], authorities: list[x509.Certificate]) -> bool:
    """Tell whether a chain of certificates ends at one of the authorities."""
    for certificate, issuer in zip(chain, [*chain[1:], None], strict=True):
        if any(_issued(certificate, authority) for authority in authorities):
            return True
        if issuer is None or not _issued(certificate, issuer):
            return False
    return False


def _issued(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    constraints = _extension(issuer, x509.BasicConstraints)
    if constraints is None or not constraints.ca:
        return False
    try:
        certificate.verify_directly_issued_by(issuer)
    except (InvalidSignature, ValueError, TypeError):
        return False
    return True


def _extension(certificate: x509.Certificate, kind: Any) -> Any:
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except (x509.ExtensionNotFound, x509.DuplicateExtension, ValueError):
        return None


def _certificates(pem: str) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(pem.encode())
    except ValueError:
        return []


def _key(pem: str | None) -> Any:
    """Return a private key of a kind that Kubernetes takes; None for anything else."""
    try:
        key = serialization.load_pem_private_key((pem or "").encode(), password=None)
    except (ValueError, TypeError):
        return None
    except Exception:  # garbage has more ways to fail than cryptography documents
        return None
    return key if isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) else None


def hosts_of(names: Iterable[x509.GeneralName]) -> list[str]:
    """Return names and addresses as texts."""
    return [str(name.value) for name in names]
