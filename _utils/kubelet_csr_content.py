"""Rules on the certificate request itself: its encoding, its subject, its key."""

from __future__ import annotations

import kubelet_csr_der as der
import kubelet_csr_keys as keys
import kubelet_csr_pem as pem
import kubelet_csr_request as csr_request
from kubelet_csr_case import AS_EXPECTED, DENY, IGNORE, SERVING, STRANGE, Case, Finding, check, show, text

_NEW_KEY = "let the kubelet make its own key"
_LABEL = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-")
_ATTRIBUTE_NAMES = {csr_request.ORGANIZATION: "O", csr_request.COMMON_NAME: "CN"}
_STRING_TYPES = (der.PRINTABLE_STRING, der.UTF8_STRING)


def request_size(case: Case) -> Finding:
    """The request is small, told by its length before anything is decoded. Threat: memory and time."""
    size, most = pem.decoded_size(text(case.spec.get("request"))), case.settings["max_request_bytes"]
    return check(size <= most, DENY, f"a request of at most {most} bytes", f"{size} bytes", STRANGE)


def request_base64(case: Case) -> Finding:
    """spec.request is canonical base64: what was decoded, encoded again, is the same (RFC 4648 §3.5)."""
    same = pem.to_base64(case.pem) == text(case.spec.get("request"))
    found = AS_EXPECTED if same else "base64 with other characters, line breaks or loose bits"
    return check(same, DENY, "canonical base64 in spec.request", found, STRANGE)


def request_pem(case: Case) -> Finding:
    """There is one PEM block and nothing else: what was read, written again, is the same (RFC 7468).

    Threat: several blocks, of which two programs read different ones.
    """
    same = pem.to_pem(case.der) == case.pem
    found = AS_EXPECTED if same else "headers, other lines or more than the block"
    return check(same, DENY, "exactly one PEM block CERTIFICATE REQUEST of 64 columns", found, STRANGE)


def request_der(case: Case) -> Finding:
    """The request is DER: what was read, written again, is the same, byte by byte (X.690 §10, RFC 2986).

    Threat: Python's and Go's parsers read such a request differently, and the signer is Go.
    """
    part = csr_request.not_canonical(case.request, case.der)
    found = f"another encoding of the {part}" if part else AS_EXPECTED
    return check(part is None, DENY, "a request in strict DER", found, STRANGE)


def request_version(case: Case) -> Finding:
    """The version is 0, which means v1 and is the only one (RFC 2986 §4.1). Go does not look at it."""
    version = case.request.version
    return check(version == 0, DENY, "request version 0", show(version), STRANGE)


def subject_form(case: Case) -> Finding:
    """The subject is O and then CN, each alone in its RDN, as PrintableString or UTF8String.

    Threat: two common names, of which Go takes the last; attributes that the signer copies unseen.
    Source: Go's crypto/x509/pkix, Name.ToRDNSequence, with which kubelets write it.
    """
    subject = case.request.subject
    oids = [[item.oid for item in rdn] for rdn in subject]
    right = oids == [[csr_request.ORGANIZATION], [csr_request.COMMON_NAME]] and all(
        item.tag in _STRING_TYPES for rdn in subject for item in rdn
    )
    shown = ", ".join(" + ".join(map(_attribute, rdn[:5])) for rdn in subject[:5]) or "an empty subject"
    return check(right, DENY, "a subject of one O and then one CN", shown, STRANGE)


def _attribute(attribute: csr_request.Attribute) -> str:
    name = _ATTRIBUTE_NAMES.get(attribute.oid, "another attribute")
    return name if attribute.tag in _STRING_TYPES else f"{name} with string type {attribute.tag}"


def organization(case: Case) -> Finding:
    """O, the group that the certificate gives, is system:nodes (pkg/apis/certificates/helpers.go)."""
    value = case.request.first(csr_request.ORGANIZATION)
    return check(value == b"system:nodes", DENY, "O='system:nodes'", f"O={show(value)}", STRANGE)


def common_name(case: Case) -> Finding:
    """CN is system:node: and the node's name byte by byte, a lower-case RFC 1123 subdomain (helpers.go).

    A request for another node, that neither the node nor its token nor its key made, is not aimed at ours.
    """
    value = case.request.first(csr_request.COMMON_NAME) or b""
    expected, found = f"CN={show(case.node_username)}", f"CN={show(value)}"
    if not _is_node_identity(value):
        return check(False, DENY, "CN=system:node: and a lower-case RFC 1123 subdomain", found, STRANGE)
    if value == case.node_username.encode("ascii", "replace"):
        return check(True, DENY, expected, found)
    if _is_made_by_node(case):
        todo = "a node asks for itself alone, so make kube_node.node.name and the kubelet's name the same"
        return check(False, DENY, expected, found, todo)
    return check(False, IGNORE, expected, found, "these facts are about another node than the request")


