"""The corpus: hostile requests, each with the rule that must catch it, and honest ones."""

from __future__ import annotations

from functools import cache
from types import ModuleType

from kubelet_csr_policy import RULES, decide
from kubelet_csr_request import outline

from unit.csr import (
    honest,
    hostile_content,
    hostile_encoding,
    hostile_keys,
    hostile_names,
    hostile_object,
    hostile_requestor,
)
from unit.csr.samples import CERTIFICATE, OTHER_DIGEST, Sample


@cache
def hostile() -> list[Sample]:
    """Requests that are never to be approved."""
    return [
        *hostile_object.samples(),
        *hostile_encoding.samples(),
        *hostile_content.samples(),
        *hostile_keys.samples(),
        *hostile_requestor.samples(),
        *hostile_names.samples(),
    ]


@cache
def honest_ones() -> list[Sample]:
    """Requests that are to be approved."""
    return list(honest.samples())


@cache
def _by_name() -> dict[str, Sample]:
    return {sample.name: sample for sample in hostile()}


def by_name(name: str) -> Sample:
    """The hostile request of this name."""
    return _by_name()[name]


def refusal(name: str) -> str:
    """The judge's sentence on a hostile request, with the digests and groups in it told by whose they are."""
    sample = by_name(name)
    message = decide(sample.csr, sample.facts, sample.policy).message
    digests = {"key": outline(sample.csr).spki_sha256, "certificate": CERTIFICATE, "other": OTHER_DIGEST}
    groups = {"own group": hostile_requestor.OWN_GROUP, "other group": hostile_requestor.OTHER_GROUP}
    for what, digest in (digests | groups).items():
        message = message.replace(digest, f"{{{what}}}") if digest else message
    return message


def rules_of(module: ModuleType) -> set[str]:
    """The names of the rules that a module defines."""
    return {rule.name for rule in RULES if rule.check.__module__ == module.__name__}
