"""Keys for the corpus, each made once. Large RSA keys are of many small primes: quick to make, and real."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from math import gcd, prod
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa

from unit.csr import der

CURVES = {
    "P-192": ec.SECP192R1,
    "P-224": ec.SECP224R1,
    "P-256": ec.SECP256R1,
    "P-384": ec.SECP384R1,
    "P-521": ec.SECP521R1,
    "secp256k1": ec.SECP256K1,
    "brainpoolP256r1": ec.BrainpoolP256R1,
}
_DIGEST_INFO = {
    "md5": "3020300c06082a864886f70d020505000410",
    "sha1": "3021300906052b0e03021a05000414",
    "sha224": "302d300d06096086480165030402040500041c",
    "sha256": "3031300d060960864801650304020105000420",
    "sha384": "3041300d060960864801650304020205000430",
    "sha512": "3051300d060960864801650304020305000440",
}


@cache
def curve(name: str, _number: int = 0) -> ec.EllipticCurvePrivateKey:
    """A key on a curve; another number gives another key."""
    return ec.generate_private_key(CURVES[name]())


@cache
def edwards(name: str) -> Any:
    return {"Ed25519": ed25519.Ed25519PrivateKey, "Ed448": ed448.Ed448PrivateKey}[name].generate()


@cache
def real_rsa() -> rsa.RSAPrivateKey:
    """An RSA key of 2048 bits as everybody makes it."""
    return rsa.generate_private_key(65537, 2048)


@cache
def rsa_of(primes: int, exponent: int = 65537) -> Rsa:
    """An RSA key of so many primes of 512 bits."""
    fitting = [prime for prime in _primes() if gcd(exponent, prime - 1) == 1]
    return Rsa(tuple(fitting[:primes]), exponent)


@cache
def _primes() -> list[int]:
    keys = [rsa.generate_private_key(65537, 1024).private_numbers() for _ in range(12)]
    return [prime for key in keys for prime in (key.p, key.q)]


@dataclass(frozen=True)
class Rsa:
    """An RSA key of any number of primes; quacks like cryptography's as far as `der` asks."""

    primes: tuple[int, ...]
    exponent: int

    @property
    def modulus(self) -> int:
        return prod(self.primes)

    @property
    def spki(self) -> bytes:
        numbers = der.seq(der.integer(self.modulus), der.integer(self.exponent))
        return der.seq(der.RSA_ENCRYPTION, der.bits(numbers))

    def sign(self, data: bytes, _padding: Any, algorithm: hashes.HashAlgorithm) -> bytes:
        digest = hashes.Hash(algorithm)
        digest.update(data)
        size = (self.modulus.bit_length() + 7) // 8
        info = bytes.fromhex(_DIGEST_INFO[algorithm.name]) + digest.finalize()
        message = b"\0\1".ljust(size - len(info) - 1, b"\xff") + b"\0" + info
        return self._power(int.from_bytes(message, "big")).to_bytes(size, "big")

    def _power(self, message: int) -> int:
        """The message to the private exponent, by the Chinese remainder theorem."""
        value, product = 0, 1
        for prime in self.primes:
            remainder = pow(message, pow(self.exponent, -1, prime - 1), prime)
            value += product * ((remainder - value) * pow(product, -1, prime) % prime)
            product *= prime
        return value


class LongRsa(Rsa):
    """An RSA key whose modulus is written with a leading zero that DER does not allow."""

    @property
    def spki(self) -> bytes:
        modulus = der.tlv(0x02, b"\0", der.integer(self.modulus)[4:])
        return der.seq(der.RSA_ENCRYPTION, der.bits(der.seq(modulus, der.integer(self.exponent))))