def _is_node_identity(value: bytes) -> bool:
    """Whether this is system:node: and a name that a Node can have (IsDNS1123Subdomain)."""
    prefix, name = value[:12], value[12:].decode("ascii", "replace")
    labels = name.split(".")
    return (
        prefix == b"system:node:"
        and len(name) <= 253
        and all(label and _LABEL.issuperset(label) and "-" not in (label[0], label[-1]) for label in labels)
    )


def _is_made_by_node(case: Case) -> bool:
    token = text(case.fact("bootstrap_token_id"))
    return case.username in (case.node_username, f"system:bootstrap:{token}") or case.is_attested


def key_algorithm(case: Case) -> Finding:
    """The key is RSA or on an allowed curve, named and not written out (RFC 5480 §2.1.1, RFC 3279 §2.3.1)."""
    kind, curve = case.request.key_kind, keys.CURVES.get(case.request.key_algorithm)
    allowed = sorted(case.settings["allowed_curves"])
    found = curve or (kind if kind == "RSA" else "another key or curve")
    expected = f"an RSA key or one on {' or '.join(allowed)}"
    return check(kind == "RSA" or curve in allowed, DENY, expected, found, _NEW_KEY)


def ec_point(case: Case) -> Finding:
    """An EC key's point is uncompressed: Go refuses the other forms, Python takes them (RFC 5480 §2.2)."""
    right = case.request.key_kind != "EC" or case.request.key[:1] == b"\x04"
    found = case.request.key_kind if right else "a compressed or hybrid point"
    return check(right, DENY, "an EC key with an uncompressed point, if it is one", found, _NEW_KEY)


def rsa_size(case: Case) -> Finding:
    """An RSA modulus is neither weak nor a burden to verify (NIST SP 800-57); the signer takes any."""
    least, most = case.settings["min_rsa_bits"], case.settings["max_rsa_bits"]
    expected = f"an RSA key of {least} to {most} bits, if it is one"
    if case.request.rsa is None:
        return check(True, DENY, expected, case.request.key_kind)
    modulus = case.request.rsa[0]
    right = modulus > 0 and least <= modulus.bit_length() <= most
    return check(right, DENY, expected, f"{modulus.bit_length()} bits", _NEW_KEY)


def rsa_exponent(case: Case) -> Finding:
    """An RSA key's public exponent is the usual one (NIST SP 800-89 §5.3.3); the signer takes any."""
    wanted = case.settings["rsa_exponent"]
    expected = f"an RSA key with the exponent {wanted}, if it is one"
    if case.request.rsa is None:
        return check(True, DENY, expected, case.request.key_kind)
    exponent = case.request.rsa[1]
    return check(exponent == wanted, DENY, expected, show(exponent), _NEW_KEY)


def signature_algorithm(case: Case) -> Finding:
    """The signature is ECDSA or PKCS #1 v1.5, as the key is, with an allowed hash (RFC 5758, RFC 4055)."""
    algorithm, kind = case.request.signature_algorithm, case.request.key_kind
    allowed = sorted(case.settings["allowed_sig_hashes"])
    maker, name = keys.SIGNATURES.get(algorithm, ("another algorithm", None))
    expected = f"a signature of an {kind} key with {' or '.join(allowed)}"
    found = f"{maker} with {name}" if name else maker
    return check(maker == kind and name in allowed, DENY, expected, found, STRANGE)


def proof_of_possession(case: Case) -> Finding:
    """The request is signed by its own key (RFC 2986 §3). Threat: a copied or altered request."""
    signed = case.request.is_signed_by_its_key
    found = AS_EXPECTED if signed else "one that does not verify"
    todo = "look who copied or altered this request"
    return check(signed, DENY, "the signature of the request's own key", found, todo)


def attributes(case: Case) -> Finding:
    """A client request asks for no extension; a serving one for alternative names alone, not critical.

    Threat: the signer copies names into the certificate, and of two extensions parsers take different ones.
    Source: pkg/apis/certificates/helpers.go; RFC 2985 §5.4.2.
    """
    request = case.request
    extensions = ", ".join(map(_extension, request.extensions[:5])) or "no extension"
    found = f"{len(request.attributes)} attribute(s) asking for {extensions}"
    if case.flow != SERVING:
        return check(not request.attributes, DENY, "no attributes in a client request", found, STRANGE)
    asked = [(oid, len(values)) for oid, values in request.attributes]
    only = [(item.oid, item.critical) for item in request.extensions]
    right = asked == [(csr_request.EXTENSION_REQUEST, 1)] and only == [(csr_request.SUBJECT_ALT_NAME, False)]
    return check(
        right, DENY, "1 attribute asking for alternative names that are not critical", found, STRANGE
    )


def _extension(extension: csr_request.Extension) -> str:
    name = "alternative names" if extension.oid == csr_request.SUBJECT_ALT_NAME else "another extension"
    return f"critical {name}" if extension.critical else name
