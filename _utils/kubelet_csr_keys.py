"""Keys and signatures of certificate requests: which algorithms there are, and whose a signature is.

Algorithms are known by the whole DER of their AlgorithmIdentifier, so nothing in them (parameters, their
absence, a curve written out) is left to interpretation. SHA-1, MD5, PSS, Ed25519 and other curves have no
entry.

Source: RFC 5480 (EC keys), RFC 3279 §2.3.1 (RSA keys), RFC 5758 §3.2 (ECDSA), RFC 4055 §5 (PKCS #1 v1.5).
"""

from __future__ import annotations

import kubelet_csr_der as der
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import load_der_public_key


def oid(content: str) -> bytes:
    """An object identifier's DER, by its content in hex."""
    return der.write(der.OBJECT_IDENTIFIER, bytes.fromhex(content))


_EC = oid("2a8648ce3d0201")
_NULL = b"\x05\x00"
_HASHES = {"sha224": hashes.SHA224, "sha256": hashes.SHA256, "sha384": hashes.SHA384, "sha512": hashes.SHA512}

RSA = der.write(der.SEQUENCE, oid("2a864886f70d010101"), _NULL)
CURVES = {
    der.write(der.SEQUENCE, _EC, oid("2a8648ce3d030107")): "P-256",
    der.write(der.SEQUENCE, _EC, oid("2b81040022")): "P-384",
    der.write(der.SEQUENCE, _EC, oid("2b81040023")): "P-521",
}
# Signature algorithm -> the kind of key that makes it and the name of its hash.
SIGNATURES = {
    **{
        der.write(der.SEQUENCE, oid(f"2a8648ce3d0403{last}")): ("EC", name)
        for last, name in zip(("01", "02", "03", "04"), _HASHES, strict=True)
    },
    **{
        der.write(der.SEQUENCE, oid(f"2a864886f70d0101{last}"), _NULL): ("RSA", name)
        for last, name in zip(("0e", "0b", "0c", "0d"), _HASHES, strict=True)
    },
}


def kind(algorithm: bytes) -> str:
    """EC, RSA or other, by the DER of a key's AlgorithmIdentifier."""
    if algorithm == RSA:
        return "RSA"
    return "EC" if algorithm.startswith(_EC, 2) else "other"


def is_signed_by(spki: bytes, signed: bytes, algorithm: bytes, signature: bytes) -> bool:
    """Whether a signature verifies with a key, so that whoever signed holds the private key.

    Args:
        spki: the key's SubjectPublicKeyInfo in DER.
        signed: the bytes under the signature.
        algorithm: the signature's AlgorithmIdentifier in DER.
        signature: the signature's bytes.
    """
    maker, name = SIGNATURES.get(algorithm, ("other", ""))
    try:
        key = load_der_public_key(spki)
        if maker == "EC" and isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(signature, signed, ec.ECDSA(_HASHES[name]()))
            return True
        if maker == "RSA" and isinstance(key, rsa.RSAPublicKey):
            key.verify(signature, signed, padding.PKCS1v15(), _HASHES[name]())
            return True
    except (InvalidSignature, UnsupportedAlgorithm, ValueError):
        return False
    return False
