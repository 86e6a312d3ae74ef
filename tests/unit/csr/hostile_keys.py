"""Requests with a weak or odd key, or with a signature that is not its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from unit.csr import der, keys
from unit.csr.der import seq
from unit.csr.samples import ATTESTED, CLIENT, RENEWAL, SERVING, TOKEN, Sample, sample


def key_algorithms() -> Iterator[Sample]:
    for name in ("P-192", "P-224", "secp256k1", "brainpoolP256r1"):
        yield sample(f"a key on {name}", "key_algorithm", ATTESTED, key=keys.curve(name))
    for name in ("Ed25519", "Ed448"):
        yield sample(f"an {name} key", "key_algorithm", ATTESTED, key=keys.edwards(name))
    narrow = {"allowed_curves": ["P-384"]}
    yield sample("a curve that the policy lacks", "key_algorithm", SERVING, policy=narrow)
    rsa = keys.rsa_of(5)
    numbers = der.bits(seq(der.integer(rsa.modulus), der.integer(65537)))
    for name, algorithm in {
        "an RSA key without NULL": seq(der.oid("1.2.840.113549.1.1.1")),
        "an RSA key with an OID": seq(der.oid("1.2.840.113549.1.1.1"), der.oid("1.2.3")),
        "an RSA-PSS key": seq(der.RSA_PSS),
        "an RSA key by a long length": seq(der.oid("1.2.840.113549.1.1.1"), der.NULL, extra=1),
    }.items():
        yield sample(name, "key_algorithm", TOKEN, key=rsa, key_info=seq(algorithm, numbers))
    point = der.bits(_point(keys.curve("P-256")))
    for name, algorithm in {
        "a curve written out": seq(_EC, seq(der.integer(1))),
        "no curve": seq(_EC),
        "NULL for a curve": seq(_EC, der.NULL),
        "a curve and something more": seq(_EC, der.oid("1.2.840.10045.3.1.7"), der.NULL),
        "another curve's name": seq(_EC, der.oid("1.3.132.0.10")),
        "a key for agreement only": seq(der.oid("1.3.132.1.12"), der.oid("1.2.840.10045.3.1.7")),
    }.items():
        yield sample(name, "key_algorithm", key_info=seq(algorithm, point))


_EC = der.oid("1.2.840.10045.2.1")


def _point(key: Any, size: int = 32) -> bytes:
    numbers = key.public_key().public_numbers()
    return b"\4" + numbers.x.to_bytes(size, "big") + numbers.y.to_bytes(size, "big")


def points() -> Iterator[Sample]:
    curves = {
        "P-256": ("1.2.840.10045.3.1.7", 32),
        "P-384": ("1.3.132.0.34", 48),
        "P-521": ("1.3.132.0.35", 66),
    }
    for name, (dotted, size) in curves.items():
        algorithm, full = seq(_EC, der.oid(dotted)), _point(keys.curve(name), size)
        sign = full[-1] & 1
        forms = {
            "compressed": bytes((2 | sign,)) + full[1 : 1 + size],
            "hybrid": bytes((6 | sign,)) + full[1:],
            "at infinity": b"\0",
            "empty": b"",
        }
        for form, point in forms.items():
            info = seq(algorithm, der.bits(point))
            yield sample(f"{name} point {form}", "ec_point", key=keys.curve(name), key_info=info)
        for form, point in {
            "off the curve": full[:-1] + bytes((full[-1] ^ 1,)),
            "cut short": full[:-1],
            "with a byte more": full + b"\0",
        }.items():
            info = seq(algorithm, der.bits(point))
            yield sample(f"{name} point {form}", "proof_of_possession", key=keys.curve(name), key_info=info)


def rsa_keys() -> Iterator[Sample]:
    for primes in (1, 2, 3):
        yield sample(f"RSA of {primes * 512} bits", "rsa_size", ATTESTED, key=keys.rsa_of(primes))
    yield sample("RSA of more than 8192 bits", "rsa_size", RENEWAL, key=keys.rsa_of(17))
    yield sample(
        "RSA of a bit less than the policy wants",
        "rsa_size",
        SERVING,
        key=keys.real_rsa(),
        policy={"min_rsa_bits": 2049},
    )
    yield sample(
        "RSA of a bit more than the policy wants",
        "rsa_size",
        key=keys.real_rsa(),
        policy={"max_rsa_bits": 2047},
    )
    for modulus in (0, 1, 15, -(2**2100)):
        info = seq(der.RSA_ENCRYPTION, der.bits(seq(der.integer(modulus), der.integer(65537))))
        yield sample(
            f"an RSA modulus of {modulus.bit_length()} bits, {'no' if modulus < 0 else 'a'} number to use",
            "rsa_size",
            key=keys.rsa_of(5),
            key_info=info,
        )
    for exponent in (3, 17, 257, 65539):
        yield sample(f"RSA exponent {exponent}", "rsa_exponent", ATTESTED, key=keys.rsa_of(5, exponent))
    for exponent in (0, 1, 2, -65537, 65536, 2**2049 + 1):
        info = seq(
            der.RSA_ENCRYPTION, der.bits(seq(der.integer(keys.rsa_of(5).modulus), der.integer(exponent)))
        )
        yield sample(
            f"RSA exponent of {exponent % 1000}, unusable", "rsa_exponent", key=keys.rsa_of(5), key_info=info
        )
    even = der.bits(seq(der.integer(keys.rsa_of(5).modulus + 1), der.integer(65537)))
    yield sample(
        "an even RSA modulus",
        "proof_of_possession",
        key=keys.rsa_of(5),
        key_info=seq(der.RSA_ENCRYPTION, even),
    )


def signatures() -> Iterator[Sample]:
    curve, rsa = keys.curve("P-256"), keys.rsa_of(5)
    for name in ("sha1", "sha224"):
        yield sample(f"ECDSA with {name}", "signature_algorithm", hash_name=name)
    for name in ("md5", "sha1", "sha224"):
        yield sample(f"RSA with {name}", "signature_algorithm", SERVING, key=rsa, hash_name=name)
    yield sample(
        "a hash that the policy lacks", "signature_algorithm", policy={"allowed_sig_hashes": ["sha512"]}
    )
    for name, key, algorithm in (
        ("RSA named over an EC signature", curve, der.RSA["sha256"]),
        ("ECDSA named over an RSA signature", rsa, der.ECDSA["sha256"]),
        ("ECDSA with NULL", curve, seq(der.oid("1.2.840.10045.4.3.2"), der.NULL)),
        ("RSA without NULL", rsa, seq(der.oid("1.2.840.113549.1.1.11"))),
        ("RSA-PSS", rsa, seq(der.RSA_PSS, seq())),
        ("SHA-3", curve, seq(der.oid("2.16.840.1.101.3.4.3.10"))),
        ("a long length in the algorithm", curve, seq(der.oid("1.2.840.10045.4.3.2"), extra=1)),
        ("no algorithm", curve, seq()),
        ("a key's algorithm", curve, seq(_EC, der.oid("1.2.840.10045.3.1.7"))),
    ):
        yield sample(name, "signature_algorithm", key=key, algorithm=algorithm)
    changes: dict[str, Callable[[bytes], bytes]] = {
        "a bit changed": lambda value: value[:-1] + bytes((value[-1] ^ 1,)),
        "a byte after it": lambda value: value + b"\0",
        "the last byte gone": lambda value: value[:-1],
        "nothing in it": lambda _: b"",
        "zeros in it": lambda value: bytes(len(value)),
    }
    for name, change in changes.items():
        yield sample(f"ECDSA signature with {name}", "proof_of_possession", signature=change)
        yield sample(f"RSA signature with {name}", "proof_of_possession", SERVING, key=rsa, signature=change)
    yield sample("ECDSA numbers with a zero more", "proof_of_possession", signature=_long_numbers)
    yield sample(
        "ECDSA numbers of zero",
        "proof_of_possession",
        signature=lambda _: seq(der.integer(0), der.integer(0)),
    )
    yield sample(
        "ECDSA numbers in a long sequence",
        "proof_of_possession",
        signature=lambda value: seq(value[2:], extra=1),
    )
    for flow in CLIENT:
        yield sample(
            "another node's request copied",
            "proof_of_possession",
            flow,
            key_info=der.spki(keys.curve("P-256", 1)),
        )
    yield sample("another hash named", "proof_of_possession", algorithm=der.ECDSA["sha384"])


def _long_numbers(value: bytes) -> bytes:
    size = value[3]
    return seq(der.tlv(0x02, b"\0" + value[4 : 4 + size]), value[4 + size :])


def samples() -> Iterator[Sample]:
    yield from key_algorithms()
    yield from points()
    yield from rsa_keys()
    yield from signatures()
