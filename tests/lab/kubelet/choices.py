"""What a kubelet refuses of settings that must be one of a few words.

Source: pkg/kubelet/apis/config/validation/validation.go of 1.10 to 1.36.
"""

from __future__ import annotations

from collections.abc import Iterator

from lab.component.klog import quote

from .settings import Settings

_HEAD = "invalid configuration: "
_PULL_POLICY = "imagePullCredentialsVerificationPolicy"


def faults(settings: Settings) -> Iterator[str]:
    """What is wrong with hairpinMode, memorySwap, image pull verification and restart delays."""
    mode = settings["hairpinMode"]
    if mode not in ("none", "hairpin-veth", "promiscuous-bridge"):
        yield (
            f"{_HEAD}option {quote(mode)} specified for hairpinMode (--hairpin-mode). "
            'Valid options are "none", "hairpin-veth" or "promiscuous-bridge"'
        )
    behaviour = settings["memorySwap.swapBehavior"]
    known = settings.claim.fields.get("memorySwap.swapBehavior")
    if behaviour and known and behaviour not in known.values:
        *others, last = map(quote, sorted(known.values))
        choices = f'"", {", ".join(others)} or {last}'
        yield f"{_HEAD}memorySwap.swapBehavior {quote(behaviour)} must be one of: {choices}"
    yield from _of_the_facts(settings, _PULL_POLICY)
    images, policy = (settings[name] for name in ("preloadedImagesVerificationAllowlist", _PULL_POLICY))
    if images and policy != "NeverVerifyAllowlistedImages":
        yield (
            f"{_HEAD}can't set `preloadedImagesVerificationAllowlist` if "
            '`imagePullCredentialsVertificationPolicy` is not "NeverVerifyAllowlistedImages"'
        )


def memory_faults(settings: Settings) -> Iterator[str]:
    """What is wrong with memoryReservationPolicy."""
    yield from _of_the_facts(settings, "memoryReservationPolicy")


def _of_the_facts(settings: Settings, name: str) -> Iterator[str]:
    """A field of which the facts list the words that it may be."""
    field, value = settings.claim.fields.get(name), settings[name]
    if field and value and value not in field.values:
        *others, last = map(quote, field.values)
        listed = f"{', '.join(others)} or {last}"
        yield f"{_HEAD}option {quote(value)} specified for {name}. Valid options are {listed}"
