"""Certificate requests (PKCS#10, RFC 2986) as the API server and the signer read them.

Source: `pkg/apis/certificates/helpers.go`. Where Python's and Go's parsers disagree on a malformed
request, this is Python's word.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Collection

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.x509.oid import NameOID

CLIENT_SIGNER = "kubernetes.io/kube-apiserver-client-kubelet"
SERVING_SIGNER = "kubernetes.io/kubelet-serving"
API_CLIENT_SIGNER = "kubernetes.io/kube-apiserver-client"
LEGACY_SIGNER = "kubernetes.io/legacy-unknown"
# From this minor on the usage key encipherment may be left out (PR 111061).
_NO_ENCIPHERMENT_SINCE = 25
_BLOCK = re.compile(rb"-----BEGIN ([^\n]*?)-----\s(.*?)-----END \1-----", re.DOTALL)
_HEADER = re.compile(rb"^[^\n:]+:[^\n]*$", re.MULTILINE)


def parse(request: str) -> x509.CertificateSigningRequest:
    """Return the request of a CSR object's spec.request (base64 of PEM).

    Raises ValueError with the sentence that the API server gives.
    """
    found = _BLOCK.search(base64.b64decode(request))
    if not found or found[1] != b"CERTIFICATE REQUEST":
        raise ValueError("PEM block type must be CERTIFICATE REQUEST")
    try:
        parsed = x509.load_der_x509_csr(base64.b64decode(_HEADER.sub(b"", found[2])))
        _ = parsed.subject, parsed.extensions
    except (ValueError, binascii.Error, x509.DuplicateExtension, x509.UnsupportedGeneralNameType) as fault:
        raise ValueError(f"asn1: structure error: {fault}") from fault
    return parsed


def check_signature(parsed: x509.CertificateSigningRequest) -> None:
    """Raise ValueError unless the request is signed with its own key."""
    try:
        if parsed.signature_hash_algorithm is not None and parsed.signature_hash_algorithm.name == "md5":
            raise ValueError("x509: cannot verify signature: insecure algorithm MD5-RSA")
        valid = parsed.is_signature_valid
    except (UnsupportedAlgorithm, InvalidSignature) as fault:
        raise ValueError("x509: cannot verify signature: algorithm unimplemented") from fault
    if not valid:
        raise ValueError("x509: signature does not match the request's key")


def common_name(request: str) -> str:
    """Return the subject's CN as Go reads it (the last of several), "" when there is none or no request."""
    try:
        return _common_name(parse(request))
    except ValueError:
        return ""


def organisations(parsed: x509.CertificateSigningRequest) -> list[str]:
    """Return the subject's Os, the groups of a user."""
    return [str(one.value) for one in parsed.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)]


def kubelet_fault(
    parsed: x509.CertificateSigningRequest, usages: Collection[str], signer: str, minor: int
) -> str | None:
    """Return why a request is none that a kubelet signer of a minor signs, None when it is one."""
    purpose = "client auth" if signer == CLIENT_SIGNER else "server auth"
    names = alternative_names(parsed)
    if organisations(parsed) != ["system:nodes"]:
        return "subject organization is not system:nodes"
    if signer == SERVING_SIGNER and not (names["DNS"] or names["IP"]):
        return "DNS or IP subjectAltName is required"
    for kind in ("DNS", "Email", "IP", "URI") if signer == CLIENT_SIGNER else ("Email", "URI"):
        if names[kind]:
            return f"{kind} subjectAltNames are not allowed"
    faults = []
    if not _common_name(parsed).startswith("system:node:"):
        faults.append("subject common name does not begin with system:node:")
    wanted = {"digital signature", "key encipherment", purpose}
    optional = {"key encipherment"} if minor >= _NO_ENCIPHERMENT_SINCE else set()
    if set(usages) not in (wanted, wanted - optional):
        faults.append(f"usages did not match [{' '.join(sorted(wanted))}]")
    # The two validators of helpers.go look at these in opposite order.
    return next(iter(faults if signer == CLIENT_SIGNER else reversed(faults)), None)


def _common_name(parsed: x509.CertificateSigningRequest) -> str:
    names = parsed.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(names[-1].value) if names else ""


def alternative_names(parsed: x509.CertificateSigningRequest) -> dict[str, list[object]]:
    """Return the request's alternative names of the four kinds that Go reads and the signer copies."""
    try:
        found = parsed.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        found = x509.SubjectAlternativeName([])
    return {
        "DNS": found.get_values_for_type(x509.DNSName),
        "Email": found.get_values_for_type(x509.RFC822Name),
        "IP": found.get_values_for_type(x509.IPAddress),
        "URI": found.get_values_for_type(x509.UniformResourceIdentifier),
    }
