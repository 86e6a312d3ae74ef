"""Certificate requests as a kubelet forms and names them.

Sources: pkg/kubelet/certificate/bootstrap/bootstrap.go and client-go util/certificate/certificate_manager.go
of 1.9 to 1.36.
"""

from __future__ import annotations

import base64
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.name import _ASN1Type
from cryptography.x509.oid import NameOID

from lab.component.claim import Claim

CLIENT_SIGNER = "kubernetes.io/kube-apiserver-client-kubelet"
SERVING_SIGNER = "kubernetes.io/kubelet-serving"
GROUP = "system:nodes"

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


@dataclass(frozen=True)
class Template:
    """What a certificate is to say: whose it is, and for a serving one the names and addresses."""

    node: str
    signer: str
    dns_names: tuple[str, ...] = ()
    ips: tuple[str, ...] = ()

    @property
    def common_name(self) -> str:
        return f"system:node:{self.node}"


def new_key() -> ec.EllipticCurvePrivateKey:
    """A fresh key as every kubelet makes it."""
    return ec.generate_private_key(ec.SECP256R1())


def key_pem(key: Key) -> bytes:
    """A key as client-go writes it: ``EC PRIVATE KEY`` or ``RSA PRIVATE KEY``."""
    form = serialization.PrivateFormat.TraditionalOpenSSL
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())


def request_pem(template: Template, key: Key) -> bytes:
    """The signed request (PKCS#10) in PEM.

    Go writes the subject's strings as PrintableString where they can be that, and O before CN.
    """
    attributes = ((NameOID.ORGANIZATION_NAME, GROUP), (NameOID.COMMON_NAME, template.common_name))
    subject = x509.Name([x509.NameAttribute(oid, text, _type=_string_type(text)) for oid, text in attributes])
    builder = x509.CertificateSigningRequestBuilder().subject_name(subject)
    names = [x509.DNSName(name) for name in template.dns_names]
    names += [x509.IPAddress(ipaddress.ip_address(ip)) for ip in template.ips]
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def usages(claim: Claim, signer: str, key: Key, appended: bool = False) -> list[str]:
    """The usages that a kubelet asks for: key encipherment up to 1.26 always, later with RSA keys alone.

    ``appended``: from 1.27 the bootstrap with a key file puts it last, which counts in the request's name.
    """
    purpose = "client auth" if signer == CLIENT_SIGNER else "server auth"
    if not claim.since("1.27"):
        return ["digital signature", "key encipherment", purpose]
    if not isinstance(key, rsa.RSAPrivateKey):
        return ["digital signature", purpose]
    middle = ["key encipherment"]
    return ["digital signature", purpose, *middle] if appended else ["digital signature", *middle, purpose]


def digested_name(claim: Claim, template: Template, key: Key, asked: Sequence[str]) -> str:
    """The name of a request that is made with a key file: the same for the same key, subject and usages.

    Up to 1.15 the digest is over the private key's PEM, from 1.16 over the public key.
    """
    public = key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    items = [public if claim.since("1.16") else key_pem(key), template.common_name.encode(), GROUP.encode()]
    digest = hashes.Hash(hashes.SHA512_256())
    for item in [*items, *(usage.encode() for usage in asked)]:
        digest.update(_raw_url(item) + b"|")
    return f"node-csr-{_raw_url(digest.finalize()).decode()}"


def _raw_url(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def _string_type(text: str) -> _ASN1Type:
    printable = text.isascii() and all(letter.isalnum() or letter in " '()+,-./:=?" for letter in text)
    return _ASN1Type.PrintableString if printable else _ASN1Type.UTF8String
